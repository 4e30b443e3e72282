package kills

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/store/storetest"
)

const oneAtATime = `numbers:
  "+15550100": {flow: main}
targets:
  alice: {number: "2007", gateway: carrier, concurrency: 1}
---
flow: main
start: alice
nodes:
  alice: {dial: {targets: [alice], ring: 10s}, exits: {completed: bye, else: bye}}
  bye: {hangup: {}}
`

// The server that dialled is killed while two people talk. Their target stays taken for
// the other server, and is free as soon as the conversation has ended, whoever hangs up.
func TestSlotOfADeadServer(t *testing.T) {
	long(t, "slots are not tested while servers die")
	program, err := shipped()
	must(t, err)
	for name, of := range map[string]struct {
		talk time.Duration // after which the callee hangs up; 0: never
		end  func(k *esltest.Call)
	}{
		"the caller hangs up": {0, (*esltest.Call).HangUp},
		"the callee hangs up": {60 * time.Second, func(*esltest.Call) {}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2*time.Minute)
			w.database = storetest.NewPostgres(t).URL("hookswitch")
			must(t, os.WriteFile(filepath.Join(w.conf, "flows.yaml"), []byte(oneAtATime), 0o600))
			w.sw.SetCallee("2007", esltest.Answers(time.Second, of.talk))
			a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
			w.open(60, a, b)
			a.start()
			b.start()

			first := w.place(esltest.Caller{})
			w.diary[a].until("nobody talks", func(h *history) bool { return h.last[first.UUID] == call.Connected })
			a.kill()
			second := w.place(esltest.Caller{})
			w.diary[b].until("the second call is not refused", func(h *history) bool {
				for _, e := range h.events {
					if e.Call == second.UUID && strings.HasPrefix(e.Attrs["not.alice"], "concurrency: 1 of 1") {
						return true
					}
				}
				return false
			})
			w.finish(second)
			of.end(first)
			w.finish(first)

			ended := time.Now()
			for {
				next := w.place(esltest.Caller{})
				w.diary[b].until("no word of the next call", func(h *history) bool {
					return h.last[next.UUID] == call.Connected || h.ends[next.UUID] > 0
				})
				connected := len(next.Result().Talked) > 0
				next.HangUp()
				w.finish(next)
				if connected {
					break
				}
			}
			took := time.Since(ended)
			t.Logf("the next call talked %v after the end of the first", took)
			if took > 10*time.Second { // a sweep would need 30
				t.Error("nobody told that the target is free")
			}
		})
	}
}
