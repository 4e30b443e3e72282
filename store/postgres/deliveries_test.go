package postgres_test

import (
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// A delivery that is done while deliveries are listed is in the list once.
func TestDeliveryIsListedOnce(t *testing.T) {
	s, db := beside(t, "&pool_max_conns=1")
	if err := s.Send(t.Context(), store.Message{Org: "acme", ID: "m1", Type: "call.test", Time: time.Now(), To: []string{"crm"}}); err != nil {
		t.Fatal(err)
	}
	listed := make(chan int, 1)
	list := func() {
		page, err := s.Deliveries(t.Context(), "acme", store.DeliveryQuery{})
		if err != nil {
			t.Error(err)
		}
		listed <- len(page.Deliveries)
	}
	list() // what is asked is known to the connection then, and waits for no lock but that of a table
	<-listed
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `WITH gone AS (DELETE FROM outbox RETURNING *)
		INSERT INTO deliveries (org, n, endpoint, message, call, type, resent, created, state, tries, first, status, error, done)
		SELECT org, n, endpoint, message, call, type, resent, created, 'delivered', 1, created, 200, '', created FROM gone`); err != nil {
		t.Fatal(err)
	}
	go list()
	for waits := false; !waits && len(listed) == 0; { // it has read what is pending, and comes to what is done
		if err := tx.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'deliveries'::regclass AND NOT granted)").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-listed; n != 1 {
		t.Errorf("it is listed %d times", n)
	}
}
