package incoming

import (
	"encoding/json"
	"slices"
	"strconv"
)

// field is what a request says under one name.
type field struct {
	name  string
	value any    // nil, bool, string, json.Number, list; of those that stay whole object too
	where string // as body.custom_data.state
}

// opened are objects whose members count as if they stood beside them.
var opened = []string{"fields", "custom_data"}

// flatten makes of a body and a query the fields of the request. The body's come before
// the query's, and what stands at the top before what is in fields and custom_data. The
// members of any other object have its name in front: {"lead": {"score": 7}} is lead.score.
// Those of the whole stay as they are.
func flatten(body, query object, whole ...string) []field {
	var out []field
	for _, from := range []struct {
		o     object
		where string
	}{{body, "body."}, {query, "query."}} {
		for _, m := range from.o {
			if _, isObject := m.value.(object); !isObject || !slices.Contains(opened, m.name) {
				out = appendField(out, "", from.where, m, whole)
			}
		}
		for _, m := range from.o {
			if o, isObject := m.value.(object); isObject && slices.Contains(opened, m.name) {
				for _, inner := range o {
					out = appendField(out, "", from.where+m.name+".", inner, whole)
				}
			}
		}
	}
	return out
}

func appendField(out []field, prefix, where string, m member, whole []string) []field {
	name := prefix + m.name
	o, isObject := m.value.(object)
	if !isObject || slices.Contains(whole, name) {
		return append(out, field{name, m.value, where + m.name})
	}
	for _, inner := range o {
		out = appendField(out, name+".", where+m.name+".", inner, whole)
	}
	return out
}

// text returns the text of a field; ok is false where it has none.
func (f field) text() (text string, ok bool) {
	switch v := f.value.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
