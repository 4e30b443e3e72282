package confdir_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
)

// files makes files of path, text, path, text …
func files(list ...string) store.Files {
	f := store.Files{}
	for i := 0; i < len(list); i += 2 {
		f[list[i]] = []byte(list[i+1])
	}
	return f
}

func wantFiles(t *testing.T, got, want store.Files) {
	t.Helper()
	if !maps.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestFolderIsReadAsItWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	want := files("a.yaml", "# a\r\nflow: a", "acme/b.yml", "\ufeffflow: b\n", "a.test.yaml", "tests: {}\n", "x.schema.json", "{}")
	if err := confdir.Write(dir, want, false); err != nil {
		t.Fatal(err)
	}
	if err := confdir.Write(dir, files("README.md", "no", ".git", "no", "acme/.b.yaml.swp", "no", "x.json", "no"), true); err != nil {
		t.Fatal(err)
	}
	got, leftOut, err := confdir.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, got, want)
	if slices.Sort(leftOut); !slices.Equal(leftOut, []string{".git", "README.md", "acme/.b.yaml.swp", "x.json"}) {
		t.Errorf("left out %v", leftOut)
	}
}

func TestWhatIsThereIsNotWrittenOver(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := confdir.Write(dir, files("a.yaml", "theirs"), false); err == nil {
		t.Error("written")
	}
	if text, err := os.ReadFile(mine); err != nil || string(text) != "mine" {
		t.Errorf("%q %v", text, err)
	}
	if err := confdir.Write(dir, files("a.yaml", "theirs"), true); err != nil {
		t.Error(err)
	}
	// A link that stands in the folder does not lead out of it.
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := confdir.Write(dir, files("link/a.yaml", "theirs"), true); err == nil {
		t.Error("written through a link")
	}
}

func TestFolderIsCutIntoOrganizations(t *testing.T) {
	for name, c := range map[string]struct {
		files   store.Files
		want    []confdir.Organization
		leftOut []string
	}{
		"none is named": {files("a.yaml", "flow: a", "b/c.yaml", "flow: c"),
			[]confdir.Organization{{Name: "default", Files: files("a.yaml", "flow: a", "b/c.yaml", "flow: c")}}, nil},
		"one at the top": {files("a.yaml", "organization: acme\n---\nflow: a", "b/c.yaml", "flow: c"),
			[]confdir.Organization{{Name: "acme", Files: files("a.yaml", "organization: acme\n---\nflow: a", "b/c.yaml", "flow: c")}}, nil},
		"two beside each other": {files("z/o.yaml", "organization: acme", "z/a/b.yaml", "flow: b", "beta/o.yaml", "{organization: beta}", "zz.test.yaml", "organization: no"),
			[]confdir.Organization{{Name: "acme", Folder: "z", Files: files("o.yaml", "organization: acme", "a/b.yaml", "flow: b")},
				{Name: "beta", Folder: "beta", Files: files("o.yaml", "{organization: beta}")}}, []string{"zz.test.yaml"}},
		"only in a text": {files("a.yaml", "flow: a\ntext: |\n  organization: acme\n"),
			[]confdir.Organization{{Name: "default", Files: files("a.yaml", "flow: a\ntext: |\n  organization: acme\n")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, leftOut, err := confdir.Split(c.files)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, c.want, func(a, b confdir.Organization) bool {
				return a.Name == b.Name && a.Folder == b.Folder && maps.EqualFunc(a.Files, b.Files, bytes.Equal)
			}) || !slices.Equal(leftOut, c.leftOut) {
				t.Errorf("got %q without %v", got, leftOut)
			}
			whole := maps.Clone(c.files)
			for _, name := range leftOut {
				delete(whole, name)
			}
			wantFiles(t, confdir.Join(got), whole)
		})
	}
}

// Organizations that were applied from folders of their own do not get in each other's way.
func TestOrganizationsAreJoinedSideBySide(t *testing.T) {
	acme := confdir.Organization{Name: "acme", Files: files("o.yaml", "organization: acme")}
	beta := confdir.Organization{Name: "beta", Folder: "acme/beta", Files: files("o.yaml", "organization: beta")}
	none := confdir.Organization{Name: "default", Files: files("organization.yaml", "# mine\n")}
	wantFiles(t, confdir.Join([]confdir.Organization{acme}), files("o.yaml", "organization: acme"))
	wantFiles(t, confdir.Join([]confdir.Organization{acme, beta, none}), files("acme/o.yaml", "organization: acme", "beta/o.yaml", "organization: beta",
		"default/organization.yaml", "# mine\n", "default/organization-2.yaml", "organization: default\n"))
	joined := confdir.Join([]confdir.Organization{acme, none})
	again, _, err := confdir.Split(joined)
	if err != nil || len(again) != 2 || again[1].Name != "default" {
		t.Errorf("%q %v", again, err)
	}
}

func TestDifferencesAreToldBySetting(t *testing.T) {
	before := files("a.yaml", `numbers:
  "+15550100": {flow: main}
  15550101: {flow: main}
targets:
  alice: {user: a@b, ring: 20s}
  bob: {user: b@b}
---
flow: main
start: hello
nodes:
  hello: {say: {text: "Hello."}, next: ask}
  ask: {menu: {prompt: "say:Press.", tries: 2}, exits: {"1": bye, else: bye}}
  bye: {hangup: {}}
---
plans:
  p: {members: [{target: alice, weight: 1}, {target: bob}]}
  q: {members: [{target: alice}]}
---
tags: {state: {type: enum, values: [TX]}, zip: {}}
incoming: {leads: {accepts: [call-data]}}
webhooks: {crm: {url: "https://crm.example", events: [call.ended]}}
`, "same.yaml", "flow: same\nnodes: {a: [1, 2]}")
	after := files("a.yaml", `numbers:
  "15550100": {flow: main}   # written without its plus
  "+15550102": {flow: main}
targets:
  alice: {ring: 25s, user: "a@b", hours: {zone: UTC}}
  carol: {user: c@b}
---
plans:
  p: {members: [{target: alice, weight: 3}, {target: bob}]}
  q: {members: [{target: alice}, {target: carol}]}
---
tags: {state: {type: enum, values: [TX, FL]}}
incoming: {leads: {accepts: [call-data], life: 2h}}
webhooks: {crm: {url: "https://crm.example", events: [call.ended], filter: 'tags.state == "TX"'}, chat: {url: "https://a.example", events: ["*"]}}
`, "main.yaml", `flow: main
start: ask
nodes:
  ask:
    menu: {tries: 3, prompt: 'say:Press.'}
    exits: {"1": end.1, else: bye}
  "end.1": {hangup: {}}
  bye: {hangup: {}}
`, "same.yaml", "# a comment\nflow: 'same'\nnodes: {a: [1, 2]}")
	parse := func(f store.Files) *confdir.Contents {
		c, err := confdir.Parse(f)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	got := confdir.Compare(parse(before), parse(after))
	var b strings.Builder
	for _, d := range got {
		b.WriteString(d.Change + " " + d.Kind + " " + d.Name + "\n")
		for _, s := range d.Settings {
			b.WriteString("  " + s.Path + ": " + s.Old + " → " + s.New + "\n")
		}
	}
	const want = `changed flow main
  start: hello → ask
  nodes.hello: {say: {text: "Hello."}, next: ask} → 
  nodes.ask.menu.tries: 2 → 3
  nodes.ask.exits.1: bye → end.1
  nodes."end.1":  → {hangup: {}}
changed incoming leads
  life:  → 2h
added number +15550102
removed number 15550101
changed plan p
  members[0].weight: 1 → 3
changed plan q
  members: [{target: alice}] → [{target: alice}, {target: carol}]
changed tag state
  values: [TX] → [TX, FL]
removed tag zip
changed target alice
  ring: 20s → 25s
  hours:  → {zone: UTC}
removed target bob
added target carol
added webhook chat
changed webhook crm
  filter:  → "tags.state == \"TX\""
changed file a.yaml
added file main.yaml
changed file same.yaml
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
	if again := confdir.Compare(parse(after), parse(after)); len(again) > 0 {
		t.Errorf("%v", again)
	}
}

func TestOneFlowIsReplaced(t *testing.T) {
	const source = "flow: b # older\nstart: x\n"
	for name, c := range map[string]struct{ file, source, want string }{
		"in the middle":     {"# head\nflow: a\n---\nflow: b\n# of b\n--- # c\nflow: c # stays\n", source, "# head\nflow: a\n---\n" + source + "--- # c\nflow: c # stays\n"},
		"at the beginning":  {"flow: b\n---\nflow: c\n", "---\n" + source, source + "---\nflow: c\n"},
		"alone":             {"flow: b", source, source},
		"at the end":        {"flow: a\n---\nflow: b", source, "flow: a\n---\n" + source},
		"with its own mark": {"flow: a\n---\nflow: b\n", "--- # old\n" + source, "flow: a\n--- # old\n" + source},
		"under Windows":     {"flow: a\r\n---\r\nflow: b\r\n---\r\nflow: c\r\n", source, "flow: a\r\n---\r\n" + strings.ReplaceAll(source, "\n", "\r\n") + "---\r\nflow: c\r\n"},
		"behind a BOM":      {"\ufeffflow: b\n", source, "\ufeff" + source},
		"no line break":     {"flow: b\n---\nflow: c", "flow: b # older", "flow: b # older\n---\nflow: c"},
	} {
		t.Run(name, func(t *testing.T) {
			before := files("f.yaml", c.file, "other.yaml", "flow: other # b\n", "f.test.yaml", "tests: [{flow: b}]")
			got, err := confdir.ReplaceFlow(before, "b", c.source)
			if err != nil {
				t.Fatal(err)
			}
			want := maps.Clone(before)
			want["f.yaml"] = []byte(c.want)
			wantFiles(t, got, want)
			wantFiles(t, before, files("f.yaml", c.file, "other.yaml", "flow: other # b\n", "f.test.yaml", "tests: [{flow: b}]"))
		})
	}
	if _, err := confdir.ReplaceFlow(files("f.yaml", "flow: a\n"), "b", source); err == nil {
		t.Error("a flow that is nowhere was replaced")
	}
}
