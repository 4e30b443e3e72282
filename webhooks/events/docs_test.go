package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/events.md and docs/events")

const (
	page     = "../../docs/events.md"
	schemas  = "../../docs/events"
	begin    = "<!-- types: written by webhooks/events/docs_test.go -->"
	end      = "<!-- end of types -->"
	ownEvent = "emitted" // file of the schema of events of flows' own
)

var sampled = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// documented are the types, and that of events of flows' own, which has no name.
func documented() []Type {
	return append(Types(), Type{Doc: "what a flow tells by the node `emit`, under a name of its own", event: Custom{}})
}

// The schemas and the page of the events are those of the program.
func TestEventsAreDocumented(t *testing.T) {
	files := map[string][]byte{}
	for _, typ := range documented() {
		files[fileOf(typ)] = indented(schema(typ, false))
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := strings.Cut(string(text), begin)
	_, tail, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("%s has no place for the types", page)
	}
	want := head + begin + "\n\n" + typesPage(t) + "\n" + end + tail
	if *updateDocs {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(schemas, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is out of date: run the test with -update-docs", page)
	}
	entries, err := os.ReadDir(schemas)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if have, err := os.ReadFile(filepath.Join(schemas, e.Name())); err != nil || !bytes.Equal(have, files[e.Name()]) {
			t.Errorf("%s is out of date or of no type: run the test with -update-docs: %v", e.Name(), err)
		}
		delete(files, e.Name())
	}
	for name := range files {
		t.Errorf("there is no %s: run the test with -update-docs", name)
	}
}

func fileOf(t Type) string {
	if t.Name == "" {
		return ownEvent + ".json"
	}
	return t.Name + ".json"
}

// typesPage is what the page says of the bodies and of each type.
func typesPage(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "```json\n%s```\n\n## Data\n\n%s\n## Call\n\n%s\n", exampleOf(t, CallConnected, false), fieldsPage(reflect.TypeFor[Data]()), fieldsPage(reflect.TypeFor[Call]()))
	for _, typ := range documented() {
		name := typ.Name
		if name == "" {
			name = "lead.qualified"
			fmt.Fprintf(&b, "## Events of flows\n\n")
		} else {
			fmt.Fprintf(&b, "## %s\n\n", name)
		}
		fmt.Fprintf(&b, "%s. [Schema](events/%s)\n\n", strings.ToUpper(typ.Doc[:1])+typ.Doc[1:], fileOf(typ))
		if fields := fieldsPage(reflect.TypeOf(typ.event)); fields != "" {
			fmt.Fprintf(&b, "%s\n", fields)
		}
		fmt.Fprintf(&b, "```json\n\"event\": %s```\n\n", exampleOf(t, name, true))
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// exampleOf returns the sample of a type: all of it, or data.event.
func exampleOf(t *testing.T, name string, event bool) []byte {
	t.Helper()
	m, err := Sample("acme", name, sampled)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Data struct{ Event json.RawMessage }
	}
	if err := json.Unmarshal(m.Body, &b); err != nil {
		t.Fatal(err)
	}
	text := m.Body
	if event {
		text = b.Data.Event
	}
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.Replace(text, []byte(`"sample":true,`), nil, 1), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// fieldsPage is the table of the fields of a struct that have something said of them.
func fieldsPage(t reflect.Type) string {
	var b strings.Builder
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if doc := f.Tag.Get("doc"); doc != "" {
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, doc)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "| field | |\n|---|---|\n" + b.String()
}

// conform compiles the strict schemas, and returns what says whether a message is of its
// type's.
func conform(t testing.TB) func(m store.Message) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	compiled := map[string]*jsonschema.Schema{}
	for _, typ := range documented() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(indented(schema(typ, true))))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(fileOf(typ), doc); err != nil {
			t.Fatal(err)
		}
		if compiled[typ.Name], err = c.Compile(fileOf(typ)); err != nil {
			t.Fatal(err)
		}
	}
	return func(m store.Message) {
		t.Helper()
		s := compiled[m.Type]
		if s == nil {
			s = compiled[""]
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Body))
		if err != nil {
			t.Fatalf("%s: %v", m.Type, err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v\n%s", m.Type, err, m.Body)
		}
	}
}

// There is a sample of every type; it is of its schema, of that moment, and says that it
// is a sample. Two of two moments are two messages.
func TestSamples(t *testing.T) {
	check := conform(t)
	for _, typ := range append(Types(), Type{Name: "lead.qualified"}) {
		m, err := Sample("acme", typ.Name, sampled)
		if err != nil {
			t.Error(err)
			continue
		}
		check(m)
		again, err := Sample("acme", typ.Name, sampled.Add(time.Nanosecond))
		if err != nil || again.ID == m.ID {
			t.Errorf("%s: two samples are %s and %s, %v", typ.Name, m.ID, again.ID, err)
		}
		if m.Type != typ.Name || !m.Time.Equal(sampled) || !bytes.Contains(m.Body, []byte(`"sample":true`)) {
			t.Errorf("%s: %s at %s\n%s", typ.Name, m.Type, m.Time, m.Body)
		}
	}
}

// What nobody tells has no sample, and who has mistyped it is told so.
func TestNoSample(t *testing.T) {
	for typ, said := range map[string]string{"call.endet": `"call.ended"`, "endpoint.gone": "there is no event", "Lead qualified": "lead.qualified", "": "cannot be"} {
		if m, err := Sample("acme", typ, sampled); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: %s, %v", typ, m.Body, err)
		}
	}
}

// The schemas refuse what is not of them.
func TestSchemasRefuse(t *testing.T) {
	m, err := Sample("acme", CallConnected, sampled)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	s, err := c.Compile(filepath.Join(schemas, CallConnected+".json"))
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{
		`"type":"call.connected"`: `"type":"call.ended"`, `"version":"1"`: `"version":"2"`, `"target":"desk"}`: `"target":7}`, `"state":"open"`: `"state":"new"`, `"tags":{`: `"marks":{`,
	} {
		text := strings.Replace(string(m.Body), old, changed, 1)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil || text == string(m.Body) {
			t.Fatalf("%s is not in %s: %v", old, m.Body, err)
		}
		if err := s.Validate(value); err == nil {
			t.Errorf("%s is taken", changed)
		}
	}
}

// Every mark of a call has its type.
func TestMarksHaveTypes(t *testing.T) {
	for _, d := range call.Marks {
		if !slices.ContainsFunc(Types(), func(t Type) bool { return t.Name == fmt.Sprintf("call.mark_%ds", int(d.Seconds())) }) {
			t.Errorf("there is no type for the mark of %s", d)
		}
	}
}
