package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// assorted appends calls of every sort, many of which begin at the same time, and
// returns them, newest first, as far as they differ in time.
func assorted(t *testing.T, log store.Log, org string, n int) []*store.Call {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	j := newJournal(t, log, "n1")
	j.id += " for " + org
	var batch []call.Event
	var calls []*store.Call
	for i := range n {
		id := fmt.Sprintf("%08x-%s", random.Uint32(), org)
		events := []call.Event{{Type: call.Started, Attrs: map[string]string{
			"from": pick("+13105550111", "13105550111", "+13105550122", "anonymous"), "to": pick("+15550100", "15550100", "+15550101"),
			"campaign": pick("roofing", "roofing", "windows", "")}}}
		for range random.IntN(3) {
			events = append(events, call.Event{Type: call.Tagged, Attrs: map[string]string{
				"tag": pick("state", "zip"), "value": pick("TX", "FL", "", "a=b", strings.Repeat("long", 50)+pick("1", "2")), "source": "flow"}})
		}
		for k := range random.IntN(4) {
			target := pick("alice", "bob")
			events = append(events, call.Event{Type: call.TargetDialed, Target: target, Leg: fmt.Sprint("leg", k)},
				call.Event{Type: call.TargetFailed, Target: target, Leg: fmt.Sprint("leg", k), Cause: call.UserBusy})
		}
		if random.IntN(2) == 0 {
			events = append(events, call.Event{Type: call.Converted, Attrs: map[string]string{"converted": pick("true", "false")}})
		}
		switch random.IntN(5) {
		case 0: // it goes on
		case 1: // an earlier controller that nothing is known of
			events = append(events, call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": "gone"}})
			fallthrough
		default:
			events = append(events, call.Event{Type: call.Ended, Cause: call.Cause(pick("NORMAL_CLEARING", "NORMAL_CLEARING", "USER_BUSY", "NO_ANSWER"))})
		}
		events = story(org, id, "n1", 1, began.Add(time.Duration(i/7)*time.Minute), events...)
		batch = append(batch, events...)
		c := store.Project(events)
		calls = append(calls, c)
	}
	j.send(began.Add(time.Hour), batch...)
	slices.Reverse(calls)
	return calls
}

// pages reads a search to its end, and returns the ids it found.
func pages(t *testing.T, log store.Log, org string, q store.Query) (ids []string) {
	t.Helper()
	for {
		page, err := log.Search(t.Context(), org, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		if len(page.Calls) > q.Limit {
			t.Fatalf("a page of %d has %d calls", q.Limit, len(page.Calls))
		}
		for i, c := range page.Calls {
			ids = append(ids, c.ID)
			if i > 0 && c.Started.After(page.Calls[i-1].Started) {
				t.Errorf("%+v: %s is before a later one", q, c.ID)
			}
		}
		if page.Next == "" {
			return ids
		}
		q.After = page.Next
	}
}

func foundByFields(t *testing.T, log store.Store) {
	calls := assorted(t, log, "acme", 200)
	assorted(t, log, "other", 50)
	converted := true
	fields := []store.Query{
		{}, {From: began.Add(5 * time.Minute)}, {To: began.Add(5 * time.Minute)}, {From: began.Add(3 * time.Minute), To: began.Add(9 * time.Minute)},
		{Number: "+15550101"}, {Number: "15550100"}, {Caller: "13105550122"}, {Caller: "+13105550111"}, {Caller: "anonymous"}, {Caller: "nobody"},
		{Campaign: "roofing"}, {Campaign: "windows"}, {Target: "alice"}, {Target: "bob"}, {Target: "carol"},
		{Tag: "state"}, {Tag: "zip"}, {Tag: "state=TX"}, {Tag: "zip="}, {Tag: "zip=a=b"}, {Tag: "state=" + strings.Repeat("long", 50) + "1"}, {Tag: "none"},
		{Cause: call.NormalClearing}, {Cause: call.UserBusy}, {State: store.Open}, {State: store.Settling}, {State: store.Complete}, {State: store.Incomplete},
		{Converted: new(bool)}, {Converted: &converted},
	}
	for _, a := range fields {
		for _, b := range fields {
			q := both(a, b)
			q.Limit = 13
			var want []string
			for _, c := range calls {
				if q.Matches(c) {
					want = append(want, c.ID)
				}
			}
			got := pages(t, log, "acme", q)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%+v: %d calls, want %d", q, len(got), len(want))
			}
		}
	}
}

// both returns a query for what two ask for; of a field that both have, the first's.
func both(a, b store.Query) store.Query {
	if a.From.IsZero() {
		a.From = b.From
	}
	if a.To.IsZero() {
		a.To = b.To
	}
	if a.Converted == nil {
		a.Converted = b.Converted
	}
	for _, f := range []struct{ to, from *string }{
		{&a.Number, &b.Number}, {&a.Caller, &b.Caller}, {&a.Campaign, &b.Campaign}, {&a.Target, &b.Target}, {&a.Tag, &b.Tag},
		{(*string)(&a.Cause), (*string)(&b.Cause)}, {(*string)(&a.State), (*string)(&b.State)},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	return a
}

func pagesToTheEnd(t *testing.T, log store.Store) {
	calls := assorted(t, log, "acme", 100)
	for _, limit := range []int{1, 3, 7, 99, 100, 101, 1000} {
		got := pages(t, log, "acme", store.Query{Limit: limit})
		if distinct := slices.Compact(slices.Sorted(slices.Values(got))); len(got) != len(calls) || len(distinct) != len(calls) {
			t.Errorf("pages of %d: %d calls, %d of them different, want %d", limit, len(got), len(distinct), len(calls))
		}
	}
	page, err := log.Search(t.Context(), "acme", store.Query{})
	if err != nil || len(page.Calls) != 50 || page.Next == "" {
		t.Errorf("a page has %d calls without a limit, %v", len(page.Calls), err)
	}
	// Calls that come meanwhile do not shift the pages behind.
	second, err := log.Search(t.Context(), "acme", store.Query{After: page.Next})
	if err != nil {
		t.Fatal(err)
	}
	newJournal(t, log, "n2").send(began, simple("acme", "just now", began.Add(time.Hour))...)
	again, err := log.Search(t.Context(), "acme", store.Query{After: page.Next})
	if err != nil || text(second) != text(again) {
		t.Errorf("the second page has changed: %v", err)
	}
}

func queriesRefused(t *testing.T, log store.Store) {
	assorted(t, log, "acme", 60)
	page, err := log.Search(t.Context(), "acme", store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    store.Query
		want string
	}{
		{store.Query{Limit: -1}, "limit: -1 is not between 1 and 1000"},
		{store.Query{Limit: 1001}, "limit: 1001 is not between 1 and 1000"},
		{store.Query{State: "finished"}, `state: "finished" is not open, settling, complete or incomplete`},
		{store.Query{After: "x"}, `after: "x" is not the next of a page`},
		{store.Query{After: page.Next + "A"}, fmt.Sprintf("after: %.40q is not the next of a page", page.Next+"A")},
		{store.Query{After: strings.ToUpper(page.Next)}, fmt.Sprintf("after: %.40q is not the next of a page", strings.ToUpper(page.Next))},
	} {
		_, err := log.Search(t.Context(), "acme", c.q)
		if wrong := (*store.QueryError)(nil); !errors.As(err, &wrong) || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.q, err, c.want)
		}
	}
}

// FoundByPart tests that a call is found by a part of its id, which RunLog does too.
func FoundByPart(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	for _, id := range []string{"abcd-1", "abcd-2", "abce", "abcd", "b", "é-1", "Abcd-1", "ABCE", "e-1"} {
		j.send(began, simple("acme", id, began)...)
	}
	j.send(began, simple("other", "zzz", began)...)
	for part, want := range map[string]string{"abcd-1": "abcd-1", "abcd-": "", "abcd": "abcd", "abce": "abce", "b": "b", "é": "é-1", "a": "", "AB": "ABCE", "Ab": "Abcd-1"} {
		c, err := log.Call(t.Context(), "acme", part)
		if ambiguous := (*store.AmbiguousError)(nil); want == "" && !errors.As(err, &ambiguous) {
			t.Errorf("%s: %v", part, err)
		}
		if want != "" && (err != nil || c.ID != want) {
			t.Errorf("%s: %v %v", part, c, err)
		}
	}
	for _, part := range []string{"", "z", "zzz", "abcf", "abcd-11", "%", "_"} {
		if c, err := log.Call(t.Context(), "acme", part); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v %v", part, c, err)
		}
	}
}

func organizations(t *testing.T, log store.Store) {
	if orgs, err := log.Organizations(t.Context()); err != nil || len(orgs) > 0 {
		t.Errorf("of no call: %q, %v", orgs, err)
	}
	j := newJournal(t, log, "n1")
	for i, org := range []string{"other", "acme", "", "acme"} {
		j.send(began, simple(org, fmt.Sprint("c", i), began)...)
	}
	if orgs, err := log.Organizations(t.Context()); err != nil || !slices.Equal(orgs, []string{"", "acme", "other"}) {
		t.Errorf("got %q, %v", orgs, err)
	}
}

func sameIDs(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	for i, org := range []string{"acme", "", "other"} {
		j.send(began, simple(org, "c1", began.Add(time.Duration(i)*time.Hour))[:i+2]...)
	}
	for i, org := range []string{"acme", "", "other"} {
		expect(t, log, org, "c1", simple(org, "c1", began.Add(time.Duration(i)*time.Hour))[:i+2], "")
		if ids := pages(t, log, org, store.Query{Limit: 10}); len(ids) != 1 {
			t.Errorf("organization %q has %q", org, ids)
		}
	}
}
