package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hookswitch/hookswitch/"

// mayImport says of every package which others of the project it may depend
// on, through others too. Whoever adds a package adds its line; docs/architecture.md
// has the same table for people.
var mayImport = map[string][]string{
	"call":                 {},
	"availability":         {"call"},
	"capacity":             {"call", "store"},
	"crash":                {},
	"eslctl":               {"call", "crash"},
	"eslctl/esltest":       {"call", "crash", "eslctl"},
	"eslctl/doctor":        {"call", "crash", "eslctl"},
	"tags":                 {},
	"flowengine":           {"call", "availability", "flowengine/hours", "tags"},
	"flowengine/geo":       {},
	"flowengine/hours":     {},
	"flowengine/routing":   {"call"},
	"flowengine/nodes":     {"call", "availability", "flowengine", "flowengine/geo", "flowengine/hours", "flowengine/routing", "tags"},
	"flowengine/flowtest":  {"call", "availability", "flowengine", "flowengine/geo", "flowengine/hours", "flowengine/nodes", "flowengine/routing", "tags"},
	"keys":                 {},
	"ratelimit":            {},
	"seal":                 {},
	"confdir":              {"call", "availability", "flowengine", "flowengine/hours", "store", "tags"},
	"store":                {"call"},
	"store/journal":        {"call", "store"},
	"store/drain":          {"call", "store", "store/journal"},
	"store/calllog":        {"call", "store", "store/journal"},
	"store/outbox":         {"call", "store", "store/calllog", "store/journal"},
	"store/postgres":       {"call", "store", "store/calllog", "store/journal", "store/outbox"},
	"store/sqlite":         {"call", "store", "store/calllog", "store/journal", "store/outbox"},
	"store/storetest":      {"call", "store"},
	"webhooks":             {"call"},
	"portal":               {"call", "availability", "confdir", "flowengine", "flowengine/nodes", "flowengine/routing", "flowengine/hours", "flowengine/geo", "keys", "ratelimit", "seal", "store", "tags", "webhooks/credentials", "webhooks/events", "webhooks/standard"},
	"webhooks/incoming":    {"call", "availability", "flowengine", "flowengine/geo", "flowengine/hours", "keys", "ratelimit", "store", "tags"},
	"webhooks/standard":    {},
	"webhooks/delivery":    {"call", "crash", "store", "webhooks", "webhooks/standard"},
	"examples":             {},
	"docs":                 {},
	"cmd/hookswitch":       {everything},
	"webhooks/events":      {"call", "availability", "flowengine", "flowengine/hours", "store", "tags"},
	"webhooks/credentials": {"call", "seal", "store", "webhooks/standard"},
}

// everything stands for all packages.
const everything = "*"

// standardOnly are the packages that depend on nothing but the standard library.
var standardOnly = []string{
	"call",
	"crash",
	"examples",
	"flowengine/routing",
	"keys",
	"ratelimit",
	"seal",
	"tags",
	"webhooks/standard",
}

// Packages import each other in one direction only.
func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Deps", "./...")
	list.Dir = ".."
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	type info struct {
		ImportPath string
		Standard   bool
		Deps       []string
	}
	var packages []info
	standard := map[string]bool{"C": true}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p info
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		standard[p.ImportPath] = p.Standard
		packages = append(packages, p)
	}
	found := 0
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || isE2E(name) {
			continue
		}
		found++
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s has no line in mayImport", name)
			continue
		}
		for _, dep := range p.Deps {
			other, ours := strings.CutPrefix(dep, module)
			switch {
			case ours && isE2E(other):
				t.Errorf("%s depends on %s: nothing may", name, other)
			case ours && !slices.Contains(allowed, other) && !slices.Contains(allowed, everything):
				t.Errorf("%s depends on %s", name, other)
			case !ours && !standard[dep] && slices.Contains(standardOnly, name):
				t.Errorf("%s depends on %s, which is not of the standard library", name, dep)
			}
		}
	}
	if found < len(mayImport)-1 { // go list may leave out a folder of tests
		t.Errorf("only %d packages were found", found)
	}
}

// isE2E says whether a package is one of the tests and measurements from
// outside, which may depend on everything.
func isE2E(name string) bool { return name == "e2e" || strings.HasPrefix(name, "e2e/") }
