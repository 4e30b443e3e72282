package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// RunOutbox tests the outbox of an engine. Open opens an empty store, which is closed
// with the test.
func RunOutbox(t *testing.T, open func(testing.TB) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"what a publisher tells is written with the events":           toldWithEvents,
		"a message of an id that is known is none":                    toldOnce,
		"calls that settle are told of":                               toldOfSettling,
		"a delivery is leased to one node at a time":                  leasedOnce,
		"a lease that ended is another's, and its holder is told":     fenced,
		"leases are extended and forsaken":                            extended,
		"the deliveries of a call to an endpoint keep their order":    inOrder,
		"a delivery that fails holds up the later ones for a while":   holdsUp,
		"an endpoint has no more under way than it may":               room,
		"no endpoint waits behind another":                            fair,
		"many that are held up hide nothing behind them":              hidden,
		"a claim says when something else is due":                     nextDue,
		"an endpoint that is disabled is sent nothing":                disabled,
		"endpoints that fail are known":                               failing,
		"a delivery is returned with its message and attempts":        whole,
		"deliveries are found by every field":                         deliveriesFound,
		"pages of deliveries come to the end":                         deliveryPages,
		"a query for deliveries that cannot be meant is refused":      deliveryQueriesRefused,
		"messages are sent again":                                     resends,
		"what is old and done is removed":                             outboxPruned,
		"nodes that claim and finish at once lose and double nothing": atOnceOutbox,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// publishes tells of every event, to the endpoints.
type publishes []string

func (to publishes) Publish(c *store.Call, news []call.Event) (all []store.Message) {
	for _, e := range news {
		all = append(all, store.Message{Org: c.Org, ID: fmt.Sprintf("%s %d.%d", c.ID, e.Epoch, e.Seq), Call: c.ID, Type: string(e.Type), Time: e.Time,
			Body: []byte(`{"state":"` + string(c.State) + `"}`), To: to})
	}
	if len(news) == 0 {
		all = append(all, store.Message{Org: c.Org, ID: c.ID + " " + string(c.State), Call: c.ID, Type: "call.completed", Time: *c.Ended,
			Body: []byte(fmt.Sprintf(`{"events":%d}`, len(c.Events))), To: to})
	}
	return all
}

// worker claims as a node does.
type worker struct {
	t     testing.TB
	s     store.Store
	node  string
	lanes map[store.LaneName]int
	lease time.Duration
}

// newWorker returns one that may have many under way to the endpoints of acme.
func newWorker(t testing.TB, s store.Store, node string, endpoints ...string) *worker {
	w := &worker{t, s, node, make(map[store.LaneName]int), time.Hour}
	for _, e := range endpoints {
		w.lanes[store.LaneName{Org: "acme", Endpoint: e}] = 100
	}
	return w
}

func (w *worker) claim() store.Claimed {
	w.t.Helper()
	got, err := w.s.Claim(w.t.Context(), store.Claiming{Node: w.node, Lease: w.lease, Lanes: w.lanes, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// claims claims and wants these messages, by id, in any order.
func (w *worker) claims(ids ...string) map[string]store.Delivery {
	w.t.Helper()
	got := make(map[string]store.Delivery)
	var have []string
	for _, d := range w.claim().Deliveries {
		got[d.Message.ID] = d
		have = append(have, d.Message.ID)
	}
	slices.Sort(have)
	slices.Sort(ids)
	if !slices.Equal(have, ids) {
		w.t.Errorf("%s was given %q, wanted %q", w.node, have, ids)
	}
	return got
}

// ended is the attempt of a delivery that the endpoint answered.
func ended(d store.Delivery, node string, status int) store.Attempt {
	a := store.Attempt{Lease: d.Lease, Endpoint: d.Endpoint, Try: d.Tries + 1, Node: node, At: time.Now().UTC().Truncate(time.Microsecond), Took: 5 * time.Millisecond,
		Request: store.HTTP{Method: "POST", URL: "https://crm.example/"}, Response: store.HTTP{Status: status, Body: []byte("\x00\xff")}, State: store.Delivered}
	if status/100 != 2 {
		a.State, a.Error = store.Pending, "it was \x00 refused"
		a.Due = a.At.Add(time.Hour)
	}
	return a
}

// finish enters attempts and wants none to be stale.
func (w *worker) finish(attempts ...store.Attempt) {
	w.t.Helper()
	if stale, err := w.s.Finish(w.t.Context(), attempts); err != nil || len(stale) > 0 {
		w.t.Fatalf("stale %v %v", stale, err)
	}
}

// delivers answers deliveries with 200.
func (w *worker) delivers(all ...store.Delivery) {
	w.t.Helper()
	for _, d := range all {
		w.finish(ended(d, w.node, 200))
	}
}

// send writes messages of a call, by the ids.
func send(t testing.TB, s store.Store, call, endpoint string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := s.Send(t.Context(), store.Message{Org: "acme", ID: id, Call: call, Type: "call.test", Time: began, Body: []byte("{}"), To: []string{endpoint}}); err != nil {
			t.Fatal(err)
		}
	}
}

// deliveriesOf lists all deliveries of acme.
func deliveriesOf(t testing.TB, s store.Store, q store.DeliveryQuery) (ids []string) {
	t.Helper()
	page, err := s.Deliveries(t.Context(), "acme", q)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range page.Deliveries {
		ids = append(ids, d.Message.ID+" "+d.Endpoint+" "+string(d.State))
	}
	return ids
}

func toldWithEvents(t *testing.T, s store.Store) {
	events := simple("acme", "c1", began)
	newJournal(t, s, "n0").send(began, simple("acme", "before", began)...)
	s.Publish(publishes{"crm", "bi"})
	j := newJournal(t, s, "n1")
	j.send(began.Add(time.Minute), events[:2]...)
	j.send(began.Add(time.Minute), events...) // of which two are new
	got := deliveriesOf(t, s, store.DeliveryQuery{})
	want := []string{"c1 1.4 bi pending", "c1 1.4 crm pending", "c1 1.3 bi pending", "c1 1.3 crm pending",
		"c1 1.2 bi pending", "c1 1.2 crm pending", "c1 1.1 bi pending", "c1 1.1 crm pending"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	d := newWorker(t, s, "n1", "crm").claims("c1 1.1")["c1 1.1"]
	if m := d.Message; string(m.Body) != `{"state":"open"}` || m.Org != "acme" || m.Call != "c1" || m.Type != string(call.Started) || !m.Time.Equal(began) {
		t.Errorf("the message %+v", m)
	}
	if d.Org != "acme" || d.Endpoint != "crm" || d.State != store.Pending || d.Tries != 0 || d.First != nil || d.ID != d.N || d.N == 0 || d.Token == 0 {
		t.Errorf("the delivery %+v", d)
	}
}

func toldOnce(t *testing.T, s store.Store) {
	s.Publish(publishes{"crm"})
	send(t, s, "c1", "bi", "c1 1.1")
	send(t, s, "c1", "crm", "c1 1.1")
	newJournal(t, s, "n1").send(began, simple("acme", "c1", began)[:2]...)
	other := store.Message{Org: "beta", ID: "c1 1.1", Type: "t", Time: began, To: []string{"crm"}}
	nobody := store.Message{Org: "acme", ID: "to nobody", Type: "t", Time: began}
	for _, m := range []store.Message{other, nobody} {
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := deliveriesOf(t, s, store.DeliveryQuery{}), []string{"c1 1.2 crm pending", "c1 1.1 bi pending"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func toldOfSettling(t *testing.T, s store.Store) {
	s.Publish(publishes{"crm"})
	by := taken("late")
	newJournal(t, s, "n2").send(began.Add(2*time.Minute), by["n2"]...)
	settle(t, s, began.Add(2*time.Minute), 0, 0)
	settle(t, s, began.Add(time.Hour), 0, 1)
	newJournal(t, s, "n1").send(began.Add(2*time.Minute), by["n1"]...)
	settle(t, s, began.Add(2*time.Hour), 0, 0)
	quiet := story("acme", "quiet", "n4", 2, began.Add(time.Minute), call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": "n3", "began": began.Format(time.RFC3339)}},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})
	newJournal(t, s, "n4").send(began.Add(2*time.Minute), quiet...)
	n3 := &journal{t: t, log: s, id: "journal of n3", node: "n3"}
	b := n3.batch(began)
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b = n3.batch(began.Add(time.Hour))
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	settle(t, s, began.Add(time.Hour), 1, 0)
	got := deliveriesOf(t, s, store.DeliveryQuery{Type: "call.completed"})
	if want := []string{"quiet complete crm pending", "late incomplete crm pending"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	page, err := s.Deliveries(t.Context(), "acme", store.DeliveryQuery{Call: "late", Type: string(call.Answered)})
	if err != nil || len(page.Deliveries) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	d, err := s.Delivery(t.Context(), "acme", page.Deliveries[0].ID)
	if err != nil || string(d.Message.Body) != `{"state":"complete"}` {
		t.Errorf("what made the call complete was told as %s %v", d.Message.Body, err)
	}
}

func leasedOnce(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "m1")
	send(t, s, "c2", "crm", "m2")
	n1, n2 := newWorker(t, s, "n1", "crm"), newWorker(t, s, "n2", "crm")
	got := n1.claims("m1", "m2")
	n2.claims()
	n1.delivers(got["m1"])
	n2.claims()
	if got, want := deliveriesOf(t, s, store.DeliveryQuery{}), []string{"m2 crm pending", "m1 crm delivered"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

func fenced(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "m1")
	n1, n2 := newWorker(t, s, "n1", "crm"), newWorker(t, s, "n2", "crm")
	n1.lease = 0
	old := n1.claims("m1")["m1"]
	d := n2.claims("m1")["m1"]
	if d.N != old.N || d.Token == old.Token {
		t.Errorf("leased as %+v and %+v", old.Lease, d.Lease)
	}
	for _, status := range []int{200, 500} {
		if stale, err := s.Finish(t.Context(), []store.Attempt{ended(old, "n1", status)}); err != nil || !slices.Equal(stale, []int64{d.N}) {
			t.Errorf("stale %v %v, want %d", stale, err, d.N)
		}
	}
	if err := s.Extend(t.Context(), "n1", 0, []store.Lease{old.Lease}); err != nil {
		t.Error(err)
	}
	n1.claims()
	n2.finish(ended(d, "n2", 200))
	whole, err := s.Delivery(t.Context(), "acme", d.N)
	if err != nil || whole.State != store.Delivered || len(whole.Attempts) != 3 {
		t.Errorf("%+v %v, want it delivered with three attempts", whole, err)
	}
}

func extended(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "m1")
	n1, n2 := newWorker(t, s, "n1", "crm"), newWorker(t, s, "n2", "crm")
	n1.lease = 0
	d := n1.claims("m1")["m1"]
	if err := s.Extend(t.Context(), "n2", time.Hour, []store.Lease{d.Lease}); err != nil { // it is not its own
		t.Fatal(err)
	}
	d = n1.claims("m1")["m1"]
	if err := s.Extend(t.Context(), "n1", time.Hour, []store.Lease{d.Lease}); err != nil {
		t.Fatal(err)
	}
	n2.claims()
	if err := s.Forsake(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	n2.claims()
	if err := s.Forsake(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	n2.claims("m1")
}

func inOrder(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "1a", "1b", "1c")
	send(t, s, "c1", "bi", "1x")
	send(t, s, "c2", "crm", "2a", "2b")
	send(t, s, "", "crm", "free 1", "free 2")
	n1, n2 := newWorker(t, s, "n1", "crm", "bi"), newWorker(t, s, "n2", "crm", "bi")
	got := n1.claims("1a", "1x", "2a", "free 1", "free 2")
	n2.claims()
	n1.delivers(got["2a"])
	second := n2.claims("2b")
	n1.delivers(got["1a"])
	n2.delivers(second["2b"])
	n1.delivers(n1.claims("1b")["1b"])
	n2.claims("1c")
}

func holdsUp(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "a", "b", "c", "d")
	w := newWorker(t, s, "n1", "crm")
	a := ended(w.claims("a")["a"], "n1", 500)
	a.Due = time.Now()
	w.finish(a)
	again := w.claims("a")["a"]
	if again.Tries != 1 || again.Status != 500 || again.First == nil || !again.First.Equal(a.At) || again.Error == "" {
		t.Errorf("again %+v", again)
	}
	w.delivers(again) // and the next is due at once
	b := ended(w.claims("b")["b"], "n1", 503)
	b.At = time.Now().Add(-store.Hold - time.Second).UTC().Truncate(time.Microsecond)
	w.finish(b)
	c := ended(w.claims("c")["c"], "n1", 0)
	c.State = store.GivenUp
	w.finish(c)
	w.claims("d")
}

func room(t *testing.T, s store.Store) {
	for i := range 5 {
		send(t, s, fmt.Sprint("c", i), "crm", fmt.Sprint("m", i))
		send(t, s, fmt.Sprint("c", i), "unnamed", fmt.Sprint("u", i))
	}
	crm := store.LaneName{Org: "acme", Endpoint: "crm"}
	w := newWorker(t, s, "n1", "crm")
	w.lanes[crm] = 3
	w.claims("m0", "m1", "m2")
	got, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: w.lanes, Busy: map[store.LaneName]int{crm: 3}, Limit: 100})
	if err != nil || len(got.Deliveries) > 0 {
		t.Errorf("given %+v %v", got, err)
	}
	got, err = s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: w.lanes, Busy: map[store.LaneName]int{crm: 2}, Limit: 100})
	if err != nil || len(got.Deliveries) != 1 || got.Deliveries[0].Message.ID != "m3" {
		t.Errorf("given %+v %v, want m3", got, err)
	}
	if got, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: w.lanes, Limit: 0}); err != nil || len(got.Deliveries) > 0 {
		t.Errorf("none asked for, given %+v %v", got, err)
	}
}

func fair(t *testing.T, s store.Store) {
	w := newWorker(t, s, "n1", "much")
	for i := range 50 {
		send(t, s, fmt.Sprint("c", i), "much", fmt.Sprint("much ", i))
	}
	for i := range 9 {
		e := fmt.Sprint("e", i)
		send(t, s, "c", e, e)
		w.lanes[store.LaneName{Org: "acme", Endpoint: e}] = 10
	}
	counts := make(map[string]int)
	got, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: w.lanes, Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range got.Deliveries {
		counts[d.Endpoint]++
	}
	for i := range 9 {
		if e := fmt.Sprint("e", i); counts[e] != 1 {
			t.Errorf("%d of %s in the first 20, want 1: %v", counts[e], e, counts)
		}
	}
	seen := make(map[int64]bool)
	for len(got.Deliveries) > 0 || got.Next == 0 {
		for _, d := range got.Deliveries {
			if seen[d.N] {
				t.Fatalf("%d twice", d.N)
			}
			seen[d.N] = true
		}
		if got, err = s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: w.lanes, Limit: 3}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 59 {
		t.Errorf("%d given in all, want 59", len(seen))
	}
}

// hidden has one call with more than a claim looks at.
func hidden(t *testing.T, s store.Store) {
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprint("m", i))
	}
	send(t, s, "c1", "crm", ids...)
	send(t, s, "c2", "crm", "behind")
	w := newWorker(t, s, "n1", "crm")
	w.lanes[store.LaneName{Org: "acme", Endpoint: "crm"}] = 1
	head := w.claims("m0")["m0"]
	var got store.Claimed
	for range 20 {
		if got = w.claim(); len(got.Deliveries) > 0 {
			break
		}
	}
	if len(got.Deliveries) != 1 || got.Deliveries[0].Message.ID != "behind" {
		t.Fatalf("given %+v, want what is behind", got.Deliveries)
	}
	w.delivers(head)
	w.claims("m1")
}

func nextDue(t *testing.T, s store.Store) {
	w := newWorker(t, s, "n1", "crm", "bi")
	if got := w.claim(); got.Next != time.Hour {
		t.Errorf("nothing waits, and the next is due in %s", got.Next)
	}
	send(t, s, "c1", "crm", "m1")
	send(t, s, "c2", "unnamed", "m2")
	a := ended(w.claims("m1")["m1"], "n1", 500)
	a.Due = time.Now().Add(30 * time.Minute)
	w.finish(a)
	if got := w.claim(); got.Next < 20*time.Minute || got.Next > 30*time.Minute {
		t.Errorf("the next is due in %s, want half an hour", got.Next)
	}
}

func disabled(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "m1", "m2")
	send(t, s, "c1", "bi", "m3")
	w := newWorker(t, s, "n1", "crm", "bi")
	got := w.claims("m1", "m3")
	w.finish(ended(got["m1"], "n1", 410))
	for i := range 2 {
		if did, err := s.Disable(t.Context(), "acme", "crm", "it is gone"); err != nil || did != (i == 0) {
			t.Errorf("disabled %v %v", did, err)
		}
	}
	send(t, s, "c2", "crm", "m4")
	w.claims()
	if lanes := lanesOf(t, s); lanes["crm"].Disabled == nil || lanes["crm"].Why != "it is gone" || lanes["crm"].Pending != 3 || lanes["crm"].Oldest == nil || lanes["bi"].Disabled != nil {
		t.Errorf("lanes %+v", lanes)
	}
	if err := s.Enable(t.Context(), "acme", "crm"); err != nil {
		t.Fatal(err)
	}
	if lane := lanesOf(t, s)["crm"]; lane.Disabled != nil || lane.Failing != nil || lane.Why != "" {
		t.Errorf("enabled as %+v", lane)
	}
	w.claims("m1", "m4")
}

func lanesOf(t testing.TB, s store.Store) map[string]store.Lane {
	t.Helper()
	all, err := s.Lanes(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	lanes := make(map[string]store.Lane)
	for _, l := range all {
		lanes[l.Endpoint] = l
	}
	return lanes
}

func failing(t *testing.T, s store.Store) {
	since := func(want *time.Time) {
		t.Helper()
		got := lanesOf(t, s)["crm"].Failing
		if (got == nil) != (want == nil) || got != nil && !got.Equal(*want) {
			t.Errorf("failing since %v, want %v", got, want)
		}
	}
	var ids []string
	for i := range 6 {
		ids = append(ids, fmt.Sprint("m", i))
		send(t, s, fmt.Sprint("c", i), "crm", ids[i])
	}
	w := newWorker(t, s, "n1", "crm")
	got := w.claims(ids...)
	at := func(id string, status, minute int) store.Attempt {
		a := ended(got[id], "n1", status)
		a.At = began.Add(time.Duration(minute) * time.Minute)
		return a
	}
	moment := func(minute int) *time.Time { m := began.Add(time.Duration(minute) * time.Minute); return &m }
	since(nil)
	w.finish(at("m0", 500, 2), at("m1", 503, 1))
	since(moment(1))
	w.finish(at("m2", 500, 3))
	since(moment(1))
	w.finish(at("m3", 500, 6), at("m4", 200, 5))
	since(moment(6))
	w.finish(at("m5", 204, 7))
	since(nil)
	if all, err := s.Lanes(t.Context(), ""); err != nil || len(all) != 1 || all[0].Org != "acme" {
		t.Errorf("lanes of all: %+v %v", all, err)
	}
}

func whole(t *testing.T, s store.Store) {
	if _, err := s.Delivery(t.Context(), "acme", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("there is one: %v", err)
	}
	send(t, s, "c1", "crm", "m1")
	w := newWorker(t, s, "n1", "crm")
	first := ended(w.claims("m1")["m1"], "n1", 500)
	first.Due = time.Now().UTC().Truncate(time.Microsecond)
	first.Response.Header = map[string]string{"Retry-After": "1"}
	w.finish(first)
	second := ended(w.claims("m1")["m1"], "n1", 200)
	w.finish(second)
	d, err := s.Delivery(t.Context(), "acme", first.N)
	if err != nil {
		t.Fatal(err)
	}
	first.Error = "it was \ufffd refused"
	if got, want := text(d.Attempts), text([]store.Attempt{first, second}); got != want {
		t.Errorf("attempts %s\nwant %s", got, want)
	}
	if string(d.Message.Body) != "{}" || d.State != store.Delivered || d.Tries != 2 || d.Status != 200 || d.Error != "" || d.First == nil || !d.First.Equal(first.At) || !d.Due.IsZero() {
		t.Errorf("delivery %+v", d)
	}
}

// found writes deliveries of every kind, and returns when.
func writeDeliveries(t testing.TB, s store.Store) {
	w := newWorker(t, s, "n1", "crm", "bi")
	for _, m := range []struct {
		id, call, endpoint, kind string
		status                   int
		state                    store.DeliveryState
	}{
		{"m1", "c1", "crm", "call.started", 200, store.Delivered},
		{"m2", "c1", "crm", "call.ended", 202, store.Delivered},
		{"m3", "c2", "crm", "call.started", 500, store.GivenUp},
		{"m4", "c2", "bi", "call.ended", 0, store.GivenUp},
		{"m5", "c3", "bi", "call.started", 0, store.Dropped},
		{"m6", "c4", "bi", "call.started", 500, store.Pending},
		{"m7", "c5", "crm", "call.started", 0, store.Pending},
	} {
		if err := s.Send(t.Context(), store.Message{Org: "acme", ID: m.id, Call: m.call, Type: m.kind, Time: began, Body: []byte("{}"), To: []string{m.endpoint}}); err != nil {
			t.Fatal(err)
		}
		a := ended(w.claims(m.id)[m.id], "n1", m.status)
		a.State = m.state
		w.finish(a)
	}
	send(t, s, "c6", "crm", "m8")
}

func deliveriesFound(t *testing.T, s store.Store) {
	start := time.Now()
	writeDeliveries(t, s)
	for _, c := range []struct {
		q    store.DeliveryQuery
		want string
	}{
		{store.DeliveryQuery{}, "m8 m7 m6 m5 m4 m3 m2 m1"},
		{store.DeliveryQuery{Call: "c1"}, "m2 m1"},
		{store.DeliveryQuery{Endpoint: "bi"}, "m6 m5 m4"},
		{store.DeliveryQuery{Type: "call.ended"}, "m4 m2"},
		{store.DeliveryQuery{Type: "call.started", Endpoint: "crm"}, "m7 m3 m1"},
		{store.DeliveryQuery{State: store.Pending}, "m8 m7 m6"},
		{store.DeliveryQuery{State: store.Delivered}, "m2 m1"},
		{store.DeliveryQuery{State: store.GivenUp}, "m4 m3"},
		{store.DeliveryQuery{State: store.Dropped}, "m5"},
		{store.DeliveryQuery{Status: 200}, "m1"},
		{store.DeliveryQuery{Status: 202}, "m2"},
		{store.DeliveryQuery{Status: 500}, "m6 m3"},
		{store.DeliveryQuery{Status: -1}, "m7 m5 m4"},
		{store.DeliveryQuery{From: start.Add(-time.Second)}, "m8 m7 m6 m5 m4 m3 m2 m1"},
		{store.DeliveryQuery{From: start.Add(time.Hour)}, ""},
		{store.DeliveryQuery{To: start.Add(-time.Second)}, ""},
		{store.DeliveryQuery{From: start.Add(-time.Second), To: start.Add(time.Hour), Call: "c4"}, "m6"},
		{store.DeliveryQuery{Call: "none"}, ""},
	} {
		page, err := s.Deliveries(t.Context(), "acme", c.q)
		var got []string
		for _, d := range page.Deliveries {
			got = append(got, d.Message.ID)
		}
		if err != nil || strings.Join(got, " ") != c.want || page.Next != "" {
			t.Errorf("%+v: %q %q %v, want %q", c.q, got, page.Next, err, c.want)
		}
	}
}

func deliveryPages(t *testing.T, s store.Store) {
	writeDeliveries(t, s)
	var got []string
	q := store.DeliveryQuery{Limit: 3}
	for {
		page, err := s.Deliveries(t.Context(), "acme", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			got = append(got, d.Message.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if want := "m8 m7 m6 m5 m4 m3 m2 m1"; strings.Join(got, " ") != want {
		t.Errorf("pages %q, want %s", got, want)
	}
}

func deliveryQueriesRefused(t *testing.T, s store.Store) {
	for field, q := range map[string]store.DeliveryQuery{
		"limit": {Limit: 1001}, "after": {After: "x"}, "state": {State: "odd"}, "status": {Status: 1000},
	} {
		_, err := s.Deliveries(t.Context(), "acme", q)
		if bad := (*store.QueryError)(nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

func resends(t *testing.T, s store.Store) {
	writeDeliveries(t, s)
	page, err := s.Deliveries(t.Context(), "acme", store.DeliveryQuery{Call: "c1", Type: "call.ended"})
	if err != nil || len(page.Deliveries) != 1 {
		t.Fatalf("%+v %v", page, err)
	}
	w := newWorker(t, s, "n1", "crm", "bi", "new")
	w.claims("m8")
	one := store.Resending{Delivery: page.Deliveries[0].ID}
	again := func(name string, r store.Resending, want ...string) (got map[string]store.Delivery) {
		t.Helper()
		n, err := s.Resend(t.Context(), "acme", r)
		if err != nil || n != len(want) {
			t.Errorf("%s: %d %v, want %d", name, n, err, len(want))
		}
		got = w.claims(want...)
		for _, d := range got {
			if !d.Resent || d.Tries != 0 || d.First != nil {
				t.Errorf("%s: %+v", name, d)
			}
		}
		return got
	}
	under := again("one", one, "m2")
	again("one that is under way", one)
	w.delivers(under["m2"])
	again("of no call", store.Resending{Call: "none"})
	again("of a time without any", store.Resending{From: began.Add(time.Second)})
	again("of an earlier time", store.Resending{To: began})
	for _, d := range again("those that failed", store.Resending{Failed: true, From: began, To: began.Add(time.Second)}, "m3", "m4", "m5") {
		w.delivers(d)
	}
	again("those that failed, which are delivered now", store.Resending{Failed: true})
	again("of an endpoint", store.Resending{Endpoint: "bi", Call: "c2"}, "m4")
	if d := again("to another", store.Resending{Endpoint: "crm", Call: "c2", Target: "new"}, "m3")["m3"]; d.Endpoint != "new" {
		t.Errorf("sent to %s", d.Endpoint)
	}
	if n, err := s.Resend(t.Context(), "beta", store.Resending{Call: "c1"}); err != nil || n != 0 {
		t.Errorf("another organization: %d %v", n, err)
	}
}

func outboxPruned(t *testing.T, s store.Store) {
	writeDeliveries(t, s)
	if err := s.PruneOutbox(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := deliveriesOf(t, s, store.DeliveryQuery{}); len(got) != 8 {
		t.Errorf("there are %q", got)
	}
	if err := s.PruneOutbox(t.Context(), time.Now().AddDate(0, 0, 2)); err != nil {
		t.Fatal(err)
	}
	if got, want := deliveriesOf(t, s, store.DeliveryQuery{}), []string{"m8 crm pending", "m7 crm pending", "m6 bi pending"}; !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	page, err := s.Deliveries(t.Context(), "acme", store.DeliveryQuery{Endpoint: "bi"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Delivery(t.Context(), "acme", page.Deliveries[0].ID)
	if err != nil || string(d.Message.Body) != "{}" || len(d.Attempts) > 0 {
		t.Errorf("what is pending has lost its message, or kept its attempts: %+v %v", d, err)
	}
	send(t, s, "c1", "crm", "m1") // it is forgotten
	w := newWorker(t, s, "n1", "crm")
	w.delivers(w.claims("m1", "m8")["m1"])
}

func atOnceOutbox(t *testing.T, s store.Store) {
	const calls, each, nodes = 40, 5, 3
	for i := range calls {
		var all []string
		for k := range each {
			all = append(all, fmt.Sprintf("%d.%d", i, k))
		}
		send(t, s, fmt.Sprint("c", i), fmt.Sprint("e", i%4), all...)
	}
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	results, left := make(chan []store.Delivery), calls*each
	for n := range nodes {
		go func() {
			w := newWorker(t, s, fmt.Sprint("n", n), "e0", "e1", "e2", "e3")
			for ctx.Err() == nil {
				got, err := s.Claim(ctx, store.Claiming{Node: w.node, Lease: time.Hour, Lanes: w.lanes, Limit: 10})
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				select {
				case results <- got.Deliveries: // the moment of the attempts, in one order
				case <-ctx.Done():
					return
				}
				var attempts []store.Attempt
				for _, d := range got.Deliveries {
					attempts = append(attempts, ended(d, w.node, 200))
				}
				if stale, err := s.Finish(ctx, attempts); (err != nil || len(stale) > 0) && ctx.Err() == nil {
					t.Errorf("stale %v %v", stale, err)
					return
				}
			}
		}()
	}
	last := make(map[string]string)
	for left > 0 {
		select {
		case got := <-results:
			left -= len(got)
			for _, d := range got {
				if before := last[d.Message.Call]; before >= d.Message.ID {
					t.Fatalf("%s after %s", d.Message.ID, before)
				}
				last[d.Message.Call] = d.Message.ID
			}
		case <-ctx.Done():
			t.Fatalf("%d are left", left)
		}
	}
}
