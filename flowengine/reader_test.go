package flowengine_test

import (
	"fmt"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// A scalar is a number only where the number would be written alike: a ZIP and a phone
// number are texts.
func TestScalars(t *testing.T) {
	for text, want := range map[string]string{
		"7": "int 7", "-7": "int -7", "0": "int 0", "1.5": "float64 1.5", "1e3": "float64 1000", "true": "bool true", "hot": "string hot", "": "string ",
		"02139": "string 02139", "017": "string 017", "0x10": "string 0x10", "+1": "string +1", "+15551234567": "string +15551234567",
		"123456789012": "string 123456789012", "12345678901234567890123": "string 12345678901234567890123", "1_000": "string 1_000",
		".inf": "string .inf", "2026-07-01": "string 2026-07-01", "null": "string null", "yes": "string yes", "True": "string True",
	} {
		if got := fmt.Sprintf("%T %[1]v", flowengine.ParseScalar(text).Value); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		if text == "" || text == "null" { // a document reads nothing there
			continue
		}
		r := flowengine.NewReader(nodes.Kinds)
		var doc struct {
			Value flowengine.Scalar `yaml:"value"`
		}
		for _, d := range r.Documents("f.yaml", []byte("value: "+text)) {
			d.Decode(&doc, "the document")
		}
		if got := fmt.Sprintf("%T %[1]v", doc.Value.Value); got != want || len(r.Problems()) > 0 {
			t.Errorf("%s is read as %s, want %s: %v", text, got, want, r.Problems())
		}
	}
}
