package call_test

import (
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
)

func TestCauseOfSIP(t *testing.T) {
	seen := map[call.Cause]int{}
	for _, code := range call.SIPCodes() {
		c, ok := call.CauseOfSIP(code)
		if !ok || !c.Known() {
			t.Errorf("%d: FreeSWITCH knows no cause %q", code, c)
		}
		if other := seen[c]; other != 0 {
			t.Errorf("%d and %d have the same cause %s", other, code, c)
		}
		seen[c] = code
	}
	if c, ok := call.CauseOfSIP(486); c != call.UserBusy || !ok {
		t.Errorf("486 is %s", c)
	}
	if _, ok := call.CauseOfSIP(200); ok {
		t.Error("200 has a cause")
	}
}

// Nothing that FreeSWITCH interprets is left, and nothing that a replacement brings in.
func TestSpeakable(t *testing.T) {
	const special = "$\\'\"`{}[]|;!^~\r\n\t\x00\x1b\b\x7f\u009b"
	if got := call.Speakable("a" + special + "b"); strings.ContainsAny(got, special) {
		t.Errorf("got %q", got)
	}
	if got := call.Speakable(" it's  5 o`clock "); got != "it’s 5 o’clock" {
		t.Errorf("got %q", got)
	}
}
