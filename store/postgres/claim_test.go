package postgres_test

import (
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// What a claim has leased is sent, though what cannot be taken could not be put off.
func TestWhatIsLeasedIsGiven(t *testing.T) {
	s, db := beside(t, "")
	if _, err := db.Exec(t.Context(), `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not put off'; END $$;
		CREATE TRIGGER refuse BEFORE UPDATE OF due ON outbox EXECUTE FUNCTION refuse()`); err != nil {
		t.Fatal(err)
	}
	lanes := map[store.LaneName]int{{Org: "acme", Endpoint: "crm"}: 1, {Org: "acme", Endpoint: "bi"}: 1}
	claims := func(id string) {
		t.Helper()
		got, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: lanes, Limit: 10})
		if err != nil || len(got.Deliveries) != 1 || got.Deliveries[0].Message.ID != id {
			t.Errorf("claimed %+v (%v), want %s", got.Deliveries, err, id)
		}
	}
	send := func(id, call, to string) {
		t.Helper()
		if err := s.Send(t.Context(), store.Message{Org: "acme", ID: id, Call: call, Type: "call.test", Time: time.Now(), To: []string{to}}); err != nil {
			t.Fatal(err)
		}
	}
	send("m1", "c1", "crm")
	send("m2", "c1", "crm")
	claims("m1")
	if _, err := s.Claim(t.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: lanes, Limit: 10}); err == nil {
		t.Error("nothing was claimed or put off, and that was not told")
	}
	send("free", "", "bi")
	claims("free")
}
