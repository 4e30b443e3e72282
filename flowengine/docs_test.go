package flowengine_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// The examples of the pages load, and docs/flows.md links every kind.
func TestDocs(t *testing.T) {
	var page []byte
	for _, file := range []string{"docs/configuration.md", "docs/flows.md"} {
		var err error
		if page, err = os.ReadFile("../" + file); err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
			if _, problems := flowengine.LoadFile(file, found[1], nodes.Kinds); len(problems) > 0 {
				t.Error(problems)
			}
		}
	}
	for _, name := range nodes.Kinds.Names() {
		if !strings.Contains(string(page), "(../flowengine/nodes/doc/"+name+".md)") {
			t.Errorf("docs/flows.md does not link %s", name)
		}
	}
}
