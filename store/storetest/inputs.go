package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// RunInputs tests what an engine keeps of what comes from outside. Open opens an empty
// store, which is closed with the test.
func RunInputs(t *testing.T, open func(testing.TB) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"a call that has ended is changed at once":                 changesEnded,
		"what a call has already is unchanged":                     unchanged,
		"what a rule made of a call is told all the same":          toldAsByRule,
		"one sent a hundred times at once has one effect":          sentAtOnce,
		"a key is good for a day, and for its webhook":             keyLife,
		"a live call's input goes to its node, and the rest waits": liveInput,
		"what changed nothing then is not applied later":           unchangedInput,
		"what waits for the end comes before what comes after it":  queuedFirst,
		"a caller's call is the newest live one, else the latest":  callOfCaller,
		"a caller is known however the trunk spells the number":    callerSpelled,
		"an input waits for the caller's next call":                waitsForCall,
		"a call that began binds what was not joined":              boundByAppend,
		"nothing waits for longer than it may":                     expired,
		"a ledger only grows":                                      ledgerGrows,
		"the record is the same in whatever order all came":        inputsInAnyOrder,
		"inputs that are applied at once are all applied":          inputsAtOnce,
		"a call takes a bounded number of inputs":                  boundedInputs,
		"an input that cannot be meant is refused":                 inputsRefused,
		"what an input changes is told":                            inputsTold,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

const caller = "+13105550111"

// tagging, paying and converting are what inputs do.
func tagging(name, value string) call.Event {
	return call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": name, "value": value, "source": "webhook:leads"}}
}

func untagging(name string) call.Event {
	return call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": name, "removed": "true", "source": "webhook:leads"}}
}

func paying(kind store.MoneyKind, amount string) call.Event {
	return call.Event{Type: call.Money, Attrs: map[string]string{"kind": string(kind), "amount": amount, "currency": "USD", "source": "webhook:leads"}}
}

func converting(converted bool) call.Event {
	return call.Event{Type: call.Converted, Attrs: map[string]string{"converted": strconv.FormatBool(converted), "source": "webhook:leads"}}
}

// input makes an input of the webhook leads, which came in an hour after the calls began.
func input(id string, events ...call.Event) store.Input {
	return store.Input{ID: id, Webhook: "leads", Received: began.Add(time.Hour), Events: events}
}

func to(id string, in store.Input) store.Input {
	in.Call = id
	return in
}

// receive wants the outcomes.
func receive(t testing.TB, s store.Store, in store.Input, call string, outcomes ...store.Outcome) {
	t.Helper()
	r, err := s.Receive(t.Context(), "acme", in)
	if err != nil || r.ID != in.ID || r.Call != call || r.Repeated || !slices.Equal(r.Outcomes, outcomes) {
		t.Errorf("%s: %+v %v, want %q %v", in.ID, r, err, call, outcomes)
	}
}

func conclude(t testing.TB, s store.Store, now time.Time, changed int) {
	t.Helper()
	if n, err := s.Conclude(t.Context(), now); err != nil || n != changed {
		t.Errorf("%d calls were changed (%v), want %d", n, err, changed)
	}
}

// join wants the ids of inputs, in order.
func join(t testing.TB, s store.Store, id, caller string, ids ...string) {
	t.Helper()
	inputs, err := s.Join(t.Context(), "acme", id, caller)
	if got := idsOf(inputs); err != nil || !slices.Equal(got, ids) {
		t.Errorf("%s is joined by %q (%v), want %q", id, got, err, ids)
	}
}

func idsOf(inputs []store.Input) (ids []string) {
	for _, in := range inputs {
		ids = append(ids, in.ID)
	}
	return ids
}

// got returns a call, whose record must be that of its events.
func got(t testing.TB, s store.Store, id string) *store.Call {
	t.Helper()
	c, err := s.Call(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, "acme", id, c.Events, "")
	return c
}

// tagsOf returns the values of a call's tags.
func tagsOf(c *store.Call) map[string]string {
	tags := make(map[string]string)
	for _, t := range c.Tags {
		if t.Current {
			tags[t.Name] = t.Value
		}
	}
	return tags
}

func changesEnded(t *testing.T, s store.Store) {
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)...)
	receive(t, s, to("c1", input("in-1", tagging("state", "TX"), paying(store.Revenue, "40.125"), converting(true))), "c1", store.Applied, store.Applied, store.Applied)
	receive(t, s, to("c1", input("in-2", tagging("state", "FL"), paying(store.Revenue, "30"), paying(store.Payout, "0"))), "c1", store.Applied, store.Applied, store.Applied)
	receive(t, s, to("c1", input("in-3", untagging("state"), converting(false))), "c1", store.Applied, store.Applied)
	c := got(t, s, "c1")
	if c.State != store.Complete || text(c.Revenue) != `{"amount":"30.00","currency":"USD"}` || text(c.Payout) != `{"amount":"0.00","currency":"USD"}` ||
		c.Converted == nil || *c.Converted || len(tagsOf(c)) != 0 || len(c.Tags) != 3 {
		t.Errorf("the record is %s", text(c))
	}
	if len(c.Ledger) != 3 || c.Ledger[0].Replaced != nil || c.Ledger[1].Replaced.String() != "40.125 USD" || c.Ledger[1].Source != "webhook:leads" || !c.Ledger[1].Time.Equal(began.Add(time.Hour)) {
		t.Errorf("the ledger is %s", text(c.Ledger))
	}
	for i, e := range c.Events[4:] {
		if e.Epoch != store.AfterEpoch || e.Seq != i+1 || e.Attrs["input"] == "" {
			t.Errorf("event %s", text(e))
		}
	}
	if page, err := s.Search(t.Context(), "acme", store.Query{Tag: "state"}); err != nil || len(page.Calls) != 0 {
		t.Errorf("%d calls have a tag that was removed (%v)", len(page.Calls), err)
	}
}

func unchanged(t *testing.T, s store.Store) {
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)...)
	all := []call.Event{tagging("state", "TX"), paying(store.Revenue, "40"), paying(store.Payout, "25.00"), converting(true)}
	receive(t, s, to("c1", input("in-1", all...)), "c1", store.Applied, store.Applied, store.Applied, store.Applied)
	before := text(got(t, s, "c1"))
	all[1] = paying(store.Revenue, "40.000")
	receive(t, s, to("c1", input("in-2", all...)), "c1", store.Unchanged, store.Unchanged, store.Unchanged, store.Unchanged)
	receive(t, s, to("c1", input("in-3", untagging("no such tag"))), "c1", store.Unchanged)
	if after := text(got(t, s, "c1")); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

func toldAsByRule(t *testing.T, s store.Store) {
	events := story("acme", "c1", "n1", 1, began,
		call.Event{Type: call.Started, Attrs: map[string]string{"conversion": "0", "payout": "25.00 USD after 0"}},
		call.Event{Type: call.TargetDialed, Target: "alice", Leg: "leg-1", Attrs: map[string]string{"attempt": "1"}},
		call.Event{Type: call.Connected, Target: "alice", Leg: "leg-1", Attrs: map[string]string{"revenue": "40.00 USD after 0"}},
		call.Event{Type: call.Released, Target: "alice", Leg: "leg-1", Cause: call.NormalClearing, Millis: 45000},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})
	newJournal(t, s, "n1").send(began, events...)
	sold := converting(true)
	sold.Attrs["at"] = "2026-03-07T12:00:00Z"
	all := []call.Event{paying(store.Revenue, "40"), paying(store.Payout, "25"), converting(true)}
	receive(t, s, to("c1", input("in-1", all...)), "c1", store.Applied, store.Applied, store.Applied)
	receive(t, s, to("c1", input("in-2", sold)), "c1", store.Applied)
	receive(t, s, to("c1", input("in-3", append(all, sold)...)), "c1", store.Unchanged, store.Unchanged, store.Unchanged, store.Unchanged)
	c := got(t, s, "c1")
	if len(c.Ledger) != 4 || c.Ledger[3].Source != "webhook:leads" || c.Revenue.String() != "40.00 USD" || c.Payout.String() != "25.00 USD" {
		t.Errorf("revenue %v, payout %v, ledger %s", c.Revenue, c.Payout, text(c.Ledger))
	}
	if c.ConvertedAt == nil || c.ConvertedAt.Format(time.RFC3339) != sold.Attrs["at"] {
		t.Errorf("converted at %v, told was %s", c.ConvertedAt, sold.Attrs["at"])
	}
}

func sentAtOnce(t *testing.T, s store.Store) {
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)...)
	receipts := make([]store.Receipt, 100)
	var all sync.WaitGroup
	for i := range receipts {
		all.Go(func() {
			in := to("c1", input(fmt.Sprint("in-", i), paying(store.Revenue, "40")))
			in.Key = "same"
			var err error
			if receipts[i], err = s.Receive(t.Context(), "acme", in); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := 0
	for _, r := range receipts {
		if !r.Repeated {
			first++
		}
		if r.Repeated = receipts[0].Repeated; text(r) != text(receipts[0]) {
			t.Errorf("one answer is %s, another %s", text(receipts[0]), text(r))
		}
	}
	if c := got(t, s, "c1"); first != 1 || len(c.Ledger) != 1 || len(c.Events) != 5 || c.Events[4].Attrs["input"] != receipts[0].ID {
		t.Errorf("%d were the first; the call has %s", first, text(c.Events[4:]))
	}
}

func keyLife(t *testing.T, s store.Store) {
	newJournal(t, s, "n1").send(began, slices.Concat(simple("acme", "c1", began), simple("other", "c1", began))...)
	n := 0
	send := func(org, webhook, key string, after time.Duration, repeated bool) {
		t.Helper()
		n++
		in := to("c1", input(fmt.Sprint("in-", n), paying(store.Revenue, "40")))
		in.Webhook, in.Key, in.Received = webhook, key, began.Add(after)
		r, err := s.Receive(t.Context(), org, in)
		if err != nil || r.Repeated != repeated || (r.ID == in.ID) == repeated {
			t.Errorf("%s %s %q: %+v %v", org, webhook, key, r, err)
		}
	}
	send("acme", "leads", "k", 0, false)
	send("acme", "leads", "k", 24*time.Hour-time.Second, true)
	for _, other := range []store.Input{to("c1", input("in-other", paying(store.Revenue, "41"))), to("c2", input("in-other", paying(store.Revenue, "40")))} {
		if other.Webhook, other.Key = "leads", "k"; other.Call == "c2" {
			other.Wait = time.Hour
		}
		if r, err := s.Receive(t.Context(), "acme", other); !errors.Is(err, store.ErrKeyUsed) {
			t.Errorf("something else under the same key: %+v %v", r, err)
		}
	}
	send("acme", "sales", "k", 0, false)
	send("acme", "leads", "K", 0, false)
	send("other", "leads", "k", 0, false)
	send("acme", "leads", "", 0, false)
	send("acme", "leads", "", 0, false)
	send("acme", "leads", "k", 25*time.Hour, false)
	conclude(t, s, began.Add(25*time.Hour), 0)
	send("acme", "leads", "k", 26*time.Hour, true)
	conclude(t, s, began.Add(49*time.Hour), 0)
	send("acme", "leads", "k", 49*time.Hour, false)
	in := to("no call", input("in-x", tagging("state", "TX")))
	in.Key = "x"
	if r, err := s.Receive(t.Context(), "acme", in); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of no call: %+v %v", r, err)
	}
	in.Call = "c1" // the first had no effect, and is none
	receive(t, s, in, "c1", store.Applied)
}

func liveInput(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:2]...)
	receive(t, s, to("c1", input("in-1", tagging("state", "TX"), paying(store.Revenue, "40"), converting(true))), "c1", store.Passed, store.Queued, store.Queued)
	receive(t, s, to("c1", input("in-2", paying(store.Payout, "20"))), "c1", store.Queued)
	receive(t, s, to("c1", input("in-3", tagging("zip", "75001"))), "c1", store.Passed)
	if c := got(t, s, "c1"); len(c.Events) != 2 {
		t.Errorf("the live call was changed: %s", text(c.Events))
	}
	arrived, err := s.Arrivals(t.Context(), time.Minute)
	if err != nil || !slices.Equal(idsOf(arrived), []string{"in-1", "in-3"}) || len(arrived[0].Events) != 1 || arrived[0].Call != "c1" || arrived[0].Org != "acme" || arrived[0].N >= arrived[1].N {
		t.Errorf("%s have arrived (%v)", text(arrived), err)
	}
	if late, err := s.Arrivals(t.Context(), 0); err != nil || len(late) != 0 {
		t.Errorf("%s have arrived by now (%v)", text(late), err)
	}
	join(t, s, "c1", caller, "in-1", "in-3")
	join(t, s, "c1", caller, "in-1", "in-3") // as after a takeover
	conclude(t, s, began, 0)
	told := tagging("state", "TX")
	told.Org, told.Call, told.Epoch, told.Seq, told.Node, told.Time = "acme", "c1", 1, 4, "n1", began.Add(2500*time.Millisecond)
	told.Attrs["input"] = "in-1"
	events[3].Seq = 5
	j.send(began, events[2], told, events[3])
	conclude(t, s, began, 1)
	conclude(t, s, began, 0)
	c := got(t, s, "c1")
	if len(c.Tags) != 2 || tagsOf(c)["state"] != "TX" || tagsOf(c)["zip"] != "75001" || len(c.Ledger) != 2 || c.Converted == nil || len(c.Events) != 9 {
		t.Errorf("the record is %s", text(c))
	}
	join(t, s, "c1", caller)
}

// unchangedInput is one that found a live call as it wanted it: the call's journal says so,
// and what was written later stays.
func unchangedInput(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:2]...)
	told := []call.Event{tagging("state", "TX"), tagging("state", "TX"), tagging("state", "FL")}
	told[1].Attrs["unchanged"] = "true"
	for i := range told {
		if i < 2 {
			told[i].Attrs["input"] = fmt.Sprintf("in-%d", i+1)
			receive(t, s, to("c1", input(told[i].Attrs["input"], tagging("state", "TX"))), "c1", store.Passed)
		}
		told[i].Org, told[i].Call, told[i].Epoch, told[i].Seq, told[i].Node, told[i].Time = "acme", "c1", 1, 4+i, "n1", began.Add(2500*time.Millisecond)
	}
	events[3].Seq = 7
	j.send(began, append(append([]call.Event{events[2]}, told...), events[3])...)
	conclude(t, s, began, 0)
	if c := got(t, s, "c1"); len(c.Tags) != 2 || tagsOf(c)["state"] != "FL" {
		t.Errorf("the tags are %s", text(c.Tags))
	}
}

func queuedFirst(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:2]...)
	receive(t, s, to("c1", input("in-1", paying(store.Revenue, "40"))), "c1", store.Queued)
	j.send(began, events[2:]...)
	receive(t, s, to("c1", input("in-2", paying(store.Revenue, "50"))), "c1", store.Applied)
	conclude(t, s, began, 0)
	if c := got(t, s, "c1"); c.Revenue.String() != "50.00 USD" || len(c.Ledger) != 2 {
		t.Errorf("the ledger is %s", text(c.Ledger))
	}
}

func callOfCaller(t *testing.T, s store.Store) {
	ask := func(want string, since time.Time) {
		t.Helper()
		for _, number := range []string{caller, "13105550111"} {
			in := input("in-"+want+number, tagging("of", want))
			in.Caller, in.Since = number, since
			r, err := s.Receive(t.Context(), "acme", in)
			if want == "" && !errors.Is(err, store.ErrNotFound) || r.Call != want {
				t.Errorf("%s since %s: %+v %v, want %q", number, since, r, err, want)
			}
		}
	}
	day := began.Add(-24 * time.Hour)
	ask("", day)
	j := newJournal(t, s, "n1")
	j.send(began, simple("other", "other", began.Add(time.Hour))...)
	ask("", day)
	j.send(began, slices.Concat(simple("acme", "late", began.Add(2*time.Minute)), simple("acme", "early", began))...)
	ask("late", day)
	ask("late", began.Add(2*time.Minute))
	ask("", began.Add(3*time.Minute))
	ask("", time.Time{})
	j.send(began, slices.Concat(simple("acme", "live", began.Add(-time.Minute))[:2], simple("acme", "newer live", began.Add(time.Minute))[:2])...)
	ask("newer live", day)
	ask("newer live", time.Time{})
}

// waiting makes an input for a caller that waits.
func waiting(id, caller string, received time.Time, wait time.Duration, events ...call.Event) store.Input {
	in := input(id, events...)
	in.Caller, in.Received, in.Wait = caller, received, wait
	return in
}

func waitsForCall(t *testing.T, s store.Store) {
	now := time.Now()
	receive(t, s, waiting("in-1", caller, now, time.Hour, tagging("state", "TX"), paying(store.Revenue, "40")), "", store.Waiting, store.Waiting)
	receive(t, s, waiting("in-2", "13105550111", now, time.Hour, tagging("zip", "75001")), "", store.Waiting)
	receive(t, s, waiting("gone", caller, now.Add(-2*time.Hour), time.Hour, tagging("state", "FL")), "", store.Waiting)
	receive(t, s, waiting("other", "+13105550112", now, time.Hour, tagging("state", "FL")), "", store.Waiting)
	join(t, s, "withheld", "")
	if inputs, err := s.Join(t.Context(), "other", "c1", caller); err != nil || len(inputs) != 0 {
		t.Errorf("another organization gets %s (%v)", text(inputs), err)
	}
	join(t, s, "c1", caller, "in-1", "in-2")
	join(t, s, "c1", caller, "in-1", "in-2")
	join(t, s, "c2", caller)
	if arrived, err := s.Arrivals(t.Context(), time.Minute); err != nil || !slices.Equal(idsOf(arrived), []string{"in-1", "in-2"}) {
		t.Errorf("%s have arrived (%v)", text(arrived), err)
	}
	newJournal(t, s, "n1").send(now, simple("acme", "c1", now)...) // nobody told of the tags
	conclude(t, s, now, 1)
	if c := got(t, s, "c1"); tagsOf(c)["state"] != "TX" || tagsOf(c)["zip"] != "75001" || c.Revenue == nil {
		t.Errorf("the record is %s", text(c))
	}
}

func boundByAppend(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	received := began.Add(-time.Minute)
	receive(t, s, waiting("in-1", caller, received, time.Hour, tagging("a", "1")), "", store.Waiting)
	receive(t, s, waiting("gone", caller, received, 59*time.Second, tagging("b", "2")), "", store.Waiting)
	receive(t, s, waiting("in-2", caller, began.Add(time.Second), time.Hour, tagging("c", "3")), "", store.Waiting)
	receive(t, s, waiting("after", caller, began.Add(4*time.Second), time.Hour, tagging("d", "4")), "", store.Waiting)
	events := simple("acme", "c1", began)
	j.send(began, simple("other", "c1", began)...)
	j.send(began, events...) // at once: it was over when the store was told of it
	conclude(t, s, began, 1)
	if c := got(t, s, "c1"); text(tagsOf(c)) != `{"a":"1","c":"3"}` {
		t.Errorf("the tags are %s", text(c.Tags))
	}
	next := simple("acme", "c2", began.Add(time.Minute))
	j.send(began, next[:1]...)
	join(t, s, "c2", "", "after")
	if arrived, err := s.Arrivals(t.Context(), time.Minute); err != nil || !slices.Equal(idsOf(arrived), []string{"after"}) {
		t.Errorf("%s have arrived (%v)", text(arrived), err)
	}
	j.send(began, next[1:]...)
	conclude(t, s, began, 1)
	if c := got(t, s, "c2"); text(tagsOf(c)) != `{"d":"4"}` {
		t.Errorf("the tags are %s", text(c.Tags))
	}
}

func expired(t *testing.T, s store.Store) {
	for i := range 3 {
		receive(t, s, waiting(fmt.Sprint("in-", i), caller, began, time.Duration(i+1)*time.Minute, tagging(fmt.Sprint("t", i), "1")), "", store.Waiting)
	}
	conclude(t, s, began.Add(2*time.Minute), 0)
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)...) // at a time when all three waited
	conclude(t, s, began, 1)
	if c := got(t, s, "c1"); text(tagsOf(c)) != `{"t2":"1"}` {
		t.Errorf("the tags are %s", text(c.Tags))
	}
}
