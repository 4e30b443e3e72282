package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// patience is what the suite gives a call that settles.
const patience = time.Minute

// settles tries when the journal of the node from which a call was taken counts as read.
// The call began at 0 s and was taken from n1 at 60 s.
func settles(t *testing.T, log store.Store) {
	type heard struct { // of a journal of n1: when it began, and up to where it was read
		journal     string
		since, till time.Duration
		closed      bool
	}
	for i, c := range []struct {
		name  string
		heard []heard
		want  store.State
	}{
		{"nothing was ever heard of the node", nil, store.Incomplete},
		{"its journal was read up to a moment before", []heard{{"a", 0, 59 * time.Second, false}}, store.Incomplete},
		{"it was read up to the takeover", []heard{{"a", 0, time.Minute, false}}, store.Complete},
		{"it was closed before, with everything read", []heard{{"a", 0, 30 * time.Second, true}}, store.Complete},
		{"the node has begun a new one since, after its disk was lost", []heard{{"b", 2 * time.Minute, time.Hour, false}}, store.Incomplete},
		{"… and the old one was read in part", []heard{{"a", 0, 30 * time.Second, false}, {"b", 2 * time.Minute, time.Hour, false}}, store.Incomplete},
		{"… before the takeover", []heard{{"a", 0, 30 * time.Second, false}, {"b", 40 * time.Second, time.Hour, false}}, store.Incomplete},
		{"it left a journal behind long before the call", []heard{{"a", -2 * time.Hour, -time.Hour, false}, {"b", -time.Hour, time.Hour, false}}, store.Complete},
		{"it left one behind and nothing is heard of the next", []heard{{"a", -2 * time.Hour, -time.Hour, true}}, store.Incomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := fmt.Sprint("c", i)
			n1, n2 := fmt.Sprint("n1-", i), fmt.Sprint("n2-", i)
			events := story("acme", id, n2, 2, began.Add(time.Minute),
				call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": n1, "began": began.Format(time.RFC3339)}},
				call.Event{Type: call.Ended, Cause: call.NormalClearing})
			newJournal(t, log, n2).send(began.Add(2*time.Minute), events...)
			expect(t, log, "acme", id, events, store.Settling)
			settle(t, log, began.Add(2*time.Minute), 0, 0) // sees it for the first time
			settle(t, log, began.Add(2*time.Minute+patience), 0, 0)
			settle(t, log, began.Add(2*time.Minute+patience+time.Second), 0, 1)
			expect(t, log, "acme", id, events, store.Incomplete)
			if got, err := log.Call(t.Context(), "acme", id); err != nil || len(got.Missing) != 1 || got.Missing[0].Node != n1 {
				t.Errorf("missing %v %v", got.Missing, err)
			}
			for _, h := range c.heard {
				j := &journal{t: t, log: log, id: h.journal + id, node: n1}
				j.send(began.Add(h.since))
				b := j.batch(began.Add(h.till))
				b.Closed = h.closed
				if err := log.Append(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			mended := 0
			if c.want == store.Complete {
				mended = 1
			}
			settle(t, log, began.Add(time.Hour), mended, 0)
			settle(t, log, began.Add(time.Hour), 0, 0)
			expect(t, log, "acme", id, events, c.want)
		})
	}
}

func settle(t testing.TB, log store.Log, now time.Time, complete, incomplete int) {
	t.Helper()
	gotComplete, gotIncomplete, err := log.Settle(t.Context(), now, patience)
	if err != nil || gotComplete != complete || gotIncomplete != incomplete {
		t.Errorf("%d became complete and %d incomplete (%v), want %d and %d", gotComplete, gotIncomplete, err, complete, incomplete)
	}
}

// lateAgain: what is known to be there is not asked for again, whatever comes late.
func lateAgain(t *testing.T, log store.Store) {
	by := taken("c1")
	n1, n2 := newJournal(t, log, "n1"), newJournal(t, log, "n2")
	n1.send(began.Add(30*time.Second), by["n1"]...)
	n2.send(began.Add(2*time.Minute), by["n2"][:4]...)
	n1.send(began.Add(2 * time.Minute))
	n2.send(began.Add(3*time.Minute), by["n2"][4:]...)
	all := slices.Concat(by["n1"], by["n2"])
	expect(t, log, "acme", "c1", all, store.Complete)
	late := call.Event{Org: "acme", Call: "c1", Epoch: 1, Seq: 7, Node: "n1", Time: began.Add(20 * time.Second), Type: call.Step, Step: "late"}
	n1.send(began.Add(4*time.Minute), late)
	expect(t, log, "acme", "c1", append(all, late), store.Complete)
}

func prunes(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	kept := map[string]bool{"other 0": true, "acme open": true}
	for i := range 10 {
		id := fmt.Sprint("acme ", i)
		j.send(began, simple("acme", id, began.Add(time.Duration(i)*time.Hour))...)
		kept[id] = i >= 5
	}
	j.send(began, simple("other", "other 0", began)...)
	j.send(began, simple("acme", "acme open", began)[:2]...)
	j.send(began, taken("acme taken")["n2"]...)
	before := began.Add(4*time.Hour + 30*time.Minute)
	for _, want := range []int{4, 2, 0} {
		if n, err := log.Prune(t.Context(), "acme", before, 4); err != nil || n != want {
			t.Errorf("%d calls were removed (%v), want %d", n, err, want)
		}
	}
	if n, err := log.Prune(t.Context(), "acme", before.Add(time.Hour), 0); err != nil || n != 0 {
		t.Errorf("%d calls were removed of at most 0 (%v)", n, err)
	}
	for id, kept := range kept {
		org, _, _ := strings.Cut(id, " ")
		if _, err := log.Call(t.Context(), org, id); kept != (err == nil) || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: kept %t, %v", id, kept, err)
		}
	}
	j.send(began, simple("acme", "acme 0", began)...) // as new
	expect(t, log, "acme", "acme 0", simple("acme", "acme 0", began), store.Complete)
}
