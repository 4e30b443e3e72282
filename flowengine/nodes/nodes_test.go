package nodes_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// TestEveryKind refuses a kind without schema, page or script, whose exits are not all
// reached by its script, or whose example does not run.
func TestEveryKind(t *testing.T) {
	for _, kind := range nodes.Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			schema := compileSchema(t, kind.Name)
			testFields(t, "", nodes.Schema(kind.Name), reflect.TypeOf(kind.New()).Elem())
			testScript(t, kind, schema)
			testDoc(t, kind, schema)
		})
	}
	entries, err := os.ReadDir("schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := nodes.Kinds.Find(strings.TrimSuffix(e.Name(), ".json")); !ok {
			t.Errorf("schema/%s belongs to no kind", e.Name())
		}
	}
}

func compileSchema(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(nodes.Schema(kind)))
	if err != nil {
		t.Fatalf("schema/%s.json: %v", kind, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource(kind+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(kind + ".json")
	if err != nil {
		t.Fatalf("schema/%s.json: %v", kind, err)
	}
	return s
}

// objectSchema is what the test reads of a schema.
type objectSchema struct {
	Title, Description   string
	AdditionalProperties *bool
	Required             []string
	Properties           map[string]json.RawMessage
	Items                json.RawMessage
	AnyOf                []json.RawMessage
	Type                 any
}

// testFields holds the properties of a schema and the fields of a struct equal.
func testFields(t *testing.T, at string, raw []byte, typ reflect.Type) {
	t.Helper()
	var s objectSchema
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for _, one := range s.AnyOf { // a text, or an object
		var o objectSchema
		if json.Unmarshal(one, &o); o.Type == "object" {
			testFields(t, at, one, typ)
		}
	}
	if typ.Kind() == reflect.Slice {
		testFields(t, at+"[]", s.Items, typ.Elem())
	}
	if s.Type != "object" {
		return
	}
	if s.AdditionalProperties == nil || *s.AdditionalProperties {
		t.Errorf("%s: additionalProperties is not false", at)
	}
	left := map[string]bool{}
	for name := range s.Properties {
		left[name] = true
	}
	for i := range typ.NumField() {
		tag, ok := typ.Field(i).Tag.Lookup("yaml")
		if !ok {
			continue
		}
		name, opt, _ := strings.Cut(tag, ",")
		p, ok := s.Properties[name]
		if !ok {
			t.Errorf("%s: the schema lacks %s", at, name)
			continue
		}
		delete(left, name)
		if required := slices.Contains(s.Required, name); required != (opt == "required") {
			t.Errorf("%s.%s: required is %v in the schema only", at, name, required)
		}
		var text objectSchema
		if json.Unmarshal(p, &text); text.Title == "" || text.Description == "" {
			t.Errorf("%s.%s: no title or description", at, name)
		}
		testFields(t, at+"."+name, p, typ.Field(i).Type)
	}
	for name := range left {
		t.Errorf("%s: the struct lacks %s", at, name)
	}
}

func testScript(t *testing.T, kind flowengine.Kind, schema *jsonschema.Schema) {
	file := "testdata/" + kind.Name + ".yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	testSettings(t, file, data, kind.Name, schema)
	script, err := flowtest.ParseScript(file, data, nodes.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	for _, c := range script.Tests {
		r, err := script.Play(c)
		if err != nil {
			t.Errorf("%v\n%s", err, r.Trace())
			continue
		}
		for _, e := range r.Events {
			if e.Kind == kind.Name && e.Exit != "" {
				reached[e.Step+" "+e.Exit] = true
			}
		}
	}
	f, _ := script.Snapshot.Flow("f") // the flow of each script that has every exit
	for _, id := range f.NodeIDs() {
		for exit := range f.Exits(id) {
			if f.Kind(id) == kind.Name && exit != flowengine.ErrorExit && !reached[id+" "+exit] {
				t.Errorf("%s: no call reaches exit %s of node %s", file, exit, id)
			}
		}
	}
	for _, exit := range kind.Exits {
		found := false
		for at := range reached {
			found = found || strings.HasSuffix(at, " "+exit)
		}
		if !found {
			t.Errorf("%s: no call reaches exit %s", file, exit)
		}
	}
}

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func testDoc(t *testing.T, kind flowengine.Kind, schema *jsonschema.Schema) {
	doc := nodes.Doc(kind.Name)
	found := example.FindSubmatch(doc)
	if found == nil {
		t.Fatalf("doc/%s.md has no example", kind.Name)
	}
	if !bytes.Contains(doc, []byte("**Takeover**")) || !bytes.Contains(doc, []byte("**Exits**")) {
		t.Errorf("doc/%s.md does not tell exits and takeover", kind.Name)
	}
	file := "doc/" + kind.Name + ".md"
	testSettings(t, file, found[1], kind.Name, schema)
	script, err := flowtest.ParseScript(file, found[1], nodes.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Play(flowtest.Test{Name: file, Digits: []string{"1"}})
	if err != nil {
		t.Errorf("%v\n%s", err, r.Trace())
	}
	for _, e := range r.Events {
		if e.Type == "flow.error" {
			t.Errorf("%s: %s", file, r.Trace())
		}
	}
}

// testSettings holds the settings that the loader accepts against the schema.
func testSettings(t *testing.T, file string, data []byte, kind string, schema *jsonschema.Schema) {
	t.Helper()
	n := 0
	for _, doc := range regexp.MustCompile(`(?m)^---$`).Split(string(data), -1) {
		var flow struct {
			Nodes map[string]map[string]any `yaml:"nodes"`
		}
		if err := yaml.Load([]byte(doc), &flow); err != nil {
			t.Fatal(err)
		}
		for id, node := range flow.Nodes {
			settings, ok := node[kind]
			if !ok {
				continue
			}
			n++
			raw, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: node %s: %v", file, id, err)
			}
		}
	}
	if n == 0 {
		t.Errorf("%s has no %s", file, kind)
	}
}

func load(t *testing.T, doc string) *flowengine.Snapshot {
	t.Helper()
	s, problems := flowengine.LoadFile("f.yaml", []byte(doc), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}
