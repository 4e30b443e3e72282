package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// RunShared tests what nodes share. open returns a store that nothing is in; several of
// what it returns for one test may be in use at once.
func RunShared(t *testing.T, open func(t *testing.T) store.Shared) {
	for name, test := range map[string]func(s *sharing){
		"a limit that is reached refuses, and says by what":    limitsRefuse,
		"a leg takes one slot however often it asks":           legTakesOne,
		"claims of one question count for each other":          claimsCount,
		"a slot lives as its leg":                              slotLives,
		"what is said twice counts once":                       twiceIsOnce,
		"hours, days and months count for themselves":          periodsCount,
		"a caller who was connected is a duplicate":            duplicates,
		"a call is not in its own way":                         ownWay,
		"a target that is dialled twice at once takes two":     besides,
		"the switch's word frees all legs of a call":           callGone,
		"organizations do not meet":                            sharedApart,
		"slots that nobody renews are listed":                  idleSlots,
		"turns count on, also those of one question":           turns,
		"nodes see each other":                                 beats,
		"counts of periods that are over go, totals stay":      pruned,
		"calls of several nodes never pass a limit":            manyCalls,
		"a count that cannot be made leaves everything undone": undone,
	} {
		t.Run(name, func(t *testing.T) { test(&sharing{T: t, store: open(t)}) })
	}
}

// sharing is a test of what nodes share.
type sharing struct {
	*testing.T
	store store.Shared
}

// noon is a moment in the middle of every period.
var noon = time.Date(2026, 3, 18, 12, 30, 0, 0, time.UTC)

func claim(callID, leg string, l call.Limits) call.Claim {
	return call.Claim{Org: "acme", Target: "alice", Call: callID, Leg: leg, Campaign: "roofing", Buyer: "roofco",
		Caller: "1555" + callID, Switch: "fs1", Node: "n1", At: noon, Limits: l}
}

func (s *sharing) reserve(claims ...call.Claim) (why []string) {
	s.Helper()
	answers, err := s.store.Reserve(s.Context(), claims)
	if err != nil || len(answers) != len(claims) {
		s.Fatalf("%d answers, %v", len(answers), err)
	}
	for _, a := range answers {
		if a.Refused == nil {
			why = append(why, "")
		} else {
			why = append(why, a.Refused.String())
		}
	}
	return why
}

func (s *sharing) post(entries ...store.Entry) {
	s.Helper()
	if err := s.store.Post(s.Context(), entries); err != nil {
		s.Fatal(err)
	}
}

// usage asks as a call of its own.
func (s *sharing) usage(c call.Claim) call.Usage {
	s.Helper()
	c.Call, c.Leg = "another", ""
	used, err := s.store.Usage(s.Context(), []call.Claim{c})
	if err != nil || len(used) != 1 {
		s.Fatalf("%v, %v", used, err)
	}
	return used[0]
}

func (s *sharing) want(what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func all(n int) call.Usage { return call.Usage{Concurrency: n, Hour: n, Day: n, Month: n, Total: n} }

func limitsRefuse(s *sharing) {
	for i, of := range []struct {
		limits call.Limits
		why    string
	}{
		{call.Limits{Concurrency: 1}, "concurrency: 1 of 1"},
		{call.Limits{Hour: 1}, "cap_hour: 1 of 1"},
		{call.Limits{Day: 1, Concurrency: 1}, "cap_day: 1 of 1"},
		{call.Limits{Month: 1}, "cap_month: 1 of 1"},
		{call.Limits{Total: 1}, "cap_total: 1 of 1"},
	} {
		a, b := claim("a", "a1", of.limits), claim("b", "b1", of.limits)
		a.Target, b.Target = fmt.Sprint("t", i), fmt.Sprint("t", i)
		a.Leg, b.Leg = fmt.Sprint(a.Leg, i), fmt.Sprint(b.Leg, i)
		s.want("first", s.reserve(a), []string{""})
		s.want("second", s.reserve(b), []string{of.why})
		s.want("usage", s.usage(a), all(1))
	}
}

func legTakesOne(s *sharing) {
	c := claim("a", "a1", call.Limits{Concurrency: 2})
	s.want("answers", s.reserve(c, c), []string{"", ""})
	s.want("again", s.reserve(c), []string{""})
	s.want("usage", s.usage(c), all(1))
}

func claimsCount(s *sharing) {
	l := call.Limits{Concurrency: 2}
	s.want("answers", s.reserve(claim("a", "a1", l), claim("b", "b1", l), claim("c", "c1", l)), []string{"", "", "concurrency: 2 of 2"})
	answers, err := s.store.Reserve(s.Context(), []call.Claim{claim("a", "a1", l), claim("d", "d1", l)})
	if err != nil {
		s.Fatal(err)
	}
	s.want("used", []call.Usage{answers[0].Used, answers[1].Used}, []call.Usage{all(2), all(2)})
	s.want("none", len(s.reserve()), 0)
	s.post()
}

func slotLives(s *sharing) {
	limits := call.Limits{Concurrency: 9, Total: 99}
	taken, counted, nothing := all(1), call.Usage{Hour: 1, Day: 1, Month: 1, Total: 1}, call.Usage{}
	for i, life := range []struct {
		said []store.What // reserved: by Reserve
		want call.Usage
	}{
		{[]store.What{"reserved"}, taken},
		{[]store.What{"reserved", store.Released}, nothing},
		{[]store.What{"reserved", store.Connected}, taken},
		{[]store.What{"reserved", store.Connected, store.Released}, counted},
		{[]store.What{"reserved", store.Released, "reserved"}, taken},
		{[]store.What{"reserved", store.Released, store.Connected}, counted}, // told late
		{[]store.What{"reserved", store.Renewed}, taken},
		{[]store.What{"reserved", store.Released, store.Renewed}, nothing},
		{[]store.What{"reserved", store.Gone}, counted}, // nobody knows whether it was connected
		{[]store.What{"reserved", store.Gone, store.Renewed}, counted},
		{[]store.What{"reserved", store.Gone, store.Released}, nothing}, // and now somebody does
		{[]store.What{"reserved", store.Connected, store.Gone, store.Released}, counted},
		{[]store.What{"reserved", store.Gone, "reserved", store.Released}, nothing},
		{[]store.What{store.Admitted}, taken},
		{[]store.What{store.Admitted, store.Released}, nothing},
		{[]store.What{store.Admitted, "reserved", store.Released}, nothing},
		{[]store.What{store.Renewed, store.Connected, store.Released}, counted},
		{[]store.What{store.Connected}, taken}, // dialled by a node that nobody heard of again
		{[]store.What{store.Released}, nothing},
		{[]store.What{store.Gone}, nothing},
	} {
		c := claim(fmt.Sprint("call", i), fmt.Sprint("leg", i), limits)
		c.Target = fmt.Sprint("target", i)
		for _, what := range life.said {
			if what == "reserved" {
				s.want("reserved", s.reserve(c), []string{""})
			} else {
				s.post(store.Entry{What: what, Claim: c})
			}
		}
		s.want(fmt.Sprint(life.said), s.usage(c), life.want)
	}
	free := claim("unbounded", "leg", call.Limits{})
	s.post(store.Entry{What: store.Connected, Claim: free})
	s.want("a target without limits", s.usage(free), counted)
}

// An answer may be lost: then the same is posted again, with what came after.
func twiceIsOnce(s *sharing) {
	r := rand.New(rand.NewPCG(1, 2))
	limits := call.Limits{Concurrency: 1000}
	for i := range 60 {
		once, twice := claim(fmt.Sprint("c", i), "once", limits), claim(fmt.Sprint("d", i), "twice", limits)
		once.Target, twice.Target = fmt.Sprint("once", i), fmt.Sprint("twice", i)
		var life []store.What
		for _, of := range []store.What{store.Admitted, store.Renewed, store.Connected, store.Gone, store.Released, store.Gone} {
			if r.IntN(3) > 0 {
				life = append(life, of)
			}
		}
		if reserved := r.IntN(2) > 0; reserved {
			s.reserve(once, twice)
		}
		var single, double []store.Entry
		for _, what := range life {
			single = append(single, store.Entry{What: what, Claim: once})
			double = append(double, store.Entry{What: what, Claim: twice})
		}
		s.post(single...)
		if len(double) > 0 {
			s.post(double[:r.IntN(len(double))+1]...)
		}
		s.post(double...)
		s.want(fmt.Sprint(life), s.usage(twice), s.usage(once))
	}
}

func periodsCount(s *sharing) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		s.Fatal(err)
	}
	c := claim("a", "a1", call.Limits{Hour: 5, Zone: chicago})
	s.reserve(c)
	for _, at := range []struct {
		later time.Duration
		want  call.Usage
	}{
		{29 * time.Minute, all(1)},
		{30 * time.Minute, call.Usage{Concurrency: 1, Day: 1, Month: 1, Total: 1}},
		{12 * time.Hour, call.Usage{Concurrency: 1, Day: 1, Month: 1, Total: 1}}, // in UTC it is the next day
		{17 * time.Hour, call.Usage{Concurrency: 1, Month: 1, Total: 1}},
		{14 * 24 * time.Hour, call.Usage{Concurrency: 1, Total: 1}},
	} {
		now := c
		now.At = c.At.Add(at.later)
		s.want(at.later.String(), s.usage(now), at.want)
	}
	late := c
	late.At = c.At.Add(time.Hour)
	s.post(store.Entry{What: store.Released, Claim: late})
	s.want("given back", s.usage(c), call.Usage{})
}

func duplicates(s *sharing) {
	limits := func(of call.Scope) call.Limits { return call.Limits{Within: time.Hour, Of: of} }
	first := claim("a", "a1", limits(call.OfTarget))
	first.Caller = "15550100"
	s.reserve(first)
	s.want("not connected", s.usage(first).Last, time.Time{})
	s.post(store.Entry{What: store.Connected, Claim: first}, store.Entry{What: store.Released, Claim: first})
	for _, of := range []struct {
		scope                   call.Scope
		target, buyer, campaign string
		caller                  string
		later                   time.Duration
		duplicate               bool
	}{
		{call.OfTarget, "alice", "", "", "15550100", time.Minute, true},
		{call.OfTarget, "alice", "", "", "15550100", time.Hour, false},
		{call.OfTarget, "alice", "", "", "15550101", time.Minute, false},
		{call.OfTarget, "alice", "", "", "", time.Minute, false},
		{call.OfTarget, "bob", "roofco", "roofing", "15550100", time.Minute, false},
		{call.OfBuyer, "bob", "roofco", "", "15550100", time.Minute, true},
		{call.OfBuyer, "bob", "", "", "15550100", time.Minute, false},
		{call.OfCampaign, "bob", "", "roofing", "15550100", time.Minute, true},
		{call.OfCampaign, "bob", "roofco", "siding", "15550100", time.Minute, false},
	} {
		c := claim("b", fmt.Sprint(of), limits(of.scope))
		c.Target, c.Buyer, c.Campaign, c.Caller, c.At = of.target, of.buyer, of.campaign, of.caller, first.At.Add(of.later)
		why := s.reserve(c)[0]
		if strings.HasPrefix(why, "duplicate: ") != of.duplicate {
			s.Errorf("%+v: %q", of, why)
		}
		s.post(store.Entry{What: store.Released, Claim: c})
	}
}

func ownWay(s *sharing) {
	l := call.Limits{Concurrency: 1, Total: 1}
	a := claim("a", "a1", l)
	s.reserve(a)
	mine, err := s.store.Usage(s.Context(), []call.Claim{{Org: "acme", Target: "alice", Call: "a", At: noon, Limits: l}})
	if err != nil {
		s.Fatal(err)
	}
	s.want("to the call itself", mine, []call.Usage{{}})
	moved := a
	moved.Target = "bob"
	s.want("moved", s.reserve(moved), []string{""})
	s.want("at the first", s.usage(a), call.Usage{})
	s.want("at the second", s.usage(moved), all(1))
	s.post(store.Entry{What: store.Released, Claim: a})
	s.want("released by who does not know", s.usage(moved), all(1))
	s.post(store.Entry{What: store.Connected, Claim: moved})
	again := moved
	again.Leg = "a2"
	s.want("once connected it counts", s.reserve(again), []string{"cap_total: 1 of 1"})
}

func besides(s *sharing) {
	l := call.Limits{Concurrency: 1}
	first, second := claim("a", "a1", l), claim("a", "a2", l)
	first.Beside, second.Beside = []string{"a2"}, []string{"a1"}
	s.want("in one question", s.reserve(first, second), []string{"", "concurrency: 1 of 1"})
	s.want("again", s.reserve(second), []string{"concurrency: 1 of 1"})
	alone := claim("a", "a3", l)
	s.want("after an attempt that was lost", s.reserve(alone), []string{""})
}

func callGone(s *sharing) {
	l := call.Limits{Concurrency: 9}
	a1, a2, b := claim("a", "a1", l), claim("a", "a2", l), claim("b", "b1", l)
	s.reserve(a1, a2, b)
	s.post(store.Entry{What: store.Gone, Claim: call.Claim{Org: "acme", Call: "a", Leg: "a2"}})
	s.want("a leg", s.usage(b).Concurrency, 2)
	s.post(store.Entry{What: store.Gone, Claim: call.Claim{Org: "other", Call: "a", Leg: "a1"}})
	s.want("a leg of another organization", s.usage(b).Concurrency, 2)
	s.post(store.Entry{What: store.Gone, Claim: call.Claim{Call: "a"}})
	s.want("the call", s.usage(b).Concurrency, 1)
}

func sharedApart(s *sharing) {
	l := call.Limits{Concurrency: 1, Within: time.Hour, Of: call.OfTarget}
	a := claim("a", "a1", l)
	s.reserve(a)
	s.post(store.Entry{What: store.Connected, Claim: a})
	b := a
	b.Org = "other"
	s.want("another's", s.usage(b), call.Usage{})
	for _, what := range []store.What{store.Released, store.Renewed, store.Connected, store.Admitted, store.Released} {
		s.post(store.Entry{What: what, Claim: b})
	}
	s.want("ours", s.usage(a).Concurrency, 1)
	if _, err := s.store.Turns(s.Context(), []store.TurnKey{{Org: "acme", Key: "k"}}); err != nil {
		s.Fatal(err)
	}
	n, err := s.store.Turns(s.Context(), []store.TurnKey{{Org: "other", Key: "k"}})
	if err != nil {
		s.Fatal(err)
	}
	s.want("turn", n, []uint64{0})
}

func idleSlots(s *sharing) {
	l := call.Limits{Concurrency: 9}
	a, b := claim("a", "a1", l), claim("b", "b1", l)
	s.reserve(a)
	s.reserve(b)
	forgotten := time.Duration(0)
	ids := func(idle time.Duration, limit int, switches ...string) (legs []string) {
		s.Helper()
		slots, err := s.store.Slots(s.Context(), store.IdleQuery{For: idle, Switches: switches, Limit: limit, Forgotten: forgotten})
		if err != nil {
			s.Fatal(err)
		}
		for _, x := range slots {
			c := x.Claim
			c.At, c.Limits = noon, l
			s.want("claim", c, map[string]call.Claim{"a1": a, "b1": b}[c.Leg])
			if x.For < 0 || x.For > time.Hour {
				s.Errorf("idle for %v", x.For)
			}
			legs = append(legs, c.Leg)
		}
		return legs
	}
	s.want("in order", ids(0, 10), []string{"a1", "b1"})
	s.want("limit", ids(0, 1), []string{"a1"})
	s.want("young", ids(time.Hour, 10), []string(nil))
	forgotten = time.Hour
	s.want("at no switch that can be asked", ids(0, 1, "other"), []string(nil))
	s.want("at a switch", ids(0, 10, "other", a.Switch), []string{"a1", "b1"})
	forgotten = 0
	s.post(store.Entry{What: store.Renewed, Claim: a})
	s.want("renewed", ids(0, 10), []string{"b1", "a1"})
	s.post(store.Entry{What: store.Released, Claim: a})
	s.want("free", ids(0, 10), []string{"b1"})
}

func turns(s *sharing) {
	k, other := store.TurnKey{Org: "acme", Key: "sales"}, store.TurnKey{Org: "acme", Key: "support"}
	for _, of := range []struct {
		keys []store.TurnKey
		want []uint64
	}{
		{[]store.TurnKey{k}, []uint64{0}},
		{[]store.TurnKey{k, other, k}, []uint64{1, 0, 2}},
		{[]store.TurnKey{other, k}, []uint64{1, 3}},
		{nil, []uint64{}},
	} {
		got, err := s.store.Turns(s.Context(), of.keys)
		if err != nil {
			s.Fatal(err)
		}
		s.want(fmt.Sprint(of.keys), got, of.want)
	}
}

func beats(s *sharing) {
	for _, of := range []struct {
		node string
		want []string
	}{{"b", []string{"b"}}, {"a", []string{"a", "b"}}, {"b", []string{"a", "b"}}} {
		nodes, err := s.store.Beat(s.Context(), of.node)
		if err != nil {
			s.Fatal(err)
		}
		var names []string
		for _, n := range nodes {
			names = append(names, n.Name)
			if n.Seen < 0 || n.Seen > time.Minute {
				s.Errorf("%s was seen %v ago", n.Name, n.Seen)
			}
		}
		s.want("nodes", names, of.want)
	}
}

func pruned(s *sharing) {
	old, young := claim("a", "a1", call.Limits{Hour: 9}), claim("b", "b1", call.Limits{Hour: 9})
	old.At, young.At = time.Now().Add(-100*24*time.Hour), time.Now()
	s.reserve(old, young)
	s.post(store.Entry{What: store.Connected, Claim: old}, store.Entry{What: store.Connected, Claim: young}, store.Entry{What: store.Released, Claim: young})
	for range 2 {
		if err := s.store.PruneShared(s.Context(), time.Hour); err != nil {
			s.Fatal(err)
		}
		s.want("old", s.usage(old), call.Usage{Concurrency: 1, Total: 2})
		s.want("young", s.usage(young), call.Usage{Concurrency: 1, Hour: 1, Day: 1, Month: 1, Total: 2})
	}
}

func undone(s *sharing) {
	c := claim("a", "a1", call.Limits{Concurrency: 1})
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.store.Reserve(ctx, []call.Claim{c}); err == nil {
		s.Error("a slot was reserved")
	}
	if err := s.store.Post(ctx, []store.Entry{{What: store.Admitted, Claim: c}}); err == nil {
		s.Error("an entry was posted")
	}
	if _, err := s.store.Usage(ctx, []call.Claim{c}); err == nil {
		s.Error("usage was told")
	}
	s.want("usage", s.usage(c), call.Usage{})
}

// Calls of several nodes come and go at random; some nodes die in their middle, and what
// they said is said again. At no moment is more taken than there is, and after all is over
// the counts are the connections.
func manyCalls(s *sharing) {
	type bound struct {
		limits    call.Limits
		at, total atomic.Int64 // legs at the target now, and connected
	}
	targets := []*bound{{limits: call.Limits{Concurrency: 1}}, {limits: call.Limits{Concurrency: 3, Hour: 40}}, {limits: call.Limits{Total: 25}}, {limits: call.Limits{Concurrency: 7, Total: 90}}}
	room := func(b *bound) int64 {
		if b.limits.Concurrency == 0 {
			return 1 << 30
		}
		return int64(b.limits.Concurrency)
	}
	caps := func(b *bound) int64 { return int64(max(b.limits.Hour, b.limits.Total)) }
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(worker)))
			for i := range 40 {
				n := r.IntN(len(targets))
				b := targets[n]
				c := claim(fmt.Sprintf("%d.%d", worker, i), "leg", b.limits)
				c.Target, c.Node = fmt.Sprint("t", n), fmt.Sprint("n", worker%2)
				claims := []call.Claim{c}
				answer, err := s.store.Reserve(s.Context(), claims)
				if err != nil {
					s.Error(err)
					return
				}
				if r.IntN(4) == 0 { // the answer was lost
					again, err := s.store.Reserve(s.Context(), claims)
					if err != nil {
						s.Error(err)
						return
					}
					if answer[0].Refused == nil && again[0].Refused != nil {
						s.Errorf("a slot was lost: %s", again[0].Refused)
					}
					answer = again
				}
				if answer[0].Refused != nil {
					continue
				}
				if now := b.at.Add(1); now > room(b) {
					s.Errorf("%d legs at a target for %d", now, room(b))
				}
				life := []store.Entry{{What: store.Renewed, Claim: c}}
				connected := r.IntN(2) == 0
				if connected {
					life = append(life, store.Entry{What: store.Connected, Claim: c})
					if now := b.total.Add(1); caps(b) > 0 && now > caps(b) {
						s.Errorf("%d connections with a target for %d", now, caps(b))
					}
				}
				life = append(life, store.Entry{What: store.Released, Claim: c})
				if r.IntN(3) == 0 { // another node hears the end first
					life = slices.Insert(life, len(life)-1, store.Entry{What: store.Gone, Claim: call.Claim{Call: c.Call}})
				}
				b.at.Add(-1)
				for range 1 + r.IntN(2) {
					if err := s.store.Post(s.Context(), life); err != nil {
						s.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	for n, b := range targets {
		c := claim("", "", b.limits)
		c.Target = fmt.Sprint("t", n)
		total := int(b.total.Load())
		s.want(c.Target, s.usage(c), call.Usage{Hour: total, Day: total, Month: total, Total: total})
		if total == 0 {
			s.Errorf("nobody was connected with %s: this tests nothing", c.Target)
		}
	}
	if slots, err := s.store.Slots(s.Context(), store.IdleQuery{Limit: 10}); err != nil || len(slots) > 0 {
		s.Errorf("slots in use: %v, %v", slots, err)
	}
}
