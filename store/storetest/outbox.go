package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

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
		"what waits for an endpoint that is disabled is removed":      disabledPruned,
		"nodes that claim and finish at once lose and double nothing": atOnceOutbox,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
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
