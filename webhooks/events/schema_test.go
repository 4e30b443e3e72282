package events

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// object is a JSON Schema, with its names in the order in which they are written.
type object = map[string]any

// schema returns the JSON Schema of the bodies of a type. A strict one refuses what it
// does not name; that which is given away does not, since fields may be added.
func schema(t Type, strict bool) object {
	w := schemaWriter{strict}
	body := w.object(reflect.TypeFor[Body]())
	fields := body["properties"].(object)
	fields["type"] = object{"const": t.Name, "description": fields["type"].(object)["description"]}
	if t.Name == "" { // of a flow's own
		fields["type"] = object{"type": "string", "pattern": "^[a-z][a-z0-9_.]*$", "description": "the name that the node emit gives"}
	}
	data := fields["data"].(object)
	data["properties"].(object)["version"].(object)["const"] = Version
	data["properties"].(object)["event"] = w.object(reflect.TypeOf(t.event))
	if t.Name == EndpointDisabled {
		delete(data["properties"].(object), "call")
	} else {
		data["required"] = append(data["required"].([]string), "call")
	}
	body["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	body["title"], body["description"] = t.Name, t.Doc
	if t.Name == "" {
		body["title"] = "an event of a flow's own"
	}
	return body
}

type schemaWriter struct{ strict bool }

// object returns the schema of a struct.
func (w schemaWriter) object(t reflect.Type) object {
	fields, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		fields[name] = w.field(f)
		if omit == "" {
			required = append(required, name)
		}
	}
	out := object{"type": "object", "properties": fields, "required": required}
	if w.strict {
		out["additionalProperties"] = false
	}
	return out
}

func (w schemaWriter) field(f reflect.StructField) object {
	t, nullable := f.Type, false
	if t.Kind() == reflect.Pointer {
		t, nullable = t.Elem(), !strings.HasSuffix(f.Tag.Get("json"), "omitempty")
	}
	out := w.value(t)
	if types := f.Tag.Get("type"); types != "" {
		out["type"] = strings.Split(types, ",")
	} else if nullable {
		out["type"] = []string{out["type"].(string), "null"}
	}
	if values := f.Tag.Get("enum"); values != "" {
		out["enum"] = strings.Split(values, ",")
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		out["description"] = doc
	}
	return out
}

// value returns the schema of a type as it stands in a body.
func (w schemaWriter) value(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[call.Amount]():
		return object{"type": "string", "pattern": `^-?[0-9]+\.[0-9]{2,6}$`, "description": "a decimal number, exact"}
	case reflect.TypeFor[map[string]any]():
		return object{"type": "object", "additionalProperties": object{"type": []string{"string", "number", "boolean"}}}
	case reflect.TypeFor[map[string]string]():
		return object{"type": "object", "additionalProperties": object{"type": "string"}}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Struct:
		return w.object(t)
	case reflect.Interface:
		return object{}
	}
	panic(fmt.Sprintf("no schema of %s", t))
}

func indented(v any) []byte {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}
