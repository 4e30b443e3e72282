package eslctl_test

import (
	"fmt"
	"testing"

	"github.com/hookswitch/hookswitch/eslctl"
)

// A caller may cancel before the first action of the dialplan: no variable then
// says that the call was ours, but the extension it was to execute does.
func TestCDROfCallCancelledBeforeItsDialplan(t *testing.T) {
	const file = `{"switchname":"fs1","variables":{"uuid":"3f5a","hangup_cause":"ORIGINATOR_CANCEL"},"callflow":[{"extension":
		{"name":"hookswitch","applications":[{"app_name":"set","app_data":"%s"}]},"caller_profile":{"destination_number":"%%2B1555"}}]}`
	for _, c := range []struct {
		data string
		ours bool
	}{{"hookswitch=true", true}, {"hookswitch=false", false}, {"other=true", false}} {
		cdr, err := eslctl.ParseCDR(fmt.Appendf(nil, file, c.data))
		if err != nil {
			t.Fatal(err)
		}
		if cdr.Ours != c.ours || cdr.Call.ID != "3f5a" || cdr.Call.Number != "+1555" {
			t.Errorf("%s: %+v", c.data, cdr)
		}
	}
}
