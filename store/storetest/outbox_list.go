package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

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

// writeDeliveries writes deliveries of every kind.
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

func disabledPruned(t *testing.T, s store.Store) {
	send(t, s, "c1", "crm", "m1", "m2")
	send(t, s, "c1", "ops", "m3")
	if _, err := s.Disable(t.Context(), "acme", "crm", "it answered 410"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		before time.Time
		want   []string
	}{
		{time.Now().Add(-time.Hour), []string{"m3 ops pending", "m2 crm pending", "m1 crm pending"}},
		{time.Now().Add(time.Hour), []string{"m3 ops pending"}},
	} {
		if err := s.PruneOutbox(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		if got := deliveriesOf(t, s, store.DeliveryQuery{}); !slices.Equal(got, c.want) {
			t.Errorf("before %s: there are %q, want %q", c.before, got, c.want)
		}
	}
}
