package flowengine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// Each file of testdata/problems is a folder: documents, then a document
// "problems:" as comments. The problems, or the warnings of a folder without any, are
// compared line by line.
func TestProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/problems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, l := range strings.Split(string(data), "\n") {
				if l, ok := strings.CutPrefix(l, "#! "); ok {
					want = append(want, l)
				}
			}
			s, problems := flowengine.LoadFile("f.yaml", data, proofKinds)
			var got []string
			for _, p := range problems {
				got = append(got, strings.TrimPrefix(p.String(), "f.yaml:"))
			}
			if s != nil {
				for _, p := range s.Warnings() {
					got = append(got, "warning: "+strings.TrimPrefix(p.String(), "f.yaml:"))
				}
			}
			if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
				if os.Getenv("UPDATE") != "" {
					text := strings.TrimRight(string(data[:strings.Index(string(data)+"#! ", "#! ")]), "\n")
					if err := os.WriteFile(file, []byte(text+"\n#! "+strings.Join(got, "\n#! ")+"\n"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func load(t testing.TB, docs ...string) *flowengine.Snapshot {
	t.Helper()
	s, problems := flowengine.LoadFile("f.yaml", []byte(strings.Join(docs, "\n---\n")), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

const hello = `
flow: hello
start: bye
nodes:
  bye: {hangup: {}}
`

func TestNumbersStayAsWritten(t *testing.T) {
	s := load(t, hello, `
numbers:
  +15551234567: {flow: hello}
  0123: {flow: hello}
  123456789012345: {flow: hello}
targets:
  a: {number: +441234567890, gateway: g}
  b: {number: 0123, gateway: g}
`)
	for _, number := range []string{"+15551234567", "15551234567", "0123", "+0123", "123456789012345"} {
		if _, ok := s.Lookup(number); !ok {
			t.Errorf("%s is not found", number)
		}
	}
	if _, ok := s.Lookup("123"); ok {
		t.Error("123 is found")
	}
	for name, want := range map[string]string{"a": "+441234567890 via g", "b": "0123 via g"} {
		if target, _ := s.Target(name); target.Address.String() != want {
			t.Errorf("target %s is %s, want %s", name, target.Address, want)
		}
	}
}

func TestFolder(t *testing.T) {
	fsys := fstest.MapFS{
		"numbers.yaml":        {Data: []byte("numbers: {\"1000\": {flow: hello}}\n")},
		"deep/er/flow.yml":    {Data: []byte(hello)},
		"deep/.hidden.yaml":   {Data: []byte("nonsense")},
		".git/x.yaml":         {Data: []byte("nonsense")},
		"deep/hello.test.yml": {Data: []byte("nonsense")},
		"README.md":           {Data: []byte("nonsense")},
		"empty.yaml":          {Data: []byte("# nothing\n---\n")},
	}
	s, problems := flowengine.Load(fsys, nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if r, ok := s.Lookup("+1000"); !ok || r.Flow.Name != "hello" || r.Flow.File != "deep/er/flow.yml" {
		t.Errorf("got %+v", r)
	}
	fsys["more.yaml"] = &fstest.MapFile{Data: []byte("\nnumbers: {+1000: {flow: hello}}\n")}
	_, problems = flowengine.Load(fsys, nodes.Kinds)
	if got := fmt.Sprint(problems); got != `[numbers.yaml:1:11: number "1000" is defined already, at more.yaml:2:11]` {
		t.Errorf("got %s", got)
	}
	if _, problems := flowengine.LoadDir(filepath.Join(t.TempDir(), "none"), nodes.Kinds); len(problems) != 1 {
		t.Errorf("a missing folder: %v", problems)
	}
	if _, problems := flowengine.LoadDir(t.TempDir(), nodes.Kinds); len(problems) != 1 || problems[0].Message != "the folder holds no YAML" {
		t.Errorf("an empty folder: %v", problems)
	}
}

func TestVersionIsOfTheContent(t *testing.T) {
	version := func(doc string) string {
		f, problems := flowengine.LoadFlow("f.yaml", []byte(doc), nodes.Kinds)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return f.Version
	}
	first := version(hello)
	if len(first) != 16 {
		t.Errorf("version %q", first)
	}
	if same := version("# comment\nnodes: {\"bye\": {hangup: {}}}\nstart: bye\nflow: 'hello'\n"); same != first {
		t.Error("comments, order and quotes make another version")
	}
	if other := version(strings.Replace(hello, "{}", "{sip: 486}", 1)); other == first {
		t.Error("other content has the same version")
	}
}

func TestHostileDocuments(t *testing.T) {
	bomb := "a: &a [x]\n"
	for i := range 30 {
		bomb += fmt.Sprintf("b%d: &b%d [*a, *a]\n", i, i)
	}
	for name, c := range map[string]struct{ doc, want string }{
		"size":    {strings.Repeat("#", 1<<20+1), "at most 1048576"},
		"depth":   {strings.Repeat("[", 1<<19), "nested deeper"},
		"depth65": {strings.Repeat("[", 65) + strings.Repeat("]", 65), "nested deeper than 64"},
		"nodes":   {"[" + strings.Repeat("a,", 100_001) + "]", "more than 100000 values"},
		"lines":   {strings.Repeat("- a\n", 100_001), "more than 100000 values"},
		"aliases": {bomb, "anchors (&a) are not read"},
		"loop":    {"a: &a [*a]", "anchors (&a) are not read"},
		"tag":     {"flow: !!binary aGVsbG8=", "tags (!!binary) are not read"},
		"latin1":  {"flow: \xe9", "not UTF-8"},
		"control": {"flow: \x00", "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := flowengine.LoadFile("f.yaml", []byte(c.doc), nodes.Kinds)
			if len(problems) == 0 || !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("got %v, want %s", problems, c.want)
			}
		})
	}
}

// A document full of mistakes is answered, not worked at for minutes.
func TestManyMistakes(t *testing.T) {
	var numbers, flows, exits strings.Builder
	numbers.WriteString("numbers:\n")
	for i := range 5_000 {
		fmt.Fprintf(&numbers, "  %d: {flow: some-other-flow-with-a-name-%d}\n", 100000+i, i)
	}
	for i := range 300 {
		fmt.Fprintf(&flows, "---\nflow: one-of-the-flows-with-a-name-%d\nstart: a\nnodes: {a: {hangup: {}}}\n", i)
	}
	exits.WriteString("flow: f\nstart: a\nnodes:\n  a:\n    hangup: {}\n    exits:\n")
	for i := range 20_000 {
		fmt.Fprintf(&exits, "      e%d: some-node-%d\n", i, i)
	}
	for _, doc := range []string{numbers.String() + flows.String(), exits.String()} {
		if _, problems := flowengine.LoadFile("f.yaml", []byte(doc), nodes.Kinds); len(problems) == 0 || len(problems) > 200 {
			t.Errorf("%d problems", len(problems))
		}
	}
}

func TestVersions(t *testing.T) {
	v := &flowengine.Versions{Dir: filepath.Join(t.TempDir(), "versions"), Kinds: nodes.Kinds}
	// The second document of a file, with targets that are not kept.
	s := load(t, "targets: {a: {user: a@b}}", strings.Replace(hello, "hangup: {}", "dial: {targets: [a]}, exits: {else: end}}\n  end: {hangup: {}", 1))
	for range 2 {
		if err := v.Keep(s); err != nil {
			t.Fatal(err)
		}
	}
	want := s.Flows()[0]
	fresh := &flowengine.Versions{Dir: v.Dir, Kinds: nodes.Kinds}
	f, err := fresh.Flow("hello", want.Version)
	if err != nil || f.Version != want.Version || strings.Join(f.NodeIDs(), " ") != "bye end" {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := fresh.Flow("hello", "0123456789abcdef"); err == nil {
		t.Error("a version that was never kept is found")
	}
	for _, name := range []string{"../hello", "", "a/b"} {
		if _, err := fresh.Flow(name, want.Version); err == nil {
			t.Errorf("%q is found", name)
		}
	}
	// A file that is not what its name says.
	other := filepath.Join(v.Dir, "hello@0123456789abcdef.yaml")
	if err := os.WriteFile(other, []byte(hello), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Flow("hello", "0123456789abcdef"); err == nil {
		t.Error("a wrong version is taken")
	}
	if names, err := fresh.Names(); err != nil || len(names) != 2 {
		t.Errorf("names: %v, %v", names, err)
	}
}

// A version that is not in the folder is asked for elsewhere, by many calls at once but one
// time, and is in the folder from then on.
func TestVersionsAreFetched(t *testing.T) {
	want := load(t, hello).Flows()[0]
	asked := 0
	release := make(chan struct{})
	v := &flowengine.Versions{Dir: filepath.Join(t.TempDir(), "versions"), Kinds: nodes.Kinds}
	v.Fetch = func(ctx context.Context, name, version string) (string, error) {
		asked++
		<-release
		if _, bounded := ctx.Deadline(); !bounded || name != "hello" || version != want.Version {
			return "", fmt.Errorf("asked for %s in version %s, bounded %v", name, version, bounded)
		}
		return want.Bundle(), nil
	}
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if f, err := v.Flow("hello", want.Version); err != nil || f.Version != want.Version {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
	close(release)
	calls.Wait()
	if _, err := v.Flow("hello", want.Version); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	later := &flowengine.Versions{Dir: v.Dir, Kinds: nodes.Kinds}
	if _, err := later.Flow("hello", want.Version); err != nil {
		t.Errorf("after a restart, with nobody to ask: %v", err)
	}
}

func TestWhatIsFetchedMustBeTheVersion(t *testing.T) {
	want := load(t, hello).Flows()[0]
	for _, c := range []struct {
		bundle string
		err    error
	}{{"flow: hello\n", nil}, {strings.Replace(hello, "bye", "end", -1), nil}, {"", errors.New("no answer")}} {
		v := &flowengine.Versions{Dir: t.TempDir(), Kinds: nodes.Kinds, Fetch: func(context.Context, string, string) (string, error) { return c.bundle, c.err }}
		if f, err := v.Flow("hello", want.Version); err == nil || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%q: %+v, %v", c.bundle, f, err)
		}
		if names, err := v.Names(); err != nil || len(names) > 0 {
			t.Errorf("kept: %v, %v", names, err)
		}
	}
}

// A version is kept with the flows that it runs, and to the letter: a block of text may
// stand at the end of a document or of a file, with line breaks behind it or without.
func TestVersionsAreKeptToTheLetter(t *testing.T) {
	const flow = "flow: NAME\nstart: a\nnodes:\n  a: {KIND}\n  b: {hangup: {}}\ndescription: BLOCK"
	for _, block := range []string{"|\n  text", "|\n  text\n", "|+\n  text", "|+\n  text\n\n\n", "|-\n  text\n\n", "text", "text # note\n...\n"} {
		doc := func(name, kind string) string {
			return strings.NewReplacer("NAME", name, "KIND", kind, "BLOCK", block).Replace(flow)
		}
		outer, inner := doc("outer", "flow: {run: inner}, exits: {error: b}"), doc("inner", "say: Hello, next: b")
		s := load(t, inner, outer)
		v := flowengine.Versions{Dir: t.TempDir(), Kinds: nodes.Kinds}
		if err := v.Keep(s); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Flows() {
			if _, err := v.Flow(f.Name, f.Version); err != nil {
				t.Errorf("%q: flow %s: %v", block, f.Name, err)
			}
		}
	}
}

// A flow is kept in one file with the flows that it runs, so they must fit into one.
func TestFlowsThatCannotBeKept(t *testing.T) {
	const flow = "flow: NAME\nstart: a\nnodes:\n  a: {KIND}\n  b: {hangup: {}}\ndescription: TEXT\n"
	doc := func(name, kind string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(strings.NewReplacer("NAME", name, "KIND", kind, "TEXT", strings.Repeat("x", 600<<10)).Replace(flow))}
	}
	_, problems := flowengine.Load(fstest.MapFS{"outer.yaml": doc("outer", "flow: {run: inner}, exits: {error: b}"), "inner.yaml": doc("inner", "say: Hello, next: b")}, nodes.Kinds)
	if len(problems) != 1 || problems[0].File != "outer.yaml" || !strings.Contains(problems[0].Message, "together with the flows that it runs") {
		t.Errorf("problems %v", problems)
	}
}

func TestWithKeepsOlderVersions(t *testing.T) {
	old := load(t, hello)
	now := load(t, strings.Replace(hello, "{}", "{sip: 486}", 1)).With(old)
	version := old.Flows()[0].Version
	if f, ok := now.Version("hello", version); !ok || f.Version != version {
		t.Error("the old version is gone")
	}
	if f, _ := now.Flow("hello"); f.Version == version {
		t.Error("the old version is current")
	}
	again := load(t, hello).With(now)
	if len(again.Flows()) != 1 {
		t.Error("a version came back as a flow")
	}
}

// TestLookupKeys: numbers of every length and form are found, and nothing that
// only looks like them.
// A flow is asked for its exits by many goroutines at once.
func TestExitsAtOnce(t *testing.T) {
	var cases []string
	for i := range 16 {
		cases = append(cases, fmt.Sprintf("{name: c%d, if: 'number == \"%d\"'}", i, i))
	}
	s := load(t, "flow: f\nstart: a\nnodes:\n  a: {branch: {cases: ["+strings.Join(cases, ", ")+"]}, exits: {else: bye}}\n  bye: {hangup: {}}\n")
	f, _ := s.Flow("f")
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if n := len(f.Exits("a")); n != 17 {
				t.Errorf("%d exits: want 16 cases and else", n)
			}
		})
	}
	asking.Wait()
}

func TestLookupKeys(t *testing.T) {
	listed := []string{"0", "00", "*", "#", "*98", "#31#", "911", "15551234567", "123456789012345", "1234567890123456", "12345678901234567890123456789012"}
	doc := "numbers:\n"
	for _, n := range listed {
		doc += "  \"" + n + "\": {flow: f}\n"
	}
	s, problems := flowengine.LoadFile("f.yaml", []byte(doc+"---\nflow: f\nstart: a\nnodes: {a: {hangup: {}}}\n"), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	for _, n := range listed {
		for _, spelt := range []string{n, "+" + n} {
			if r, ok := s.Lookup(spelt); !ok || r.Flow.Name != "f" {
				t.Errorf("%s is not found", spelt)
			}
		}
	}
	for _, n := range []string{"", "+", "++911", "000", ":", "91", "9110", "0911", "9a1", "91 1", "1555123456", "15551234567 ", "98", "1234567890123457"} {
		if r, ok := s.Lookup(n); ok {
			t.Errorf("%q leads to %s", n, r.Flow.Name)
		}
	}
}
