package flowtest_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// ledger is a capacity that notes what it is told, and refuses targets when they are to
// be dialled.
type ledger struct {
	flowengine.Local
	lock     sync.Mutex
	refuses  []string
	fallback string
	told     []string
	claims   []call.Claim
}

func (l *ledger) note(what string, c call.Claim) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.told, l.claims = append(l.told, what+" "+c.Target), append(l.claims, c)
}

func (l *ledger) Reserve(ctx context.Context, c call.Claim) call.Admission {
	l.note("reserve", c)
	if slices.Contains(l.refuses, c.Target) {
		return call.Admission{Refused: &call.Refusal{Rule: call.Concurrency, Value: "1 of 1"}, Fallback: l.fallback}
	}
	a := l.Local.Reserve(ctx, c)
	a.Fallback = l.fallback
	return a
}

func (l *ledger) Connected(c call.Claim) { l.note("connected", c); l.Local.Connected(c) }
func (l *ledger) Release(c call.Claim)   { l.note("release", c); l.Local.Release(c) }

// free says what is still taken of a target.
func (l *ledger) free(t *testing.T, target string) {
	t.Helper()
	used, _ := l.Usage(t.Context(), []call.Claim{{Org: flowengine.DefaultOrganization, Target: target, Call: "another", At: flowtest.Epoch}})
	if used[0].Concurrency != 0 {
		t.Errorf("%s: %d slots are held by nobody", target, used[0].Concurrency)
	}
}

const limited = `
numbers: {"1000": {flow: main}, "2000": {flow: at-once}, "3000": {flow: plain}, "4000": {flow: twice}}
targets:
  alice: {user: alice@pbx, concurrency: 1, buyer: roofco}
  bob: {user: bob@pbx, concurrency: 1}
buyers: {roofco: {name: Roof Co}}
---
flow: main
start: d
nodes:
  d: {dial: {targets: [alice, bob]}, exits: {else: bye}}
  bye: {hangup: {}}
---
flow: at-once
start: d
nodes:
  d: {dial: {targets: [alice, bob], strategy: simultaneous}, exits: {else: bye}}
  bye: {hangup: {}}
---
flow: twice
start: d
nodes:
  d: {dial: {targets: [alice, alice, bob], strategy: simultaneous}, exits: {else: bye}}
  bye: {hangup: {}}
---
flow: plain
start: d
nodes:
  d: {dial: {targets: [sip:x@pbx, "+15550142"], gateway: carrier}, exits: {else: bye}}
  bye: {hangup: {}}
`

// place places a call to a number.
func place(t *testing.T, l *ledger, s flowtest.Scenario, to string, lose ...int) *flowtest.Result {
	t.Helper()
	s.Call = call.Call{Number: to, Caller: call.Caller{Number: "+15550111"}, Switch: "fs1"}
	snapshot := load(t, limited)
	p := flowtest.NewPhone(s, nil)
	return flowtest.RunEach(func(int) *flowengine.Engine {
		e := flowtest.NewEngine(snapshot, p.Clock, 1)
		e.Capacity = l
		return e
	}, p, lose...)
}

func TestLegsAreClaimedAndGivenBack(t *testing.T) {
	busy := flowtest.Callee{After: time.Second, Cause: call.UserBusy}
	for _, c := range []struct {
		name    string
		to      string
		callees map[string]flowtest.Callee
		refuses []string
		hangsUp time.Duration
		want    string
	}{
		{name: "the first answers", to: "1000", want: "reserve alice, connected alice, connected alice, release alice"},
		{name: "the second answers", to: "1000", callees: map[string]flowtest.Callee{"alice": busy},
			want: "reserve alice, release alice, reserve bob, connected bob, connected bob, release bob"},
		{name: "no room for the first", to: "1000", refuses: []string{"alice"},
			want: "reserve alice, release alice, reserve bob, connected bob, connected bob, release bob"},
		{name: "no room for anybody", to: "1000", refuses: []string{"alice", "bob"}, want: "reserve alice, release alice, reserve bob, release bob"},
		{name: "the caller hangs up while it rings", to: "1000", callees: map[string]flowtest.Callee{"alice": {Rings: true}}, hangsUp: 3 * time.Second,
			want: "reserve alice, release alice"},
		{name: "the caller hangs up while they talk", to: "1000", callees: map[string]flowtest.Callee{"alice": {After: time.Second, Talks: time.Minute}}, hangsUp: 5 * time.Second,
			want: "reserve alice, connected alice, connected alice, release alice"},
		{name: "numbers and SIP addresses have no limits", to: "3000", callees: map[string]flowtest.Callee{"sip:x@pbx": busy}, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &ledger{refuses: c.refuses}
			r := place(t, l, flowtest.Scenario{Callees: c.callees, HangsUp: c.hangsUp}, c.to)
			if got := strings.Join(l.told, ", "); got != c.want {
				t.Errorf("told %s\nwant %s\n%s", got, c.want, r.Trace())
			}
			for _, name := range []string{"alice", "bob"} {
				l.free(t, name)
			}
		})
	}
}

func TestClaimsTellWhoseTheyAre(t *testing.T) {
	l := &ledger{}
	r := place(t, l, flowtest.Scenario{}, "1000")
	want := call.Claim{Org: "default", Target: "alice", Call: r.Call.ID, Leg: r.Dialled[0], Buyer: "roofco", Caller: "15550111", Switch: "fs1", Node: "n1",
		At: flowtest.Epoch, Limits: call.Limits{Concurrency: 1, Zone: l.claims[0].Limits.Zone}}
	if !reflect.DeepEqual(l.claims[0], want) {
		t.Errorf("got  %+v\nwant %+v", l.claims[0], want)
	}
	if at := l.claims[1].At; at != flowtest.Epoch.Add(time.Second) { // when it was connected
		t.Errorf("connected at %s", at)
	}
}

// A leg that this node let through by its own figures says so.
func TestAFallbackIsTold(t *testing.T) {
	r := place(t, &ledger{fallback: "the database does not answer"}, flowtest.Scenario{}, "1000")
	if !slices.ContainsFunc(r.Events, func(e call.Event) bool {
		return e.Type == call.TargetDialed && e.Attrs["fallback"] == "the database does not answer"
	}) {
		t.Errorf("nothing tells of the fallback\n%s", r.Trace())
	}
}

// Who is refused when the legs are reserved is told with the reason, and the others ring.
func TestAReserveThatIsRefusedIsTold(t *testing.T) {
	l := &ledger{refuses: []string{"alice"}, fallback: "the database does not answer"}
	r := place(t, l, flowtest.Scenario{}, "2000")
	if got := r.NotTried()["alice"]; got != "concurrency: 1 of 1" {
		t.Errorf("alice is not tried: %q\n%s", got, r.Trace())
	}
	told := slices.ContainsFunc(r.Events, func(e call.Event) bool { return e.Type == call.NotTried && e.Attrs["fallback"] == l.fallback })
	if !told {
		t.Error("nothing tells of the fallback")
	}
	if got := fmt.Sprint(r.Targets()); got != "[bob]" {
		t.Errorf("%s rang", got)
	}
}

// A call that dials a target twice at once needs two slots of it.
func TestOneCallCannotPassALimit(t *testing.T) {
	l := &ledger{}
	r := place(t, l, flowtest.Scenario{}, "4000")
	targets := r.Targets()
	slices.Sort(targets)
	if got := fmt.Sprint(targets); got != "[alice bob]" {
		t.Errorf("%s rang, at once\n%s", got, r.Trace())
	}
	if !slices.ContainsFunc(r.Events, func(e call.Event) bool {
		return e.Type == call.NotTried && e.Attrs["not.alice"] == "concurrency: 1 of 1"
	}) {
		t.Errorf("nothing tells of the other leg to alice\n%s", r.Trace())
	}
	if !strings.Contains(r.Trace(), "then alice answered") {
		t.Errorf("it is not told who answered\n%s", r.Trace())
	}
	l.free(t, "alice")
	for point := 1; point <= r.Points; point++ {
		l := &ledger{}
		r := place(t, l, flowtest.Scenario{}, "4000", point)
		if n := len(r.Dialled); n < 2 {
			t.Errorf("lost at %d: %d legs rang\n%s", point, n, r.Trace())
		}
		l.free(t, "alice")
	}
}

// Wherever the control of a call is lost, nobody is dialled without a slot, no slot stays
// behind, and nobody who was not dialled is said to have failed.
func TestSlotsOutliveControllers(t *testing.T) {
	for _, to := range []string{"1000", "2000"} {
		for _, refuses := range [][]string{nil, {"alice"}} {
			callees := map[string]flowtest.Callee{"alice": {After: time.Second, Cause: call.UserBusy}}
			points := place(t, &ledger{refuses: refuses}, flowtest.Scenario{Callees: callees}, to).Points
			for point := 1; point <= points; point++ {
				l := &ledger{refuses: refuses}
				r := place(t, l, flowtest.Scenario{Callees: callees}, to, point)
				name := fmt.Sprintf("to %s, %v refused, lost at %d", to, refuses, point)
				for _, leg := range r.Dialled {
					if !slices.ContainsFunc(l.claims, func(c call.Claim) bool { return c.Leg == leg }) {
						t.Errorf("%s: leg %s has no slot", name, leg)
					}
				}
				if !slices.Contains(l.told, "connected bob") {
					t.Errorf("%s: nobody says that bob was connected: %v\n%s", name, l.told, r.Trace())
				}
				l.free(t, "alice")
				l.free(t, "bob")
				for _, e := range r.Events {
					if e.Type == call.TargetFailed && slices.Contains(refuses, e.Target) {
						t.Errorf("%s: %s failed, whom nobody dialled\n%s", name, e.Target, r.Trace())
					}
				}
				if r.NotTried()["alice"] == "" && refuses != nil {
					t.Errorf("%s: nobody tells why alice was not tried\n%s", name, r.Trace())
				}
			}
		}
	}
}
