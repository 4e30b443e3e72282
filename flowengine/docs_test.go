package flowengine_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// The example of docs/flows.md loads, and the page links every kind.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/flows.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
		if _, problems := flowengine.LoadFile("docs/flows.md", found[1], nodes.Kinds); len(problems) > 0 {
			t.Error(problems)
		}
	}
	for _, name := range nodes.Kinds.Names() {
		if !strings.Contains(string(page), "(../flowengine/nodes/doc/"+name+".md)") {
			t.Errorf("docs/flows.md does not link %s", name)
		}
	}
}
