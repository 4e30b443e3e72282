package capacity

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Times of the contact with the store.
const (
	beatEvery  = time.Second            // between beats, and between probes while the store does not answer
	hurryEvery = 100 * time.Millisecond // between beats while other nodes are waited for
	beatLimit  = time.Second
	aliveFor   = 5 * time.Second // after its last beat a node counts as one
	joinAfter  = 2 * beatEvery   // by then all nodes that were there have seen a new one
	forgetRoom = time.Hour
	knowAtOnce = 1000 // targets that a beat asks about
)

// contactState is whether the store answers.
type contactState int

const (
	linkUp       contactState = iota
	linkLost                  // this node's shares decide
	linkSettling              // they still do: it answers again, but perhaps not yet with all that other nodes admitted
)

// link is what a node knows of the store and, by it, of the other nodes.
type link struct {
	state  contactState
	since  time.Time       // when it was lost, or came back
	heard  time.Time       // when the store last answered anybody
	joined time.Time       // from when on there is a share; zero: the store has never answered
	nodes  []string        // alive at the last contact, in order
	await  map[string]bool // nodes that have not beaten since the contact came back
	lost   chan struct{}   // closed when it is lost: who waits for an answer waits no longer
}

// why says in what way the contact fails.
func (l *link) why() string {
	switch l.state {
	case linkUp:
		return "no answer from the database in time"
	case linkSettling:
		return "the database is back, but not all nodes have told what they admitted"
	}
	return fmt.Sprintf("no answer from the database for %.1f s", time.Since(l.since).Seconds())
}

func (c *Capacity) state() contactState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link.state
}

// contact returns what is closed when the contact is lost; nil when there is none.
func (c *Capacity) contact() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.state != linkUp {
		return nil
	}
	return c.link.lost
}

// Met waits until the store has answered for the first time: before, this node has no
// share. It returns early when ctx ends.
func (c *Capacity) Met(ctx context.Context) {
	select {
	case <-c.first:
	case <-ctx.Done():
	}
}

// loseContact notes that a question asked at a time is not answered.
func (c *Capacity) loseContact(asked time.Time, err error) {
	c.mu.Lock()
	before := c.link.state
	if before != linkLost {
		c.link.state, c.link.since = linkLost, asked
	}
	if before == linkUp {
		close(c.link.lost)
	}
	c.mu.Unlock()
	if before == linkLost {
		return
	}
	select {
	case c.lost <- struct{}{}:
	default:
	}
	if before == linkUp && c.Contact != nil {
		c.Contact(err)
	}
}

// keepContact beats, and finds out when a store that was lost is back.
func (c *Capacity) keepContact(ctx context.Context) {
	for {
		began := time.Now()
		if err := c.beat(ctx); ctx.Err() != nil {
			return
		} else if err != nil {
			c.loseContact(began, err)
		}
		c.tellDropped()
		pause := time.NewTimer(c.pause(began))
		select {
		case <-ctx.Done():
		case <-pause.C:
		case <-c.lost:
			// What did not answer in 50 ms may do so in the next: it is asked at once, and
			// after that no more often than it should.
			select {
			case <-ctx.Done():
			case <-time.After(hurryEvery):
			}
		}
		pause.Stop()
	}
}

func (c *Capacity) pause(began time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.state == linkSettling {
		return hurryEvery
	}
	return max(0, beatEvery-time.Since(began))
}

// beat tells the store that this node lives, what it has to tell being told, and
// learns who else does and what is taken.
func (c *Capacity) beat(ctx context.Context) error {
	if err := c.flush(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	nodes, err := c.store.Beat(ctx, c.node)
	if err != nil {
		return err
	}
	c.hear()
	now := time.Now()
	c.met(nodes, now)
	claims := c.known(now)
	if len(claims) == 0 {
		return nil
	}
	own := c.snapshot(claims)
	used, err := c.store.Usage(ctx, claims)
	if err != nil {
		return err
	}
	c.told(claims, used, own)
	return nil
}

// met takes in which nodes there are.
func (c *Capacity) met(nodes []store.Node, now time.Time) {
	c.mu.Lock()
	l := &c.link
	var alive []string
	for _, n := range nodes {
		if n.Seen < aliveFor {
			alive = append(alive, n.Name)
		}
	}
	if l.joined.IsZero() {
		if l.joined = now; len(alive) > 1 {
			l.joined = now.Add(joinAfter)
		}
		l.nodes = alive
		close(c.first)
	}
	if l.state == linkLost {
		l.state, l.since, l.await = linkSettling, now, map[string]bool{}
		for _, name := range l.nodes {
			l.await[name] = name != c.node
		}
	}
	back := false
	if l.state == linkSettling {
		waits := false
		for _, n := range nodes {
			// A beat that was sent before may be done only now, by a server that hung.
			if now.Add(-n.Seen).After(l.since.Add(beatLimit)) {
				delete(l.await, n.Name)
			}
		}
		for _, w := range l.await {
			waits = waits || w
		}
		if back = !waits || now.Sub(l.since) >= aliveFor; back {
			l.state, l.lost = linkUp, make(chan struct{})
		} else {
			alive = append(alive, l.nodes...)
		}
	}
	slices.Sort(alive)
	l.nodes = slices.Compact(alive)
	c.mu.Unlock()
	if back && c.Contact != nil {
		c.Contact(nil)
	}
}

// known returns the claims to ask what is taken of the targets that are expected, or were
// wanted lately: of many, those of which the store has not told for longest.
func (c *Capacity) known(now time.Time) []call.Claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	claims := make([]call.Claim, 0, len(c.rooms))
	for at, r := range c.rooms {
		claim := call.Claim{Org: at.org, Target: at.target, At: now, Limits: r.limits}
		if r.roll(&claim); !r.expected && now.Sub(r.wanted) > forgetRoom && !r.owns() {
			delete(c.rooms, at)
			continue
		}
		claims = append(claims, claim)
	}
	if len(claims) > knowAtOnce {
		heard := func(x *call.Claim) time.Time { return c.rooms[place{x.Org, x.Target}].heard }
		slices.SortFunc(claims, func(a, b call.Claim) int { return heard(&a).Compare(heard(&b)) })
		claims = claims[:knowAtOnce]
	}
	return claims
}
