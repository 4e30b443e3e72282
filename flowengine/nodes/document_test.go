package nodes_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func documentSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := nodes.DocumentSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("hookswitch.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("hookswitch.json")
}

// validate holds one document of YAML against the schema.
func validate(schema *jsonschema.Schema, doc string) error {
	var v any
	if err := yaml.Load([]byte(doc), &v); err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

var between = regexp.MustCompile(`(?m)^---$`)

// What the loader takes, the schema takes: every example, every script.
func TestDocumentSchemaTakesWhatLoads(t *testing.T) {
	schema := documentSchema(t)
	found := 0
	for _, pattern := range []string{"testdata/*.yaml", "../../examples/*/*.yaml", "../../e2e/testdata/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, doc := range between.Split(string(text), -1) {
				found++
				if err := validate(schema, doc); err != nil {
					t.Errorf("%s, document %d: %v", file, i+1, err)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d documents", found)
	}
}

// An editor marks the mistakes that can be seen in one document.
func TestDocumentSchemaRefuses(t *testing.T) {
	schema := documentSchema(t)
	for name, doc := range map[string]string{
		"unknown field":       `{flow: f, start: a, nodes: {a: {hangup: {}}}, strt: a}`,
		"no start":            `{flow: f, nodes: {a: {hangup: {}}}}`,
		"unknown kind":        `{flow: f, start: a, nodes: {a: {hang: {}}}}`,
		"unknown setting":     `{flow: f, start: a, nodes: {a: {menu: {prompt: "say:x", trys: 2}}}}`,
		"missing setting":     `{flow: f, start: a, nodes: {a: {menu: {}}}}`,
		"wrong type":          `{flow: f, start: a, nodes: {a: {menu: {prompt: "say:x", tries: two}}}}`,
		"exit of another":     `{flow: f, start: a, nodes: {a: {dial: {targets: [b]}, exits: {no_input: a}}}}`,
		"target without any":  `{targets: {a: {}}}`,
		"number alone":        `{targets: {a: {number: "1"}}}`,
		"nothing":             `{}`,
		"zone alone":          `{zone: Europe/Berlin}`,
		"number of two":       `{numbers: {"1": {flow: f, campaign: c}}}`,
		"unknown mode":        `{campaigns: {c: {mode: flow, flow: f}}}`,
		"campaign of nothing": `{campaigns: {c: {}}}`,
		"unknown operator":    `{campaigns: {c: {plan: p, overrides: [{match: caller, operator: is, value: "1", plan: p}]}}}`,
		"plan without any":    `{plans: {p: {members: []}}}`,
		"caps of nothing":     `{targets: {a: {user: a@b, caps: {}}}}`,
		"hours without week":  `{targets: {a: {user: a@b, hours: {}}}}`,
		"currency alone":      `{currency: USD}`,
		"currency in words":   `{organization: a, currency: dollars}`,
		"unknown type":        `{tags: {a: {type: text}}}`,
		"enum without values": `{tags: {a: {type: enum}}}`,
		"values of a number":  `{tags: {a: {type: number, values: [1]}}}`,
		"unknown source":      `{tags: {a: {sources: [web]}}}`,
		"unknown privacy":     `{tags: {a: {privacy: secret}}}`,
		"incoming of nothing": `{incoming: {a: {}}}`,
		"unknown use":         `{incoming: {a: {accepts: [tags]}}}`,
		"webhook to nobody":   `{webhooks: {a: {events: [call.ended]}}}`,
		"webhook of nothing":  `{webhooks: {a: {url: "https://a.example"}}}`,
		"two bodies":          `{webhooks: {a: {url: "https://a.example", events: [call.ended], json: {}, body: x}}}`,
		"unknown method":      `{webhooks: {a: {url: "https://a.example", events: [call.ended], method: PSOT}}}`,
		"revenue of nothing":  `{targets: {a: {user: a@b, revenue: {after: 1s}}}}`,
		"payout below 0":      `{campaigns: {c: {flow: f, payout: {amount: -1}}}}`,
		"conversion of none":  `{campaigns: {c: {flow: f, conversion: {}}}}`,
	} {
		if validate(schema, doc) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// The schema of a test has the keys of its struct.
func TestDocumentSchemaKnowsTests(t *testing.T) {
	text, err := nodes.DocumentSchema()
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Definitions map[string]json.RawMessage `json:"definitions"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	testFields(t, "test", whole.Definitions["test"], reflect.TypeFor[flowtest.Test]())
}

// An editor offers the types of events that there are.
func TestDocumentSchemaKnowsEvents(t *testing.T) {
	text, err := nodes.DocumentSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range flowengine.EventTypes {
		if !bytes.Contains(text, []byte(`"`+event+`"`)) {
			t.Errorf("%s is not offered", event)
		}
	}
}

// The copy that the examples name in their first line is the program's.
func TestSchemaOfTheExamples(t *testing.T) {
	const file = "../../examples/hookswitch.schema.json"
	want, err := nodes.DocumentSchema()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != string(want)+"\n" {
		t.Errorf("%s is not what hookswitch schema prints (%v); UPDATE=1 writes it", file, err)
	}
	examples, _ := filepath.Glob("../../examples/*/*.yaml")
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range between.Split(string(text), -1) { // an editor reads the line for each
			if !strings.HasPrefix(strings.TrimPrefix(doc, "\n"), "# yaml-language-server: $schema=../hookswitch.schema.json\n") {
				t.Errorf("%s, document %d does not name the schema in its first line", name, i+1)
			}
		}
	}
}
