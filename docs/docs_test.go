// Package docs_test holds the documents against the tree: what they name
// exists, where they point there is something, and what they show works.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

const root = ".."

// files returns the files of the tree with this extension, as paths from its top.
func files(t *testing.T, ext string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && filepath.Ext(path) == ext:
			rel, err := filepath.Rel(root, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("%d files with %s: %v", len(out), ext, err)
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// symbols are the declarations of the tree: package.Name, package.Type.Name and
// Type.Name, of fields and methods too, and the types of events and of messages.
func symbols(t *testing.T) (known map[string]bool, packages, types []string) {
	t.Helper()
	known = map[string]bool{}
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg := parsed.Name.Name
		packages = append(packages, pkg)
		member := func(typ, name string) {
			known[typ+"."+name], known[pkg+"."+typ+"."+name] = true, true
		}
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					known[pkg+"."+d.Name.Name] = true
				} else {
					member(typeName(d.Recv.List[0].Type), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						for _, n := range s.Names {
							known[pkg+"."+n.Name] = true
						}
					case *ast.TypeSpec:
						known[pkg+"."+s.Name.Name] = true
						types = append(types, s.Name.Name)
						for _, f := range fieldsOf(s.Type) {
							for _, n := range f.Names {
								member(s.Name.Name, n.Name)
							}
						}
					}
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`Type += "([a-z._]+)"`).FindAllStringSubmatch(read(t, "call/event.go"), -1) {
		known[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`= "([a-z]+\.[a-z_]+)"`).FindAllStringSubmatch(read(t, "webhooks/events/types.go"), -1) {
		known[m[1]] = true
	}
	return known, packages, types
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func fieldsOf(e ast.Expr) []*ast.Field {
	switch e := e.(type) {
	case *ast.StructType:
		return e.Fields.List
	case *ast.InterfaceType:
		return e.Methods.List
	}
	return nil
}

var (
	fence      = regexp.MustCompile("(?s)```.*?```")
	code       = regexp.MustCompile("`([^`\n]+)`")
	pathSyntax = regexp.MustCompile(`^[A-Za-z0-9_.*-]+(/[A-Za-z0-9_.*-]+)*/?$`)
	nameSyntax = regexp.MustCompile(`^([A-Za-z0-9]+)(\.[A-Za-z0-9_]+){1,2}$`)
	testSyntax = regexp.MustCompile(`^(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*$`)
)

// What stands in backticks and looks like a path, a symbol or a test is one.
func TestWhatDocumentsNameExists(t *testing.T) {
	known, packages, types := symbols(t)
	var tests strings.Builder
	for _, file := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			tests.WriteString(read(t, file))
		}
	}
	for _, page := range files(t, ".md") {
		seen := 0
		for _, m := range code.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			name := m[1]
			first, _, _ := strings.Cut(name, "/")
			ext := filepath.Ext(name)
			switch {
			case slices.Contains([]string{"bin", "data"}, first): // is built; is made where a server runs
			case pathSyntax.MatchString(name) && strings.Contains(name, "/") && exists(first),
				pathSyntax.MatchString(name) && (ext == ".go" || ext == ".md"):
				if !exists(name) && !exists(filepath.Join(filepath.Dir(page), name)) {
					t.Errorf("%s: there is no file %s", page, name)
				}
			case nameSyntax.MatchString(name):
				owner, _, _ := strings.Cut(name, ".")
				if owner == "tags" || slices.Contains([]string{"docs/flows.md", "docs/configuration.md", "docs/events.md"}, page) && name == strings.ToLower(name) {
					continue // a variable of expressions, a type of messages, or a table
				}
				if (slices.Contains(packages, owner) || slices.Contains(types, owner)) && !known[name] {
					t.Errorf("%s: there is no %s", page, name)
				}
			case testSyntax.MatchString(name):
				if !strings.Contains(tests.String(), "func "+name+"(") {
					t.Errorf("%s: there is no test %s", page, name)
				}
			default:
				continue
			}
			seen++
		}
		if page == "docs/architecture.md" && seen < 40 {
			t.Errorf("%s names only %d things: does this test still find them?", page, seen)
		}
	}
}

// exists says whether there is such a file or folder; * stands for some of a name.
func exists(path string) bool {
	found, err := filepath.Glob(filepath.Join(root, path))
	return err == nil && len(found) > 0
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// Links that stay in the tree lead somewhere, to the heading too.
func TestLinksResolve(t *testing.T) {
	for _, page := range files(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s: %s has no heading %s", page, to, anchor)
			}
		}
	}
}

// anchors returns what the headings of a page are called in links.
func anchors(page string) []string {
	var out []string
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		out = append(out, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return out
}

// The flow of the README has fifteen lines, loads, and a call through it is
// connected.
func TestReadmeFlow(t *testing.T) {
	found := regexp.MustCompile("(?s)```yaml\n(numbers:.*?)```").FindStringSubmatch(read(t, "README.md"))
	if found == nil {
		t.Fatal("the README has no flow")
	}
	if n := strings.Count(found[1], "\n"); n != 15 {
		t.Errorf("the flow has %d lines", n)
	}
	s, problems := flowengine.LoadFile("README.md", []byte(found[1]), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	clock := new(flowtest.Clock)
	p := flowtest.NewPhone(flowtest.Scenario{
		Call:    call.Call{Number: "+15550100", Caller: call.Caller{Number: "+15550111"}},
		Press:   []string{"1"},
		Callees: map[string]flowtest.Callee{"alice": {Cause: call.UserBusy}, "bob": {After: time.Second, Talks: time.Minute}},
	}, clock)
	r := flowtest.Run(flowtest.NewEngine(s, clock, 1), p)
	if got, want := fmt.Sprint(r.Path()), "[welcome 1 people completed bye]"; got != want {
		t.Errorf("the call went %s, not %s\n%s", got, want, r.Trace())
	}
}
