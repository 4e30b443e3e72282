// Package delivery sends what an outbox holds to the endpoints of organizations: each
// message at least once, signed, in the order of its call, for about three days.
//
// A Deliverer claims what is due, sends it, and tells the outbox what became of it, many
// at a time. What an operator should know:
//
//   - A message has the same webhook-id with every attempt, from every node. A receiver
//     that has seen it answers 2xx and does nothing.
//   - 2xx is success, and everything else is not, redirects too. The next attempts are
//     5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h and twice 20 h after the one before,
//     each a tenth more or less; Retry-After puts one off, by a day at most.
//   - 410 disables an endpoint at once; so does failing for three days and 20 attempts.
//   - An endpoint that is slow or fails takes no room from the others: see lane.
//   - After a kill another node, or the same one, goes on within half a minute.
package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// Queue is where deliveries come from; store.Outbox says what its methods do.
type Queue interface {
	Claim(ctx context.Context, c store.Claiming) (store.Claimed, error)
	Finish(ctx context.Context, attempts []store.Attempt) (stale []int64, err error)
	Extend(ctx context.Context, node string, lease time.Duration, deliveries []store.Lease) error
	Forsake(ctx context.Context, node string) error
}

// Lanes is what the outbox knows of endpoints; store.Outbox says what its methods do.
type Lanes interface {
	Lanes(ctx context.Context, org string) ([]store.Lane, error)
	Deliveries(ctx context.Context, org string, q store.DeliveryQuery) (store.DeliveryPage, error)
	Disable(ctx context.Context, org, endpoint, why string) (bool, error)
	Enable(ctx context.Context, org, endpoint string) error
	Send(ctx context.Context, m store.Message) error
}

// Outbox is what a Deliverer needs of a store.
type Outbox interface {
	Queue
	Lanes
}

// Client sends a request; an error means that there is no answer. See webhooks.Client,
// whose Cut and Final suit here.
type Client interface {
	Request(ctx context.Context, r call.Request) (call.Response, error)
}

// Endpoint is where an organization has messages sent.
type Endpoint interface {
	// Render makes the request for a message, but for the headers of Standard Webhooks.
	// The values of hidden are in it, and nobody may see them. An error holds none; it is a
	// failure of the endpoint unless it is a *store.UnavailableError.
	Render(ctx context.Context, m store.Message) (r call.Request, hidden []string, err error)
	// AtOnce is how many requests may be under way to it, from each node.
	AtOnce() int
	// Enabled says whether it is sent anything; what is due waits.
	Enabled() bool
}

// Turn is how the state of an endpoint has changed, as this node sees it.
type Turn string

// The turns.
const (
	Works    Turn = "works"    // it takes messages again
	Fails    Turn = "fails"    // one attempt after the other
	Disabled Turn = "disabled" // it is sent nothing more until it is enabled
	Gone     Turn = "gone"     // it is no longer configured: what was for it is dropped
)

// Times of a deliverer.
const (
	lease       = 25 * time.Second      // of a claim, renewed while an attempt takes longer
	renewal     = 8 * time.Second       // after which a lease is renewed
	pace        = 20 * time.Millisecond // from one claim to the next; as long as a claim takes, at most
	longestPace = 100 * time.Millisecond
	poll        = 2 * time.Second // for what others have put into the outbox
	gather      = 5 * time.Millisecond
	surveys     = time.Minute      // between two looks at all lanes
	patient     = 10 * time.Minute // with an endpoint that this node does not know
	limit       = 10 * time.Second // of one question to the outbox, and of making a request
	parting     = 5 * time.Second  // for what is under way in the end
)

// Bounds of a deliverer.
const (
	batch  = 500 // deliveries in one claim, attempts in one answer
	enough = 200 // attempts that are told without waiting for more
)

// DefaultAtOnce is how many requests may be under way at once unless somebody says
// otherwise.
const DefaultAtOnce = 1000

// Deliverer is the sender of one node. Set the fields before Run.
type Deliverer struct {
	Node   string
	Outbox Outbox
	Client Client
	// Secrets returns the signing secrets of an endpoint, newest first; it makes the first. Errors are as those of Endpoint.Render.
	Secrets func(ctx context.Context, org, endpoint string) ([]standard.Secret, error)

	// Requests that may be under way at once; those of slow and failing endpoints are counted apart, and half as many. DefaultAtOnce.
	AtOnce int

	// Announce makes the message that an endpoint was disabled; false: nobody wants to know. May be nil.
	Announce func(org, endpoint, why string, at time.Time) (store.Message, bool)
	// Attempted is told of every attempt, and how old the delivery was when it ended. It must not block; may be nil.
	Attempted func(a *store.Attempt, age time.Duration)
	// Turned is told when an endpoint's state changes. It must not block; may be nil.
	Turned func(l store.LaneName, to Turn, why string)
	// Problem is told when the outbox does not answer, and nil when it does again; may be nil.
	Problem func(error)

	wake    chan struct{}
	ended   chan struct{} // has one when attempts have ended
	senders sync.WaitGroup
	pending atomic.Int64
	trouble trouble

	mu     sync.Mutex
	lanes  map[store.LaneName]*lane
	holds  map[store.Lease]*hold
	done   []result
	parted bool // nothing new is begun
}

// New returns the deliverer of a node. It sends once Run runs.
func New(node string, o Outbox, c Client) *Deliverer {
	return &Deliverer{Node: node, Outbox: o, Client: c, AtOnce: DefaultAtOnce, wake: make(chan struct{}, 1), ended: make(chan struct{}, 1),
		lanes: map[store.LaneName]*lane{}, holds: map[store.Lease]*hold{}}
}

// Wake says that something may be due: whoever has put it into the outbox calls it.
func (d *Deliverer) Wake() { signal(d.wake) }

// Pending is how many deliveries waited when they were last counted, once a minute.
func (d *Deliverer) Pending() int { return int(d.pending.Load()) }

// Use has the deliverer send to these endpoints from now on. What is for others waits for
// ten minutes, and is then dropped.
func (d *Deliverer) Use(endpoints map[store.LaneName]Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, l := range d.lanes {
		if endpoints[name] == nil && l.endpoint != nil {
			l.endpoint, l.unknown = nil, time.Now()
		}
	}
	for name, e := range endpoints {
		l := d.lane(name)
		l.endpoint, l.gone = e, false
	}
	signal(d.wake)
}

// lane returns the lane of an endpoint; the caller holds mu.
func (d *Deliverer) lane(name store.LaneName) *lane {
	l := d.lanes[name]
	if l == nil {
		l = &lane{name: name, window: firstWindow, unknown: time.Now()}
		d.lanes[name] = l
	}
	return l
}

// Run sends until ctx ends, and then finishes what is under way.
func (d *Deliverer) Run(ctx context.Context) {
	// What this node had before it was started again is free at once.
	if d.insist(ctx, runner, func(ctx context.Context) error { return d.Outbox.Forsake(ctx, d.Node) }) != nil {
		return
	}
	sending, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	telling, told := context.WithCancel(context.WithoutCancel(ctx))
	defer told()
	var last sync.WaitGroup
	last.Go(func() { d.finish(telling) })
	last.Go(func() { d.tend(telling) })
	var parts sync.WaitGroup
	parts.Go(func() { d.claim(ctx, sending) })
	parts.Go(func() { d.survey(ctx) })
	parts.Wait()

	stop := time.AfterFunc(parting, abandon)
	d.mu.Lock()
	d.parted = true
	d.mu.Unlock()
	d.senders.Wait()
	stop.Stop()
	told()
	last.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	d.tell(end)
	d.trouble.report(runner, d.Outbox.Forsake(end, d.Node), d.Problem)
}

// insist asks the outbox until it answers; the error is that of ctx.
func (d *Deliverer) insist(ctx context.Context, of part, ask func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		limited, cancel := context.WithTimeout(ctx, limit)
		err := ask(limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.trouble.report(of, err, d.Problem)
		if err == nil {
			return nil
		}
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// The pauses after an outbox did not answer.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// part is a part of a deliverer: one may get no answer while others do.
type part int

// The parts.
const (
	runner part = 1 << iota
	claimer
	sender
	finisher
	tender
	surveyor
	disabler
)

// trouble is the outbox not answering.
type trouble struct {
	mu   sync.Mutex
	here part // those that get no answer
}

// report tells of it when it begins, and when it is over in all parts.
func (t *trouble) report(of part, err error, to func(error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.here
	if t.here &^= of; err != nil {
		t.here |= of
	}
	if (t.here != 0) != (was != 0) && to != nil {
		to(err)
	}
}

// sleep waits, and says whether ctx lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// signal leaves one word in a channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
