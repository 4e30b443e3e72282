package flowengine_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// claim is one of a call for alice, with one leg.
func claim(id string, l call.Limits) call.Claim {
	return call.Claim{Org: "acme", Target: "alice", Call: id, Leg: "leg of " + id, Buyer: "roofco", Campaign: "roofing", Caller: "15550111",
		At: time.Date(2026, 7, 1, 12, 30, 0, 0, time.UTC), Limits: l}
}

// refused returns why there is no room for a claim; empty when there is.
func refused(t *testing.T, l *flowengine.Local, c call.Claim) string {
	t.Helper()
	a := l.Reserve(t.Context(), c)
	if a.Fallback != "" {
		t.Errorf("a process that shares nothing falls back: %s", a.Fallback)
	}
	if a.Refused == nil {
		return ""
	}
	return a.Refused.String()
}

// A slot is taken once and given back once; the caps are given back too where nobody
// was connected.
func TestSlotsAreGivenBack(t *testing.T) {
	var l flowengine.Local
	for i, step := range []struct {
		do, call string
		later    time.Duration
		want     string // that a reserve is refused with
	}{
		{do: "reserve", call: "1"},
		{do: "reserve", call: "1"}, // it has it
		{do: "reserve", call: "2", want: "concurrency: 1 of 1"},
		{do: "release", call: "1"},
		{do: "release", call: "1"},
		{do: "reserve", call: "2"}, // nothing of the caps is used up
		{do: "connect", call: "2"},
		{do: "connect", call: "2"},
		{do: "release", call: "2"},
		{do: "reserve", call: "3"},
		{do: "connect", call: "3"},
		{do: "ended", call: "3"},
		{do: "reserve", call: "4", want: "cap_hour: 2 of 2"},
		{do: "reserve", call: "4", later: time.Hour},
		{do: "release", call: "4", later: time.Hour},
		{do: "connect", call: "5", later: time.Hour}, // another process dialled it
		{do: "release", call: "5", later: time.Hour},
		{do: "reserve", call: "6", later: time.Hour, want: "cap_total: 3 of 3"},
	} {
		c := claim(step.call, call.Limits{Concurrency: 1, Hour: 2, Total: 3})
		c.At = c.At.Add(step.later)
		switch step.do {
		case "reserve":
			if got := refused(t, &l, c); got != step.want {
				t.Errorf("step %d, call %s: refused with %q, want %q", i, step.call, got, step.want)
			}
		case "connect":
			l.Connected(c)
		case "release":
			l.Release(c)
		case "ended":
			l.Ended(step.call)
		}
	}
}

// What a lost node reserved for the same leg stands in nobody's way.
func TestALegHasOneSlot(t *testing.T) {
	var l flowengine.Local
	limits := call.Limits{Concurrency: 1, Day: 1}
	c := claim("1", limits)
	refused(t, &l, c)
	own := c
	own.Leg = ""
	if used, _ := l.Usage(t.Context(), []call.Claim{own}); used[0] != (call.Usage{}) {
		t.Errorf("the call is in its own way: %+v", used[0])
	}
	other := claim("2", limits)
	if used, _ := l.Usage(t.Context(), []call.Claim{other}); used[0].Concurrency != 1 || used[0].Day != 1 {
		t.Errorf("others see %+v", used[0])
	}
	c.Target = "bob"
	if why := refused(t, &l, c); why != "" {
		t.Errorf("bob: %s", why)
	}
	if why := refused(t, &l, other); why != "" {
		t.Errorf("alice, whom the leg was not dialled to: %s", why)
	}
}

// Legs of one attempt to one target count for each other, and what another attempt left
// behind does not.
func TestLegsBesideEachOtherCount(t *testing.T) {
	var l flowengine.Local
	first, second := claim("1", call.Limits{Concurrency: 1}), claim("1", call.Limits{Concurrency: 1})
	first.Leg, second.Leg = "first", "second"
	first.Beside, second.Beside = []string{second.Leg}, []string{first.Leg}
	if why := refused(t, &l, first); why != "" {
		t.Errorf("the first: %s", why)
	}
	if why := refused(t, &l, second); why != "concurrency: 1 of 1" {
		t.Errorf("the second: %q", why)
	}
	second.Beside = nil
	if why := refused(t, &l, second); why != "" {
		t.Errorf("another attempt: %s", why)
	}
}

func TestCallersAreDuplicatesWithinTheScope(t *testing.T) {
	var l flowengine.Local
	first := claim("1", call.Limits{}) // of a target without limits
	l.Connected(first)
	l.Release(first)
	for _, c := range []struct {
		name   string
		change func(c *call.Claim)
		of     call.Scope
		want   bool
	}{
		{"same target", func(*call.Claim) {}, call.OfTarget, true},
		{"another target", func(c *call.Claim) { c.Target = "bob" }, call.OfTarget, false},
		{"another target of the buyer", func(c *call.Claim) { c.Target = "bob" }, call.OfBuyer, true},
		{"another buyer", func(c *call.Claim) { c.Target, c.Buyer = "bob", "doors" }, call.OfBuyer, false},
		{"the same campaign", func(c *call.Claim) { c.Target, c.Buyer = "bob", "doors" }, call.OfCampaign, true},
		{"another caller", func(c *call.Claim) { c.Caller = "15550112" }, call.OfTarget, false},
		{"another organization", func(c *call.Claim) { c.Org = "other" }, call.OfCampaign, false},
		{"too long ago", func(c *call.Claim) { c.At = c.At.Add(2 * time.Hour) }, call.OfTarget, false},
		{"a caller without a number", func(c *call.Claim) { c.Caller = "" }, call.OfTarget, false},
	} {
		second := claim("2", call.Limits{Within: time.Hour, Of: c.of})
		c.change(&second)
		if why := refused(t, &l, second); (why != "") != c.want {
			t.Errorf("%s: refused with %q", c.name, why)
		}
		l.Release(second)
	}
}

func TestLocalIsExactUnderConcurrency(t *testing.T) {
	const limit, calls = 7, 500
	var l flowengine.Local
	var at, most, connected atomic.Int64
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			c := claim(strconv.Itoa(i), call.Limits{Concurrency: limit, Month: 50})
			if l.Reserve(t.Context(), c).Refused != nil {
				return
			}
			for now := at.Add(1); ; {
				if was := most.Load(); now <= was || most.CompareAndSwap(was, now) {
					break
				}
			}
			if i%2 == 0 {
				l.Connected(c)
				connected.Add(1)
			}
			at.Add(-1)
			l.Release(c)
		})
	}
	all.Wait()
	if most.Load() > limit || connected.Load() > 50 {
		t.Errorf("%d at once, %d connected", most.Load(), connected.Load())
	}
	used, _ := l.Usage(t.Context(), []call.Claim{claim("x", call.Limits{Month: 50})})
	if used[0].Concurrency != 0 || used[0].Month != int(connected.Load()) {
		t.Errorf("afterwards %+v is taken, with %d connected", used[0], connected.Load())
	}
}

func TestTurnsCountForEachKey(t *testing.T) {
	var l flowengine.Local
	for _, c := range []struct {
		org, key string
		want     uint64
	}{{"a", "x", 0}, {"a", "x", 1}, {"b", "x", 0}, {"a", "y", 0}, {"a", "x", 2}} {
		if at, _ := l.Turn(t.Context(), c.org, c.key); at != c.want {
			t.Errorf("%s %s: turn %d, want %d", c.org, c.key, at, c.want)
		}
	}
}
