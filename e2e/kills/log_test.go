package kills

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

// drained waits until nothing of the servers' journals is missing in the database. No
// call may go on: there would always be something.
func (w *world) drained() {
	w.eventually("the journals are drained", func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.metric("hookswitch_journal_bytes_waiting") > 0 })
	})
}

// caughtUp waits until the database has all that the servers' journals recorded before
// now, and returns how long that took.
func (w *world) caughtUp() time.Duration {
	began := time.Now()
	w.eventually("the journals are drained up to now", func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *node) bool {
			return n.metric("hookswitch_drain_lag_seconds") >= time.Since(began).Seconds()
		})
	})
	return time.Since(began)
}

// metric asks a server for one of its figures.
func (n *node) metric(name string) float64 {
	resp, err := http.Get("http://" + n.http + "/metrics")
	must(n.w.t, err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			must(n.w.t, err)
			return v
		}
	}
	n.w.fatalf("server %s has no figure %s", n.name, name)
	return 0
}

// checkLog compares the call log with the journals: every call is there, whole, with
// its events in order, and no other.
func (w *world) checkLog(records map[string]*record) {
	w.t.Helper()
	s := w.log()
	defer s.Close()
	_, _, err := s.Settle(w.ctx, time.Now(), time.Minute)
	must(w.t, err)
	wrong := 0
	for id, rec := range records {
		if err := compareCall(w.ctx, s, id, rec); err != nil {
			if wrong++; wrong <= 5 {
				w.t.Errorf("call %s in the log: %v", id, err)
				w.history(id)
			}
		}
	}
	if wrong > 0 {
		w.t.Errorf("%d calls of %d are not in the log as they should be", wrong, len(records))
	}
	if found := w.inLog(); found != len(records) {
		w.t.Errorf("%d calls are in the log, %d in the journals", found, len(records))
	}
}

// log opens the call log: that of all servers, or of the one there is.
func (w *world) log() store.Store {
	w.t.Helper()
	var s store.Store
	var err error
	if w.database != "" {
		s, err = postgres.Open(w.ctx, w.database)
	} else {
		s, err = sqlite.Open(w.ctx, w.nodes[0].databaseFile())
	}
	must(w.t, err)
	return s
}

const organization = "default"

func compareCall(ctx context.Context, s store.Log, id string, rec *record) error {
	c, err := s.Call(ctx, organization, id)
	if err != nil {
		return err
	}
	if c.State != store.Complete {
		return fmt.Errorf("its state is %s, missing %v", c.State, c.Missing)
	}
	same := slices.EqualFunc(c.Events, rec.events, func(a, b call.Event) bool {
		return a.Epoch == b.Epoch && a.Seq == b.Seq && a.Node == b.Node && a.Type == b.Type && a.Time.Equal(b.Time)
	})
	if !same {
		return fmt.Errorf("it has %d events, %d in the journals: %v", len(c.Events), len(rec.events), c.Events)
	}
	return nil
}

// during lets the calls go on for a time that is itself what is tested.
func (w *world) during(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.fatalf("the time is over")
	}
}
