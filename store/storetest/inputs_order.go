package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// ledgerGrows: what is entered stays, also where events that come late make a rule say
// something else.
func ledgerGrows(t *testing.T, s store.Store) {
	events := story("acme", "c1", "n1", 1, began,
		call.Event{Type: call.Started, Attrs: map[string]string{"payout": "25.00 USD after 60000"}},
		call.Event{Type: call.TargetDialed, Target: "alice", Leg: "leg-1", Attrs: map[string]string{"attempt": "1"}},
		call.Event{Type: call.Connected, Target: "alice", Leg: "leg-1", Attrs: map[string]string{"revenue": "40.00 USD after 30000"}},
		call.Event{Type: call.Released, Target: "alice", Leg: "leg-1", Cause: call.NormalClearing, Millis: 45000},
		call.Event{Type: call.TargetDialed, Target: "bob", Leg: "leg-2", Attrs: map[string]string{"attempt": "2"}},
		call.Event{Type: call.Connected, Target: "bob", Leg: "leg-2", Attrs: map[string]string{"revenue": "1.00 USD after 0"}},
		call.Event{Type: call.Released, Target: "bob", Leg: "leg-2", Cause: call.NormalClearing, Millis: 5000})
	late := story("acme", "c1", "n2", 2, began.Add(2*time.Minute),
		call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": "n1"}},
		call.Event{Type: call.Released, Leg: "leg-1", Cause: call.NormalClearing, Millis: 65000, Attrs: map[string]string{"late": "true", "ended": began.Add(90 * time.Second).Format(time.RFC3339)}},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})
	n1, n2 := newJournal(t, s, "n1"), newJournal(t, s, "n2")
	ledger := []store.MoneyEntry{}
	grown := func(revenue, payout string, entries int) {
		t.Helper()
		c, err := s.Call(t.Context(), "acme", "c1")
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Ledger) != entries || text(c.Ledger[:len(ledger)]) != text(ledger) || fmt.Sprint(c.Revenue) != revenue || fmt.Sprint(c.Payout) != payout {
			t.Errorf("revenue %v, payout %v, ledger %s\nafter %s", c.Revenue, c.Payout, text(c.Ledger), text(ledger))
		}
		ledger = c.Ledger
	}
	n1.send(began, events[:3]...)
	n2.send(began, late...)
	grown("40.00 USD", "25.00 USD", 2)
	receive(t, s, to("c1", input("in-1", paying(store.Revenue, "55"))), "c1", store.Applied)
	grown("55.00 USD", "25.00 USD", 3)
	n1.send(began, events[3:]...) // it was connected for less than was thought
	grown("55.00 USD", "<nil>", 5)
	if last := ledger[4]; last.Kind != store.Payout || last.Amount != 0 || last.Replaced.String() != "25.00 USD" || ledger[3].Sum.String() != "41.00 USD" {
		t.Errorf("the ledger goes on with %s", text(ledger[3:]))
	}
	receive(t, s, to("c1", input("in-2", paying(store.Payout, "20"))), "c1", store.Applied)
	grown("55.00 USD", "20.00 USD", 6)
}

// inputsInAnyOrder mixes what the journals of two nodes tell, with inputs and Conclude.
func inputsInAnyOrder(t *testing.T, s store.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	var want string
	for i := range 30 {
		id := fmt.Sprint("c", i)
		by := taken(id)
		told := tagging("zip", "75001")
		told.Org, told.Call, told.Epoch, told.Seq, told.Node, told.Time = "acme", id, 1, 7, "n1", began.Add(7*time.Second)
		told.Attrs["input"] = "zip of " + id
		by["n1"] = append(by["n1"], told)
		n1 := &journal{t: t, log: s, id: "n1 of " + id, node: "n1"}
		n2 := &journal{t: t, log: s, id: "n2 of " + id, node: "n2"}
		receive := func(in store.Input) func() {
			in.Call = id
			return func() {
				if _, err := s.Receive(t.Context(), "acme", in); err != nil {
					t.Error(err)
				}
			}
		}
		conclude := func() {
			if _, err := s.Conclude(t.Context(), began); err != nil {
				t.Error(err)
			}
		}
		n1.send(began, by["n1"][0])
		steps := []func(){
			func() { n1.send(began.Add(time.Hour), by["n1"][1:]...) },
			func() { n2.send(began.Add(time.Hour), by["n2"]...) },
			receive(input("zip of "+id, tagging("zip", "75001"), paying(store.Payout, "25"))),
			receive(input("sale of "+id, paying(store.Revenue, "40"), converting(true))),
			conclude, conclude,
		}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range append(steps, conclude) {
			step()
		}
		c := got(t, s, id)
		sums := make(map[store.MoneyKind]string)
		for _, m := range c.Ledger {
			sums[m.Kind] += m.Sum.String() + " "
		}
		is := fmt.Sprint(c.State, c.Revenue, c.Payout, *c.Converted, text(tagsOf(c)), len(c.Tags), sums)
		if want == "" {
			want = is
		}
		if is != want {
			t.Errorf("%s\nin another order %s", is, want)
		}
	}
}

func inputsAtOnce(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:2]...)
	const senders, each = 4, 10
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			for k := range each {
				in := to("c1", input(fmt.Sprintf("in-%d-%d", i, k), tagging(fmt.Sprintf("t%d-%d", i, k), "1"), paying(store.Revenue, fmt.Sprintf("%d.%02d", i+1, k))))
				if _, err := s.Receive(t.Context(), "acme", in); err != nil {
					t.Error(err)
				}
				if _, err := s.Conclude(t.Context(), began); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() { j.send(began, events[2:]...) })
	all.Wait()
	if _, err := s.Conclude(t.Context(), began); err != nil {
		t.Error(err)
	}
	c := got(t, s, "c1")
	if len(tagsOf(c)) != senders*each || len(c.Ledger) != senders*each || len(c.Events) != 4+2*senders*each {
		t.Errorf("%d tags, %d entries, %d events", len(tagsOf(c)), len(c.Ledger), len(c.Events))
	}
	for i, m := range c.Ledger[1:] {
		if *m.Replaced != c.Ledger[i].Sum {
			t.Errorf("entry %d replaced %s, which was %s", i+1, m.Replaced, c.Ledger[i].Sum)
		}
	}
}

func boundedInputs(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	j.send(began, simple("acme", "live", began)[:2]...)
	full := func(in store.Input) {
		t.Helper()
		if r, err := s.Receive(t.Context(), "acme", in); !errors.Is(err, store.ErrTooMany) {
			t.Errorf("one more: %+v %v", r, err)
		}
	}
	for i := range store.MaxInputs {
		receive(t, s, to("live", input(fmt.Sprint("in-", i), tagging("state", "TX"))), "live", store.Passed)
		receive(t, s, waiting(fmt.Sprint("wait-", i), "+1", began, time.Hour, tagging("state", "TX")), "", store.Waiting)
	}
	full(to("live", input("in-more", tagging("state", "TX"))))
	full(waiting("wait-more", "1", began, time.Hour, tagging("state", "TX")))
	receive(t, s, waiting("another", "2", began, time.Hour, tagging("state", "TX")), "", store.Waiting)
	j.send(began, simple("acme", "ended", began)...)
	many := make([]call.Event, store.MaxAfter)
	for i := range many {
		many[i] = tagging(fmt.Sprint("t", i), "1")
	}
	receive(t, s, to("ended", input("many", many...)), "ended", slices.Repeat([]store.Outcome{store.Applied}, len(many))...)
	full(to("ended", input("more", tagging("state", "TX"))))
}

func inputsRefused(t *testing.T, s store.Store) {
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)...)
	long := to("c1", input("in-1", tagging("state", "TX")))
	long.Key = fmt.Sprintf("%0300d", 1)
	for name, in := range map[string]store.Input{
		"the end of a call":      to("c1", input("in-1", call.Event{Type: call.Ended})),
		"no id":                  to("c1", input("", tagging("state", "TX"))),
		"neither call, caller":   input("in-1", tagging("state", "TX")),
		"a key that is too long": long,
	} {
		if r, err := s.Receive(t.Context(), "acme", in); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
	if c := got(t, s, "c1"); len(c.Events) != 4 {
		t.Errorf("the events are %s", text(c.Events))
	}
}

// told notes what a publisher is told.
type told struct {
	sync.Mutex
	records []string // of calls, with new events
}

// Publish implements store.Publisher.
func (p *told) Publish(c *store.Call, news []call.Event) []store.Message {
	p.Lock()
	defer p.Unlock()
	for _, e := range news {
		p.records = append(p.records, fmt.Sprintf("%s %s %d tags, revenue %v", c.State, e.Type, len(tagsOf(c)), c.Revenue))
	}
	return nil
}

func inputsTold(t *testing.T, s store.Store) {
	var p told
	s.Publish(&p)
	j := newJournal(t, s, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:1]...)
	receive(t, s, to("c1", input("in-1", paying(store.Revenue, "40"))), "c1", store.Queued)
	j.send(began, events[3])
	conclude(t, s, began, 1)
	receive(t, s, to("c1", input("in-2", tagging("state", "TX"), paying(store.Revenue, "40"))), "c1", store.Applied, store.Unchanged)
	if want := []string{"open call.started 0 tags, revenue <nil>", "complete call.ended 0 tags, revenue <nil>",
		"complete call.revenue_updated 0 tags, revenue 40.00 USD", "complete call.tags_updated 1 tags, revenue 40.00 USD"}; !slices.Equal(p.records, want) {
		t.Errorf("told was %q, not %q", p.records, want)
	}
}
