package nodes

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hookswitch/hookswitch/flowengine"
)

// document is the schema of a document without the kinds.
//
//go:embed document.json
var document []byte

// DocumentSchema returns the JSON Schema (draft-07) of a document of a folder, for
// editors: with the settings and exits of every kind.
func DocumentSchema() ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(document, &whole); err != nil {
		return nil, fmt.Errorf("schema of documents: %w", err)
	}
	definitions := whole["definitions"].(map[string]any)
	for _, k := range Kinds {
		var settings map[string]any
		if err := json.Unmarshal(Schema(k.Name), &settings); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", k.Name, err)
		}
		delete(settings, "$schema") // one document has one
		delete(settings, "$id")
		definitions["kind-"+k.Name] = settings
	}
	hours := maps.Clone(definitions["kind-hours"].(map[string]any))
	hours["required"] = []string{"week"} // the organization has a time zone
	definitions["hours"] = hours
	definitions["node"] = nodeSchema()
	return json.MarshalIndent(whole, "", "  ")
}

type object = map[string]any

// nodeSchema is a node: one kind, and where its exits go.
func nodeSchema() object {
	to := object{"$ref": "#/definitions/name"}
	properties := object{
		"next":  object{"title": "Next", "description": "The node behind the only exit.", "$ref": "#/definitions/name"},
		"exits": object{"title": "Exits", "description": "The nodes behind the exits; else takes all that are not named.", "type": "object", "additionalProperties": to},
	}
	var byKind []any
	for _, k := range Kinds {
		properties[k.Name] = object{"$ref": "#/definitions/kind-" + k.Name}
		byKind = append(byKind, object{
			"if":   object{"required": []string{k.Name}},
			"then": object{"properties": object{"exits": exitsSchema(k, to)}},
		})
	}
	return object{"type": "object", "minProperties": 1, "additionalProperties": false, "properties": properties, "allOf": byKind}
}

// exitsSchema names the exits of a kind. Those that depend on a node's settings are
// left open.
func exitsSchema(k flowengine.Kind, to object) object {
	node := k.New()
	_, own := node.(flowengine.Exiter)
	_, open := node.(flowengine.OpenExiter)
	_, runs := node.(flowengine.Runner)
	exits := object{flowengine.ErrorExit: to}
	for _, exit := range k.Exits {
		exits[exit] = to
	}
	if own || open || runs || len(k.Exits) > 0 {
		exits[otherwise] = to
	}
	var more any = false
	if own || open || runs {
		more = to
	}
	return object{"properties": exits, "additionalProperties": more}
}
