package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// RunLog tests the call log of an engine. Open opens an empty store, which is closed
// with the test.
func RunLog(t *testing.T, open func(testing.TB) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"a batch is taken in once, however often it is sent":       takenInOnce,
		"one of many senders wins":                                 oneSenderWins,
		"a batch without events moves the moment only":             momentMoves,
		"the record is that of all events, however they come":      anyOrder,
		"a node's journals are told apart":                         journalsTold,
		"nodes write one call at once":                             nodesAtOnce,
		"a node that lost its journal loses nothing that follows":  journalLost,
		"hostile values are kept":                                  hostileValues,
		"a call is found by every field":                           foundByFields,
		"pages come to the end, also where calls began together":   pagesToTheEnd,
		"a query that cannot be meant is refused":                  queriesRefused,
		"a call is found by a part of its id":                      FoundByPart,
		"organizations have calls of the same id":                  sameIDs,
		"organizations that have calls are listed":                 organizations,
		"an ended call settles when the journals have been read":   settles,
		"a call is complete at once when nothing is missing later": lateAgain,
		"old calls are removed with all that belongs to them":      prunes,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// began is when the calls of the suite begin.
var began = time.Date(2026, 3, 5, 14, 0, 0, 123456000, time.UTC)

// journal writes as a node does that drains its journal.
type journal struct {
	t    testing.TB
	log  store.Log
	id   string
	node string
	at   store.Position
}

func newJournal(t testing.TB, log store.Log, node string) *journal {
	return &journal{t: t, log: log, id: "journal of " + node, node: node}
}

// batch makes the next batch of events.
func (j *journal) batch(until time.Time, events ...call.Event) store.Batch {
	b := store.Batch{Journal: j.id, Node: j.node, From: j.at, To: j.at, Until: until}
	for _, e := range events {
		raw := text(e) + "\n"
		b.Lines = append(b.Lines, store.Line{Event: e, Raw: []byte(raw)})
		b.To.Offset += int64(len(raw))
	}
	return b
}

// send appends events.
func (j *journal) send(until time.Time, events ...call.Event) {
	j.t.Helper()
	b := j.batch(until, events...)
	if err := j.log.Append(j.t.Context(), b); err != nil {
		j.t.Fatal(err)
	}
	j.at = b.To
}

// story makes the events of a call, a second apart, from its beginning on.
func story(org, id, node string, epoch int, at time.Time, events ...call.Event) []call.Event {
	events = slices.Clone(events)
	for i := range events {
		e := &events[i]
		e.Org, e.Call, e.Epoch, e.Node, e.Seq, e.Time = org, id, epoch, node, i+1, at.Add(time.Duration(i)*time.Second)
	}
	return events
}

// simple is a call from beginning to end.
func simple(org, id string, at time.Time) []call.Event {
	return story(org, id, "n1", 1, at,
		call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550111", "to": "+15550100", "campaign": "roofing"}},
		call.Event{Type: call.Answered},
		call.Event{Type: call.Step, Step: "welcome", Kind: "menu", Exit: "1", Millis: 1200},
		call.Event{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"billed": "2000", "duration": "3000"}})
}

// taken is a call that a second node took from the first, and its events by node.
func taken(id string) map[string][]call.Event {
	from := story("acme", id, "n1", 1, began,
		call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550111", "to": "+15550100", "campaign": "roofing", "flow": "main", "version": "v1"}},
		call.Event{Type: call.Answered},
		call.Event{Type: call.Tagged, Step: "mark", Attrs: map[string]string{"tag": "state", "value": "TX", "source": "flow"}},
		call.Event{Type: call.Decided, Step: "people", Kind: "dial", Attrs: map[string]string{"order": "alice,bob", "not.carol": "closed: until Monday"}},
		call.Event{Type: call.TargetDialed, Target: "alice", Leg: "leg-1", Attrs: map[string]string{"attempt": "1", "address": "+15550142 via carrier"}},
		call.Event{Type: call.TargetFailed, Target: "alice", Leg: "leg-1", Cause: call.UserBusy})
	to := story("acme", id, "n2", 2, began.Add(time.Minute),
		call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": "n1"}},
		call.Event{Type: call.TargetDialed, Target: "bob", Leg: "leg-2", Attrs: map[string]string{"attempt": "2"}},
		call.Event{Type: call.Connected, Target: "bob", Leg: "leg-2"},
		call.Event{Type: call.Tagged, Step: "again", Attrs: map[string]string{"tag": "state", "value": "FL", "source": "flow", "replaced": "TX"}},
		call.Event{Type: call.Released, Target: "bob", Leg: "leg-2", Cause: call.NormalClearing, Millis: 2000},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})
	return map[string][]call.Event{"n1": from, "n2": to}
}

// expect compares a call with what is known of it. The state is compared only if it is
// given: it depends on the journals.
func expect(t testing.TB, log store.Log, org, id string, events []call.Event, state store.State) {
	t.Helper()
	got, err := log.Call(t.Context(), org, id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	want := store.Project(events)
	want.Org, want.ID, want.State, want.Missing = org, id, got.State, got.Missing
	if state != "" {
		want.State = state
	}
	if want, got := text(want), text(got); want != got {
		t.Errorf("%s: %s\nwanted %s", id, got, want)
	}
	row, err := log.Search(t.Context(), org, store.Query{From: want.Started, To: want.Started.Add(time.Microsecond), Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	want.Legs, want.Tags, want.WhyNot, want.Ledger, want.Events = nil, nil, nil, nil, nil
	i := slices.IndexFunc(row.Calls, func(c *store.Call) bool { return c.ID == want.ID })
	if i < 0 {
		t.Fatalf("%s is not found by its time", id)
	}
	if want, got := text(want), text(row.Calls[i]); want != got {
		t.Errorf("%s in a list: %s\nwanted %s", id, got, want)
	}
}

// text returns what is compared of a record.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func takenInOnce(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	events := simple("acme", "c1", began)
	j.send(began, events[:2]...)
	again := j.batch(began, events[2:]...)
	for i := range 3 {
		err := log.Append(t.Context(), again)
		if i == 0 && err != nil {
			t.Fatal(err)
		}
		if p := (*store.PositionError)(nil); i > 0 && (!errors.As(err, &p) || p.Have != again.To) {
			t.Errorf("sent again: %v", err)
		}
	}
	ahead := again
	ahead.From.Offset += 10
	if p := (*store.PositionError)(nil); !errors.As(log.Append(t.Context(), ahead), &p) {
		t.Error("a batch from another position is taken in")
	}
	unknown := store.Batch{Journal: "never seen", Node: "n9", From: store.Position{Segment: 1, Offset: 5}, To: store.Position{Segment: 1, Offset: 9}, Until: began}
	if p := (*store.PositionError)(nil); !errors.As(log.Append(t.Context(), unknown), &p) || p.Have != (store.Position{}) {
		t.Error("a journal may begin in its middle")
	}
	j.at = again.To
	j.send(began, events...) // as after a copy in the journal itself
	if at, err := log.Position(t.Context(), j.id); err != nil || at != j.at {
		t.Errorf("position %s %v, want %s", at, err, j.at)
	}
	if at, err := log.Position(t.Context(), "never seen"); err != nil || at != (store.Position{}) {
		t.Errorf("position of a journal that was never seen: %s %v", at, err)
	}
	expect(t, log, "acme", "c1", events, store.Complete)
}

func oneSenderWins(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	for i := range 10 {
		events := simple("acme", fmt.Sprint("c", i), began)
		b := j.batch(began, events...)
		won := make([]bool, 4)
		var all sync.WaitGroup
		for k := range won {
			all.Go(func() {
				err := log.Append(t.Context(), b)
				if p := (*store.PositionError)(nil); err != nil && !errors.As(err, &p) {
					t.Error(err)
				}
				won[k] = err == nil
			})
		}
		all.Wait()
		if winners := len(slices.DeleteFunc(won, func(w bool) bool { return !w })); winners != 1 {
			t.Errorf("%d of 4 took the batch in", winners)
		}
		j.at = b.To
		expect(t, log, "acme", fmt.Sprint("c", i), events, store.Complete)
	}
}

func momentMoves(t *testing.T, log store.Store) {
	j := newJournal(t, log, "n1")
	j.send(began)
	j.send(began.Add(time.Second))
	if at, err := log.Position(t.Context(), j.id); err != nil || at != (store.Position{}) {
		t.Errorf("position %s %v", at, err)
	}
	j.send(began, simple("acme", "c1", began)...)
	j.send(began.Add(time.Hour))
	if at, err := log.Position(t.Context(), j.id); err != nil || at != j.at {
		t.Errorf("position %s %v, want %s", at, err, j.at)
	}
}

func anyOrder(t *testing.T, log store.Store) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		id := fmt.Sprint("c", seed)
		by := taken(id)
		journals := map[string]*journal{}
		for node := range by {
			journals[node] = newJournal(t, log, node)
			journals[node].id += fmt.Sprint(seed)
		}
		var sent []call.Event
		for left := maps.Clone(by); len(left) > 0; {
			nodes := slices.Sorted(maps.Keys(left))
			node := nodes[random.IntN(len(nodes))]
			n := 1 + random.IntN(len(left[node]))
			journals[node].send(began.Add(time.Hour), left[node][:n]...)
			sent = append(sent, left[node][:n]...)
			if left[node] = left[node][n:]; len(left[node]) == 0 {
				delete(left, node)
			}
			expect(t, log, "acme", id, sent, "")
		}
	}
}

func journalsTold(t *testing.T, log store.Store) {
	closed := store.Batch{Journal: "old", Node: "n1", Until: began, Closed: true}
	for _, b := range []store.Batch{closed, {Journal: "new", Node: "n1", Until: began.Add(time.Hour)}, {Journal: "another", Node: "n2", Until: began}} {
		if err := log.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := log.Journals(t.Context(), "n1")
	if err != nil || len(got) != 2 || got[0].ID != "new" || got[0].Closed || !got[0].Until.Equal(began.Add(time.Hour)) || got[1].ID != "old" || !got[1].Closed {
		t.Errorf("journals %+v %v", got, err)
	}
}

// journalLost: the node gives places in the call that it had given before, to events of
// another time.
func journalLost(t *testing.T, log store.Store) {
	events := simple("acme", "c1", began)
	j := newJournal(t, log, "n1")
	j.send(began.Add(time.Minute), events[:3]...)
	again := []call.Event{events[2], events[3]}
	for i := range again {
		again[i].Time = again[i].Time.Add(time.Hour)
		again[i].Seq = 2 + i
	}
	other := &journal{t: t, log: log, id: "another journal of n1", node: "n1"}
	other.send(began.Add(2*time.Hour), again...)
	expect(t, log, "acme", "c1", slices.Concat(events[:3], again), store.Complete)
	other.send(began.Add(2*time.Hour), again[0]) // and what is the same is not there twice
	expect(t, log, "acme", "c1", slices.Concat(events[:3], again), store.Complete)
}

func nodesAtOnce(t *testing.T, log store.Store) {
	const calls = 20
	all := map[string][]call.Event{}
	var batches [][]call.Event // the same events of all calls, by node
	for i := range calls {
		id := fmt.Sprintf("c%02d", i)
		for node, events := range taken(id) {
			all[id] = append(all[id], events...)
			for k := range events {
				at := k
				if node == "n2" {
					at += 6
				}
				for len(batches) <= at {
					batches = append(batches, nil)
				}
				batches[at] = append(batches[at], events[k])
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var both sync.WaitGroup
	for node, mine := range map[string][][]call.Event{"n1": batches[:6], "n2": batches[6:]} {
		j := newJournal(t, log, node)
		for i := range mine { // each in an order of its own
			random.Shuffle(len(mine[i]), func(a, b int) { mine[i][a], mine[i][b] = mine[i][b], mine[i][a] })
		}
		both.Go(func() {
			for _, events := range mine {
				b := j.batch(began.Add(time.Hour), events...)
				if err := log.Append(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
				j.at = b.To
			}
		})
	}
	both.Wait()
	for id, events := range all {
		expect(t, log, "acme", id, events, "")
	}
}

func hostileValues(t *testing.T, log store.Store) {
	long := strings.Repeat("x", 60<<10)
	values := []string{"a\x00b", "\xff\xfe", long, strings.Repeat("é", 20<<10), "'; DROP TABLE calls; --", "\u202e\ufeff", "%s%n", "\\", `{"a":1}`}
	j := newJournal(t, log, "n1")
	for i, v := range values {
		id := fmt.Sprint("c", i)
		events := story("acme", id, "n1", 1, began,
			call.Event{Type: call.Started, Attrs: map[string]string{"from": v, "to": v, "name": v, "campaign": v, "sip_call_id": v, "flow": v, "began": v, "duration": v}},
			call.Event{Type: call.Tagged, Step: v, Attrs: map[string]string{"tag": v, "value": v, "source": v, "replaced": v}},
			call.Event{Type: call.Tagged, Step: v, Attrs: map[string]string{"tag": "mark", "value": v}},
			call.Event{Type: call.Decided, Step: v, Attrs: map[string]string{"not." + v: v}},
			call.Event{Type: call.TargetDialed, Target: v, Leg: v, Attrs: map[string]string{"attempt": v, "address": v}},
			call.Event{Type: call.TargetFailed, Target: v, Leg: v, Cause: call.Cause(v)},
			call.Event{Type: call.Type(v), Step: v, Kind: v, Exit: v, Why: v},
			call.Event{Type: call.Ended, Cause: call.Cause(v), Millis: 1 << 62, Attrs: map[string]string{"billed": "9223372036854775807", "ended": v}})
		for i := range events { // as they come out of a journal
			events[i] = decode(t, events[i])
		}
		j.send(began, events...)
		expect(t, log, "acme", id, events, store.Complete)
		for _, q := range []store.Query{{Caller: v}, {Number: v}, {Campaign: v}, {Target: v}, {Tag: v}, {Tag: "mark=" + v}, {Cause: call.Cause(v)}} {
			if _, err := log.Search(t.Context(), "acme", q); err != nil {
				t.Errorf("%.60q: %v", v, err)
			}
		}
		if _, err := log.Call(t.Context(), v, v); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%.20q: %v", v, err)
		}
	}
	// Names of a call itself: it is there under a name that the database takes.
	for i, v := range values {
		odd := simple(v, v, began.Add(time.Duration(i)*time.Second))
		odd[0].Epoch, odd[0].Seq, odd[0].Node = 1<<62, -1<<62, v
		odd[1].Time = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
		b := j.batch(began)
		for _, e := range odd {
			b.Lines = append(b.Lines, store.Line{Event: e, Raw: []byte("{\"call\":\"\x00\xff\"}\n")})
		}
		b.To.Offset++
		if err := log.Append(t.Context(), b); err != nil {
			t.Fatalf("%.20q: %v", v, err)
		}
		j.at = b.To
		page, err := log.Search(t.Context(), v, store.Query{})
		if err != nil || len(page.Calls) != 1 {
			t.Errorf("%.20q: %v %v", v, page.Calls, err)
		}
	}
}

func decode(t testing.TB, e call.Event) (out call.Event) {
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// SetsAside tests an engine that has been made to refuse the call of an id: the rest of a
// batch is taken in, and what the batch holds of that call is kept as it is. Rejected
// reads it.
func SetsAside(t *testing.T, log store.Log, id string, rejected func() ([]byte, error)) {
	j := newJournal(t, log, "n1")
	refused := simple("acme", id, began)
	good := [][]call.Event{simple("acme", "a", began), simple("acme", "z", began)}
	for i := range 250 {
		at := began.Add(time.Duration(i) * time.Minute)
		good = append(good, simple("beta", fmt.Sprint("a", i), at), simple("beta", fmt.Sprint("z", i), at))
	}
	b := j.batch(began, slices.Concat(append(good, refused, simple("beta", id, began))...)...)
	err := log.Append(t.Context(), b)
	if r := (*store.RejectedError)(nil); !errors.As(err, &r) || len(r.Calls) != 2 || r.Calls[0].ID != id || r.Calls[0].Org != "acme" || r.Calls[1].ID != id || r.Calls[1].Org != "beta" {
		t.Errorf("appended: %v", err)
	}
	if at, err := log.Position(t.Context(), j.id); err != nil || at != b.To {
		t.Errorf("position %s %v, want %s", at, err, b.To)
	}
	for _, events := range good {
		expect(t, log, events[0].Org, events[0].Call, events, store.Complete)
	}
	lines, err := rejected()
	if want := j.batch(began, refused...); err != nil || len(lines) == 0 || int64(len(lines)) != want.To.Offset-want.From.Offset {
		t.Errorf("%d bytes were set aside (%v)", len(lines), err)
	}
	if _, err := log.Call(t.Context(), "acme", id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the call itself: %v", err)
	}
}
