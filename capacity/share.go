package capacity

import (
	"fmt"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// place is where room is wanted.
type place struct{ org, target string }

// figures are counts in the order of rules.
type figures [5]int

var rules = [...]call.Rule{call.CapHour, call.CapDay, call.CapMonth, call.CapTotal, call.Concurrency}

const concurrency = 4

func limitsOf(l call.Limits) figures { return figures{l.Hour, l.Day, l.Month, l.Total, l.Concurrency} }

func usageOf(u call.Usage) figures { return figures{u.Hour, u.Day, u.Month, u.Total, u.Concurrency} }

// periods are the hour, day and month that figures are of.
type periods [3]time.Time

func periodsOf(c *call.Claim) periods {
	f := store.FigureOf(c)
	return periods{f.Hour, f.Day, f.Month}
}

// room is what this node knows of the room at a target.
type room struct {
	limits   call.Limits
	expected bool      // it is in the configuration
	wanted   time.Time // by a call
	own      figures   // what this node took, and has not given back
	since    periods   // of own

	told    bool    // the store has ever told:
	used    figures // what all had taken,
	part    figures // what this node had of it,
	then    periods // in these periods
	pending int     // slots of own that the store does not know yet
	heard   time.Time
}

// slot is what a claim took that was admitted here.
type slot struct {
	claim     call.Claim
	since     periods
	connected bool
	pending   bool // the store does not know it yet
}

// roll begins new periods.
func (r *room) roll(c *call.Claim) {
	for i, since := range periodsOf(c) {
		if since.After(r.since[i]) {
			r.since[i], r.own[i] = since, 0
		}
	}
}

// owns says whether this node has anything of what is bounded.
func (r *room) owns() bool {
	for i, limit := range limitsOf(r.limits) {
		if r.own[i] > 0 && (limit > 0 || i == concurrency) {
			return true
		}
	}
	return false
}

// bound is a limit as this node applies it alone: to what it has itself, up to its
// share.
type bound struct {
	rule       call.Rule
	have, upTo int
}

func (b bound) String() string { return fmt.Sprintf("%d of this node's share of %d", b.have, b.upTo) }

// tightest returns the bound with the least room, of those that there are.
func (r *room) tightest(nodes, rank int) (least bound, found bool) {
	for i, b := range r.bounds(nodes, rank) {
		if limitsOf(r.limits)[i] > 0 && (!found || b.upTo-b.have < least.upTo-least.have) {
			least, found = b, true
		}
	}
	return least, found
}

// bounds returns what this node may have of each limit. nodes is 0 when it has no share:
// then it may have again what it had.
func (r *room) bounds(nodes, rank int) (out [5]bound) {
	for i, limit := range limitsOf(r.limits) {
		used, mine := r.used[i], r.part[i]
		if i < len(r.then) && !r.since[i].Equal(r.then[i]) { // nobody has had anything of the new period
			used, mine = 0, 0
		}
		upTo := mine
		if r.told && nodes > 0 {
			upTo += share(limit, used, mine, nodes, rank)
		}
		out[i] = bound{rules[i], r.own[i], upTo}
	}
	return out
}

// share returns how many more a node may take that has mine of what is used. Each node
// may have its part of the limit. What others have above theirs is not to be had, and
// what is free then is divided among those who have less: one fewer at most. So the
// shares are together no more than is free, also when a node has taken more of its
// part since the others were told.
func share(limit, used, mine, nodes, rank int) int {
	free := max(0, limit-used)
	if nodes == 1 {
		return free
	}
	part := limit / nodes
	if used-mine > part { // somebody may have more than its part
		free /= nodes - 1
	}
	if rank < limit%nodes {
		part++
	}
	return max(0, min(part-mine, free))
}

// shareOf returns by how many nodes and as which this node shares. It needs the lock.
func (c *Capacity) shareOf() (nodes, rank int) {
	l := &c.link
	if l.joined.IsZero() || time.Now().Before(l.joined) {
		return 0, 0
	}
	return len(l.nodes), slices.Index(l.nodes, c.node)
}

// know notes that targets are wanted.
func (c *Capacity) know(claims []call.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for i := range claims {
		r := c.room(&claims[i])
		r.limits, r.wanted = claims[i].Limits, now
		r.roll(&claims[i])
	}
}

func (c *Capacity) room(claim *call.Claim) *room {
	at := place{claim.Org, claim.Target}
	r := c.rooms[at]
	if r == nil {
		r = &room{since: periodsOf(claim)}
		c.rooms[at] = r
	}
	return r
}

// snapshot returns what this node has of the targets, before the store is asked: what
// it takes meanwhile must not be taken for a part of the answer.
func (c *Capacity) snapshot(claims []call.Claim) map[place]figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[place]figures, len(claims))
	for i := range claims {
		r := c.room(&claims[i])
		r.roll(&claims[i])
		if r.pending == 0 {
			out[place{claims[i].Org, claims[i].Target}] = r.own
		}
	}
	return out
}

// told takes in what the store has told.
func (c *Capacity) told(claims []call.Claim, used []call.Usage, own map[place]figures) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range claims {
		if mine, whole := own[place{claims[i].Org, claims[i].Target}]; whole {
			c.learn(&claims[i], used[i], mine)
		}
	}
}

// learn takes in what all have of a target, and this node of it. While nodes have
// not told all, or this one has not, it would be too little.
func (c *Capacity) learn(claim *call.Claim, used call.Usage, mine figures) {
	if r := c.room(claim); c.link.state == linkUp && r.pending == 0 {
		r.told, r.used, r.part, r.then, r.heard = true, usageOf(used), mine, periodsOf(claim), time.Now()
	}
}

// shares returns, as usage, what this node's shares leave of limits.
func (c *Capacity) shares(claims []call.Claim) ([]call.Usage, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes, rank := c.shareOf()
	out := make([]call.Usage, len(claims))
	for i := range claims {
		b := c.room(&claims[i]).bounds(nodes, rank)
		taken := func(i, limit int) int { return max(0, limit-max(0, b[i].upTo-b[i].have)) }
		l := claims[i].Limits
		out[i] = call.Usage{Hour: taken(0, l.Hour), Day: taken(1, l.Day), Month: taken(2, l.Month), Total: taken(3, l.Total), Concurrency: taken(concurrency, l.Concurrency)}
	}
	return out, c.link.why() + ": this node's shares; duplicate callers are not known"
}

// admit answers for the store, which failed to.
func (c *Capacity) admit(w *wish, err error) call.Admission {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slot(&w.claim) != nil { // it has answered just now
		return call.Admission{}
	}
	w.decided = true
	why := c.link.why()
	refuse := func(r call.Refusal) call.Admission {
		if err != errNotAsked { // the store may give a slot yet
			c.tell(store.Released, w.claim)
		}
		return call.Admission{Refused: &r, Fallback: why}
	}
	if err == errLeft {
		return refuse(call.Refusal{Rule: call.NotReached, Value: "the call ended"})
	}
	b, found := c.room(&w.claim).tightest(c.shareOf())
	if found && b.have >= b.upTo {
		return refuse(call.Refusal{Rule: b.rule, Value: b.String()})
	}
	s := c.take(&w.claim)
	s.pending = true
	c.room(&w.claim).pending++
	c.tell(store.Admitted, w.claim)
	if found {
		b.have++
		why += ": " + b.String()
	}
	if w.claim.Limits.Within > 0 {
		why += "; duplicate callers are not known"
	}
	return call.Admission{Fallback: why}
}

// slot returns what the claim took here, nil if it did not.
func (c *Capacity) slot(claim *call.Claim) *slot {
	if s := c.held[claim.Call][claim.Leg]; s != nil && s.claim.Org == claim.Org && s.claim.Target == claim.Target {
		return s
	}
	return nil
}

func (c *Capacity) has(claim *call.Claim) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slot(claim) != nil
}

// take counts a slot here.
func (c *Capacity) take(claim *call.Claim) *slot {
	if s := c.held[claim.Call][claim.Leg]; s != nil { // it was meant for another target
		c.drop(s)
	}
	r := c.room(claim)
	s := &slot{claim: *claim, since: r.since}
	if c.held[claim.Call] == nil {
		c.held[claim.Call] = map[string]*slot{}
	}
	c.held[claim.Call][claim.Leg] = s
	for i := range r.own {
		r.own[i]++
	}
	return s
}

// drop counts it no more.
func (c *Capacity) drop(s *slot) {
	c.stored(s)
	r := c.room(&s.claim)
	r.own[concurrency]--
	for i := range concurrency {
		if !s.connected && (i >= len(s.since) || s.since[i].Equal(r.since[i])) {
			r.own[i]--
		}
	}
	legs := c.held[s.claim.Call]
	if delete(legs, s.claim.Leg); len(legs) == 0 {
		delete(c.held, s.claim.Call)
	}
}

// stored notes that the store knows a slot, or need not.
func (c *Capacity) stored(s *slot) {
	if s.pending {
		s.pending = false
		c.room(&s.claim).pending--
	}
}
