package nodes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// What call.voicemail tells: of the caller who hangs up, of one who does so at
// once, and of a message in whose middle the server is lost.
func TestVoicemailTells(t *testing.T) {
	s := load(t, `
numbers: {"1000": {flow: f}}
---
flow: f
start: v
nodes:
  v: {voicemail: {greeting: "say:Leave a message.", box: sales}, exits: {else: bye}}
  bye: {hangup: {}}
`)
	for name, c := range map[string]struct {
		says    []time.Duration
		hangsUp time.Duration
		lose    []int
		want    []string
	}{
		"to the end":         {says: []time.Duration{8 * time.Second}, want: []string{"message-1.wav 8000"}},
		"hangs up":           {says: []time.Duration{time.Minute}, hangsUp: 10 * time.Second, want: []string{"message-1.wav 6000"}},
		"hangs up at once":   {says: []time.Duration{time.Minute}, hangsUp: 4500 * time.Millisecond},
		"lost in the middle": {says: []time.Duration{8 * time.Second}, lose: []int{12}, want: []string{"message-1.wav 8000"}},
	} {
		p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{Number: "1000"}, Says: c.says, HangsUp: c.hangsUp}, nil)
		r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p, c.lose...)
		var got []string
		for _, e := range r.Events {
			if e.Type == call.Voicemail && e.Attrs["box"] == "sales" && e.Step == "v" {
				file := strings.TrimPrefix(e.Attrs["path"], "/recordings/"+e.Call+"-")
				got = append(got, fmt.Sprint(file, " ", e.Millis))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q\n%s", name, got, c.want, r.Trace())
		}
	}
}
