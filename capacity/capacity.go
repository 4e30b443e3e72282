// Package capacity counts what is taken of the limits of targets over all nodes that
// use one store, and whose turn it is: exactly while the store answers, and by this
// node's share of the room while it does not.
//
// No call waits for a store that is away: it is when it has answered nobody for
// Silence. For one that is slow a call waits no longer than Patience, but for its slot:
// that must be exact, and the store may have given it already. Questions are gathered: one
// transaction at a time asks for all that have come meanwhile. What became of a leg is
// told in order by a queue that waits for the store; nobody waits for the queue.
//
// The store not answering, a node admits up to its share: what it has, and its part of
// what was free at the last contact, computed so that the shares of all nodes together
// are no more than the limit (share.go). When the store is back, what was admitted is
// told first, and the shares hold until every node has done so (contact.go). One thing
// no node can know: what another took above its own part of the limit after the last
// contact. By that much a limit may be passed.
package capacity

import (
	"context"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Store is what nodes share. Package store says what its methods do.
type Store interface {
	Usage(ctx context.Context, claims []call.Claim) ([]call.Usage, error)
	Reserve(ctx context.Context, claims []call.Claim) ([]store.Reservation, error)
	Post(ctx context.Context, entries []store.Entry) error
	Turns(ctx context.Context, keys []store.TurnKey) ([]uint64, error)
	Beat(ctx context.Context, node string) ([]store.Node, error)
}

// Capacity is the counter of one node. Its methods are safe for concurrent use. Set the
// fields before the first use.
type Capacity struct {
	Patience time.Duration                    // that a call has for an answer; 50 ms
	Silence  time.Duration                    // that a store may keep before it is taken to be away; 1 s
	Answered func(d time.Duration, fell bool) // a question was answered, by the store or by the fallback; may be nil
	Contact  func(err error)                  // the store does not answer any more, or (nil) does again; may be nil
	Dropped  func(n int)                      // so many entries more found no place in the queue for the store; may be nil

	node  string
	store Store

	usage   gathering[[]call.Claim, []call.Usage]
	reserve gathering[*wish, store.Reservation]
	turns   gathering[store.TurnKey, uint64]

	posting chan struct{} // holds one while somebody posts the queue
	entries chan struct{}
	lost    chan struct{} // has one when the contact is lost
	first   chan struct{} // closed at the first contact

	mu    sync.Mutex
	link  link
	rooms map[place]*room
	held  map[string]map[string]*slot // what this node admitted and has not released, by call and leg
	queue []store.Entry
	over  int                      // entries that found no place, and of which Dropped was not told yet
	mine  map[store.TurnKey]uint64 // turns, as this node knows them
}

// New returns the counter of a node. It counts once Run runs.
func New(node string, s Store) *Capacity {
	c := &Capacity{Patience: 50 * time.Millisecond, Silence: time.Second, node: node, store: s, posting: make(chan struct{}, 1), entries: make(chan struct{}, 1), lost: make(chan struct{}, 1), first: make(chan struct{}),
		link: link{lost: make(chan struct{})}, rooms: map[place]*room{}, held: map[string]map[string]*slot{}, mine: map[store.TurnKey]uint64{}}
	c.usage.init(func(q []call.Claim) int { return len(q) })
	c.reserve.init(func(*wish) int { return 1 })
	c.turns.init(func(store.TurnKey) int { return 1 })
	return c
}

// Run counts until ctx ends.
func (c *Capacity) Run(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() { c.usage.run(ctx, c.askUsage) })
	wait.Go(func() { c.reserve.run(ctx, c.askReserve) })
	wait.Go(func() { c.turns.run(ctx, c.store.Turns) })
	wait.Go(func() { c.post(ctx) })
	wait.Go(func() { c.keepContact(ctx) })
	wait.Wait()
	// What the last calls told is not lost where the store answers.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatLimit)
	defer cancel()
	if err := c.flush(last); err != nil {
		c.loseContact(time.Now(), err)
	}
}

// Usage returns what others have taken, for each claim. The fallback says why it is
// what this node's share leaves; then callers who are duplicates are not known.
func (c *Capacity) Usage(ctx context.Context, claims []call.Claim) (used []call.Usage, fallback string) {
	used = make([]call.Usage, len(claims))
	var asked []call.Claim
	var at []int
	for i := range claims {
		if !claims[i].Limits.None() {
			asked, at = append(asked, clean(claims[i])), append(at, i)
		}
	}
	if len(asked) == 0 {
		return used, ""
	}
	began := time.Now()
	c.know(asked)
	got, err := ask(ctx, c, &c.usage, asked, false)
	c.answered(began, err)
	switch err {
	case nil:
	case errSlow: // whoever is not refused here is when a slot is reserved
		got, fallback = make([]call.Usage, len(asked)), slow
	default:
		got, fallback = c.shares(asked)
	}
	for i, j := range at {
		used[j] = got[i]
	}
	return used, fallback
}

// Expect says which targets have limits in the configuration in force, so that this node
// gets a share of them before a call wants them. The claims are of no call.
func (c *Capacity) Expect(targets []call.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rooms {
		r.expected = false
	}
	for i := range targets {
		r := c.room(&targets[i])
		r.limits, r.expected = targets[i].Limits, true
	}
}

// Reserve takes a slot if there is room. A target without limits has, and no slot is
// taken. A leg that has its slot here is admitted again.
func (c *Capacity) Reserve(ctx context.Context, claim call.Claim) call.Admission {
	claim = clean(claim)
	if claim.Limits.None() || c.has(&claim) {
		return call.Admission{}
	}
	began := time.Now()
	c.know([]call.Claim{claim})
	w := &wish{claim: claim}
	answer, err := ask(ctx, c, &c.reserve, w, true)
	c.answered(began, err)
	if err != nil {
		return c.admit(w, err)
	}
	return call.Admission{Refused: answer.Refused}
}

// Connected says that the leg is connected since claim.At: what it took of the caps
// stays counted.
func (c *Capacity) Connected(claim call.Claim) {
	if claim = clean(claim); claim.Limits.None() && claim.Caller == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.held[claim.Call][claim.Leg]; s != nil {
		s.connected = true
	}
	c.tell(store.Connected, claim)
}

// Release says that the leg is over, and gives back what it took.
func (c *Capacity) Release(claim call.Claim) {
	claim = clean(claim)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.held[claim.Call][claim.Leg]; s != nil {
		c.drop(s)
	} else if claim.Limits.None() {
		return
	}
	c.tell(store.Released, claim)
}

// Gone says that a switch has no channel of the call any more: what other nodes took
// for it is free.
func (c *Capacity) Gone(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell(store.Gone, clean(call.Claim{Call: id}))
}

// Left says that this node controls the call no more. What it still holds for the call
// is not given back: it is renewed by whoever controls the call, or asked for.
func (c *Capacity) Left(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.held[id] {
		c.drop(s)
	}
}

// Turn counts how often it was asked for a key, over all nodes, from 0. The fallback
// says why this node counts on alone.
func (c *Capacity) Turn(ctx context.Context, org, key string) (at uint64, fallback string) {
	k := store.TurnKey{Org: org, Key: key}
	began := time.Now()
	at, err := ask(ctx, c, &c.turns, k, false)
	c.answered(began, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		at, fallback = c.mine[k], slow
		if err != errSlow {
			fallback = c.link.why()
		}
		fallback += ": this node counts alone"
	}
	c.mine[k] = max(c.mine[k], at+1)
	return at, fallback
}

// slow is the fallback of what is not waited for.
const slow = "no answer from the database in time"

func (c *Capacity) answered(began time.Time, err error) {
	if c.Answered != nil {
		c.Answered(time.Since(began), err != nil)
	}
}
