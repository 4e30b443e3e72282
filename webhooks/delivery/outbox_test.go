package delivery

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// outbox is a store.Outbox in memory, as far as a Deliverer needs one.
type outbox struct {
	mu       sync.Mutex
	n        int64 // last delivery
	tokens   int64 // last lease
	lanes    map[store.LaneName]*row
	attempts map[int64][]store.Attempt
	ids      map[string]bool
	down     bool // it does not answer
	claims   int
	extends  int
}

// row is a lane with its deliveries, in the order in which they were made.
type row struct {
	store.Lane
	all  []*entry
	live []*entry // not done
}

type entry struct {
	store.Delivery
	until time.Time // end of the lease
	node  string
}

func newOutbox() *outbox {
	return &outbox{lanes: map[store.LaneName]*row{}, attempts: map[int64][]store.Attempt{}, ids: map[string]bool{}}
}

var errDown = errors.New("the database is away")

// answer says whether the outbox answers, and locks it if so.
func (o *outbox) answer() error {
	o.mu.Lock()
	if o.down {
		o.mu.Unlock()
		return errDown
	}
	return nil
}

func (o *outbox) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *outbox) lane(name store.LaneName) *row {
	if o.lanes[name] == nil {
		o.lanes[name] = &row{Lane: store.Lane{Org: name.Org, Endpoint: name.Endpoint}}
	}
	return o.lanes[name]
}

func (o *outbox) Send(_ context.Context, m store.Message) error {
	if err := o.answer(); err != nil {
		return err
	}
	defer o.mu.Unlock()
	if o.ids[m.ID] {
		return nil
	}
	o.ids[m.ID] = true
	for _, to := range m.To {
		o.n++
		r := o.lane(store.LaneName{Org: m.Org, Endpoint: to})
		e := &entry{Delivery: store.Delivery{ID: o.n, Lease: store.Lease{Org: m.Org, N: o.n}, Endpoint: to, Message: m, State: store.Pending, Created: time.Now(), Due: time.Now()}}
		r.all, r.live = append(r.all, e), append(r.live, e)
	}
	return nil
}

func (o *outbox) Claim(_ context.Context, c store.Claiming) (store.Claimed, error) {
	if err := o.answer(); err != nil {
		return store.Claimed{}, err
	}
	defer o.mu.Unlock()
	o.claims++
	now, out := time.Now(), store.Claimed{Next: time.Hour}
	ready := map[store.LaneName][]*entry{}
	for name := range c.Lanes {
		room := c.Lanes[name] - c.Busy[name]
		r := o.lanes[name]
		if r == nil || r.Disabled != nil {
			continue
		}
		held := map[string]bool{} // calls of which an earlier delivery is under way
		for _, e := range r.live {
			switch free := maxTime(e.until, e.Due); {
			case e.Message.Call != "" && held[e.Message.Call]:
			case free.After(now):
				out.Next = min(out.Next, free.Sub(now))
			case len(ready[name]) < room:
				ready[name] = append(ready[name], e)
			}
			if e.First == nil || now.Sub(*e.First) < store.Hold {
				held[e.Message.Call] = true
			}
		}
	}
	for turn := 0; len(out.Deliveries) < c.Limit; turn++ {
		took := false
		for _, entries := range ready {
			if turn >= len(entries) || len(out.Deliveries) == c.Limit {
				continue
			}
			e := entries[turn]
			took = true
			o.tokens++
			e.Token, e.node, e.until = o.tokens, c.Node, now.Add(c.Lease)
			out.Deliveries = append(out.Deliveries, e.Delivery)
		}
		if !took {
			break
		}
	}
	return out, nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (o *outbox) Finish(_ context.Context, attempts []store.Attempt) (stale []int64, err error) {
	if err := o.answer(); err != nil {
		return nil, err
	}
	defer o.mu.Unlock()
	for _, a := range attempts {
		o.attempts[a.N] = append(o.attempts[a.N], a)
		r := o.lane(store.LaneName{Org: a.Org, Endpoint: a.Endpoint})
		i := slices.IndexFunc(r.live, func(e *entry) bool { return e.N == a.N })
		if i < 0 || r.live[i].Token != a.Token {
			stale = append(stale, a.N)
			continue
		}
		e := r.live[i]
		if e.First == nil {
			e.First = &a.At
		}
		e.State, e.Due, e.Tries, e.Status, e.Error, e.until = a.State, a.Due, a.Try, a.Response.Status, a.Error, time.Time{}
		switch {
		case a.State == store.Delivered:
			r.Failing = nil
		case a.State != store.Dropped && r.Failing == nil:
			r.Failing = &a.At
		}
		if a.State != store.Pending {
			r.live = slices.Delete(r.live, i, i+1)
		}
	}
	return stale, nil
}

func (o *outbox) Extend(_ context.Context, node string, lease time.Duration, leases []store.Lease) error {
	if err := o.answer(); err != nil {
		return err
	}
	defer o.mu.Unlock()
	o.extends++
	for _, r := range o.lanes {
		for _, e := range r.live {
			if e.node == node && slices.Contains(leases, e.Lease) {
				e.until = time.Now().Add(lease)
			}
		}
	}
	return nil
}

func (o *outbox) Forsake(_ context.Context, node string) error {
	if err := o.answer(); err != nil {
		return err
	}
	defer o.mu.Unlock()
	for _, r := range o.lanes {
		for _, e := range r.live {
			if e.node == node {
				e.until, e.Token = time.Time{}, 0
			}
		}
	}
	return nil
}

func (o *outbox) Lanes(context.Context, string) (lanes []store.Lane, err error) {
	if err := o.answer(); err != nil {
		return nil, err
	}
	defer o.mu.Unlock()
	for _, r := range o.lanes {
		l := r.Lane
		l.Pending = len(r.live)
		lanes = append(lanes, l)
	}
	slices.SortFunc(lanes, func(a, b store.Lane) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return lanes, nil
}

func (o *outbox) Deliveries(_ context.Context, org string, q store.DeliveryQuery) (page store.DeliveryPage, err error) {
	if err := o.answer(); err != nil {
		return page, err
	}
	defer o.mu.Unlock()
	for _, e := range o.lane(store.LaneName{Org: org, Endpoint: q.Endpoint}).all {
		if e.State == q.State && len(page.Deliveries) < q.Limit {
			page.Deliveries = append(page.Deliveries, e.Delivery)
		}
	}
	return page, nil
}

func (o *outbox) Disable(_ context.Context, org, endpoint, why string) (bool, error) {
	if err := o.answer(); err != nil {
		return false, err
	}
	defer o.mu.Unlock()
	r, now := o.lane(store.LaneName{Org: org, Endpoint: endpoint}), time.Now()
	was := r.Disabled == nil
	r.Disabled, r.Why = &now, why
	return was, nil
}

func (o *outbox) Enable(_ context.Context, org, endpoint string) error {
	if err := o.answer(); err != nil {
		return err
	}
	defer o.mu.Unlock()
	r := o.lane(store.LaneName{Org: org, Endpoint: endpoint})
	r.Disabled, r.Failing = nil, nil
	for _, e := range r.live {
		e.Due = time.Now()
	}
	return nil
}

// delivery returns one, with its attempts.
func (o *outbox) delivery(n int64) store.Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.lanes {
		for _, e := range r.all {
			if e.N == n {
				d := e.Delivery
				d.Attempts = slices.Clone(o.attempts[n])
				return d
			}
		}
	}
	return store.Delivery{}
}

// put adds a message, of a call if it is named, to endpoints.
func (o *outbox) put(t *testing.T, id, callID string, to ...string) {
	t.Helper()
	err := o.Send(t.Context(), store.Message{Org: org, ID: id, Call: callID, Type: "call.ended", Time: time.Now(), Body: []byte(`{"id":"` + id + `"}`), To: to})
	if err != nil {
		t.Fatal(err)
	}
}

// states counts the deliveries of an endpoint by what became of them.
func (o *outbox) states(endpoint string) map[store.DeliveryState]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := map[store.DeliveryState]int{}
	for _, e := range o.lane(store.LaneName{Org: org, Endpoint: endpoint}).all {
		n[e.State]++
	}
	return n
}
