package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

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
	newWorker(t, s, "n1", "crm").claims("c1 1.2") // it does not wait for what was known
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
