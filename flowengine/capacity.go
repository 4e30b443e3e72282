package flowengine

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/call"
)

// Capacity counts what is taken of the limits of targets, and whose turn it is, over
// all calls of all nodes. A call waits 50 ms for usage and turns, and for a slot, which
// must be exact, until who counts has been silent for a second. After that what this node
// knows alone decides, and the fallback says why.
//
// A slot is what a claim holds that was admitted: concurrency, and one of each cap. It
// is that of a leg of a call, so that everything can be said twice. Targets without
// limits are told of as well, for those that refuse callers whom another target of the
// same buyer or campaign had.
type Capacity interface {
	// Usage returns what others have taken, for each claim, in one question. The
	// claims have no leg. What their own call reserved and did not connect is
	// not counted: a node that was lost may have left it.
	Usage(ctx context.Context, claims []call.Claim) (used []call.Usage, fallback string)
	// Reserve takes a slot if there is room: it looks and takes in one step. What the legs
	// beside it have reserved counts. A leg that has the slot is admitted again. One that has a slot at another target, which
	// a node chose that was lost before it dialled, gives that one back.
	Reserve(ctx context.Context, c call.Claim) call.Admission
	// Connected says that the leg is connected with the caller since c.At: what it
	// took of the caps stays counted. It does not wait.
	Connected(c call.Claim)
	// Release says that the leg is over and gives the slot back; if it was not
	// connected, the caps too. It does not wait.
	Release(c call.Claim)
	// Turn counts how often it was asked for a key of an organization, from 0.
	Turn(ctx context.Context, org, key string) (at uint64, fallback string)
}

// capacity returns where the engine counts: in this process alone if nothing else
// was given.
func (e *Engine) capacity() Capacity {
	if e.Capacity != nil {
		return e.Capacity
	}
	return &e.local
}

// Ended gives back what a call still holds in this process, whose end the engine has not
// seen. A Capacity that was given hears of it elsewhere.
func (e *Engine) Ended(call string) { e.local.Ended(call) }

// claim is the call's wish for room at a target, and for a leg once there is one.
func (s *Session) claim(t Target, leg string) call.Claim {
	return call.Claim{Org: s.org, Target: t.Name, Call: s.call.ID, Leg: leg, Campaign: s.campaign, Buyer: t.Buyer,
		Caller: call.PlainNumber(s.call.Caller.Number), Switch: s.call.Switch, Node: s.node, At: s.Now(), Limits: t.Limits}
}

// Room says of each target why it takes no further call at this moment, in one question;
// nil where it does. The fallback says why the figures of this node alone decided.
func (s *Session) Room(ctx context.Context, targets []Target) (refused []*call.Refusal, fallback string) {
	refused = make([]*call.Refusal, len(targets))
	var claims []call.Claim
	var of []int
	for i, t := range targets {
		if !t.Limits.None() {
			claims, of = append(claims, s.claim(t, "")), append(of, i)
		}
	}
	if len(claims) == 0 {
		return refused, ""
	}
	used, fallback := s.engine.capacity().Usage(ctx, claims)
	for j, u := range used {
		refused[of[j]] = claims[j].Limits.Refuse(u, claims[j].At)
	}
	return refused, fallback
}

// claims returns what legs want of the targets that have names.
func (s *Session) claims(legs []call.BridgeLeg) []call.Claim {
	out := make([]call.Claim, 0, len(legs))
	for _, l := range legs {
		if call.ValidNumber(l.Target) || strings.HasPrefix(l.Target, "sip:") {
			continue
		}
		t, _ := s.Target(l.Target)
		t.Name = l.Target // also of one that is no longer configured
		c := s.claim(t, l.UUID)
		for _, other := range legs {
			if other.Target == l.Target && other.UUID != l.UUID {
				c.Beside = append(c.Beside, other.UUID)
			}
		}
		out = append(out, c)
	}
	return out
}

// reserve asks for room for each leg of an attempt, takes those out of it that have
// none, and records them. The fallback says why the figures of this node alone decided.
func (s *Session) reserve(ctx context.Context, b *call.Bridge, claims []call.Claim) (refused []NotTried, fallback string) {
	for i, a := range s.engine.reserve(ctx, claims) {
		fallback = cmp.Or(a.Fallback, fallback)
		if a.Refused != nil {
			refused = append(refused, NotTried{claims[i].Target, *a.Refused})
			b.Legs = slices.DeleteFunc(b.Legs, func(l call.BridgeLeg) bool { return l.UUID == claims[i].Leg })
		}
	}
	s.NotTried(refused, fallback)
	return refused, fallback
}

// reserve asks for several at once: each may take its time.
func (e *Engine) reserve(ctx context.Context, claims []call.Claim) []call.Admission {
	if len(claims) == 1 {
		return []call.Admission{e.capacity().Reserve(ctx, claims[0])}
	}
	answers := make([]call.Admission, len(claims))
	var asked sync.WaitGroup
	for i := range claims {
		asked.Go(func() { answers[i] = e.capacity().Reserve(ctx, claims[i]) })
	}
	asked.Wait()
	return answers
}

// joined says which leg is connected, now. It is called by another goroutine.
func (s *Session) joined(claims []call.Claim, leg string) {
	for _, c := range claims {
		if c.Leg == leg {
			c.At = s.Now()
			s.engine.capacity().Connected(c)
		}
	}
}

// release says that the legs of an attempt are over, and again who was connected: no
// node may have heard of it.
func (s *Session) release(claims []call.Claim, r call.BridgeResult) {
	for _, c := range claims {
		if r.Outcome == call.Completed && r.Winner == c.Leg {
			c.At = s.Now().Add(-r.Connected)
			s.engine.capacity().Connected(c)
		}
		s.engine.capacity().Release(c)
	}
}

// Turn counts how often a key was asked for, over all calls of the organization, from
// 0: the position of a round robin. The fallback says why the count is this node's own.
func (s *Session) Turn(ctx context.Context, key string) (at uint64, fallback string) {
	return s.engine.capacity().Turn(ctx, s.org, key)
}

// The refusals of targets that were removed from the configuration or switched off in
// it.
var (
	NotConfigured = call.Refusal{Rule: call.NotConfigured, Value: "no longer configured"}
	Disabled      = call.Refusal{Rule: call.Disabled, Value: "not enabled"}
)

// NotTried is a target that is not tried, and why.
type NotTried struct {
	Target string
	call.Refusal
}

// NotTried records targets that were chosen and are not tried after all. The fallback
// says why the figures of this node alone decided that; empty where they did not.
func (s *Session) NotTried(targets []NotTried, fallback string) {
	if len(targets) == 0 {
		return
	}
	attrs := make(map[string]string, len(targets)+1)
	for _, t := range targets {
		attrs["not."+t.Target] = t.String()
	}
	if fallback != "" {
		attrs["fallback"] = fallback
	}
	s.Tell(call.Event{Type: call.NotTried, Attrs: attrs})
}
