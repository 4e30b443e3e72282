package nodes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// TestEveryKind refuses a kind without schema, page or script, whose exits are not all
// reached by its script, in which no call of the script is taken over, whose page does not
// tell its settings, or whose example does not run.
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
	AdditionalProperties json.RawMessage
	Required             []string
	Properties           map[string]json.RawMessage
	PropertyNames        json.RawMessage
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
	if typ.Kind() == reflect.Map { // by names that the flow chooses
		if s.PropertyNames == nil || !strings.HasPrefix(string(s.AdditionalProperties), "{") {
			t.Errorf("%s: the schema does not say what the names and the values are", at)
		}
		testFields(t, at+".*", s.AdditionalProperties, typ.Elem())
		return
	}
	if string(s.AdditionalProperties) != "false" {
		t.Errorf("%s: additionalProperties is not false", at)
	}
	left := map[string]bool{}
	for name := range s.Properties {
		left[name] = true
	}
	for _, field := range reflect.VisibleFields(typ) {
		tag, ok := field.Tag.Lookup("yaml")
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
		testFields(t, at+"."+name, p, field.Type)
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
	taken := false
	var undisturbed []*flowtest.Result
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
			taken = taken || e.Kind == kind.Name && e.Type == call.Resumed
		}
		if len(c.Lose) == 0 {
			undisturbed = append(undisturbed, r)
			testTakeovers(t, script, c, r)
		}
	}
	if !taken {
		t.Errorf("%s: no call is taken over in a node of kind %s; write one with lose:", file, kind.Name)
	}
	testFlags(t, kind, undisturbed)
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

// testTakeovers takes the control away at every point of a call. It goes on without a
// fault, if there was none before, and nobody is dialled twice for one attempt.
func testTakeovers(t *testing.T, script *flowtest.Script, c flowtest.Test, plain *flowtest.Result) {
	c.Expect = flowtest.Expect{}
	for point := 1; point <= plain.Points; point++ {
		c.Lose = []int{point}
		r, err := script.Play(c)
		if err != nil {
			t.Errorf("lost at %d: %v\n%s", point, err, r.Trace())
		}
		for _, e := range r.Events {
			if e.Type == call.Refused || e.Type == call.FlowError && !slices.ContainsFunc(plain.Events, func(e call.Event) bool { return e.Type == call.FlowError }) {
				t.Errorf("call %q, lost at %d: %s\n%s", c.Name, point, e.Why, r.Trace())
			}
		}
		if rang := slices.Sorted(slices.Values(r.Dialled)); len(slices.Compact(rang)) != len(r.Dialled) {
			t.Errorf("call %q, lost at %d: a leg was dialled twice\n%s", c.Name, point, r.Trace())
		}
	}
}

// testFlags holds what the table says of a kind against what its nodes did.
func testFlags(t *testing.T, kind flowengine.Kind, calls []*flowtest.Result) {
	answers, takes := false, false
	for _, r := range calls {
		verbs, millis := r.Did(kind.Name)
		for i := range verbs {
			answers = answers || slices.Contains(verbs[i], "answer")
			meanwhile := slices.ContainsFunc(verbs[i], func(v string) bool { return strings.HasPrefix(v, "while") })
			takes = takes || millis[i] > 0 && !meanwhile // others take that time
			if kind.Sounds && millis[i] > 0 && !slices.ContainsFunc(verbs[i], audible) {
				t.Errorf("Sounds, but the caller hears nothing in %q", verbs[i])
			}
		}
	}
	if kind.Name != "answer" && kind.Answers != answers { // which is there for that
		t.Errorf("Answers is %v, but a node of the script that answers: %v", kind.Answers, answers)
	}
	if _, runs := kind.New().(flowengine.Runner); !runs && kind.Takes != takes {
		t.Errorf("Takes is %v, but a node of the script that takes time: %v", kind.Takes, takes)
	}
	if _, quiet := kind.New().(flowengine.Quiet); quiet && kind.Sounds {
		t.Error("Sounds, and yet Quiet")
	}
}

var audibleVerb = regexp.MustCompile(`^(play|gather|bridge|ring)\b|^(wait \S+|while) `)

func audible(verb string) bool { return audibleVerb.MatchString(verb) }

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
	testTable(t, kind.Name)
	file := "doc/" + kind.Name + ".md"
	testSettings(t, file, found[1], kind.Name, schema)
	script, err := flowtest.ParseScript(file, found[1], nodes.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	test := flowtest.Test{Name: file, Digits: []string{"1"}, Requests: map[string]flowtest.Answer{}}
	for _, f := range script.Snapshot.Flows() {
		for _, id := range f.NodeIDs() {
			if f.Kind(id) == "request" {
				test.Requests[id] = flowtest.Answer{Status: 200, Body: "{}"}
			}
		}
	}
	r, err := script.Play(test)
	if err != nil {
		t.Errorf("%v\n%s", err, r.Trace())
	}
	for _, e := range r.Events {
		if e.Type == call.FlowError {
			t.Errorf("%s: %s", file, r.Trace())
		}
	}
}

// testTable wants a line for each setting in the table of the page, and in it whether it
// is required, or its default.
func testTable(t *testing.T, kind string) {
	type property struct{ Default any }
	type object struct {
		Required   []string
		Properties map[string]property
	}
	var s struct {
		object
		AnyOf []object
	}
	if err := json.Unmarshal(nodes.Schema(kind), &s); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*?) *\\|").FindAllStringSubmatch(string(nodes.Doc(kind)), -1) {
		rows[row[1]] = row[2]
	}
	for _, o := range append(s.AnyOf, s.object) {
		for name, p := range o.Properties {
			cell, ok := rows[name]
			switch {
			case !ok:
				t.Errorf("doc/%s.md: the table lacks %s", kind, name)
			case slices.Contains(o.Required, name) && cell != "required":
				t.Errorf("doc/%s.md: the table does not say that %s is required", kind, name)
			case p.Default != nil && cell != fmt.Sprint(p.Default):
				t.Errorf("doc/%s.md: the default of %s is %v, not %s", kind, name, p.Default, cell)
			}
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
