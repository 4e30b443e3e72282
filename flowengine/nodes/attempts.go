package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

const (
	noTarget = "no_target"
	tookIt   = " took the call"
)

// reached are the exits of nodes that call somebody.
var reached = []string{string(call.Completed), string(call.Busy), string(call.Unheard), string(call.Undone), noTarget}

// dialState is what such a node leaves in the checkpoint: the order that was
// chosen, by the positions of the candidates, and the attempt that is under way.
type dialState struct {
	Attempts [][]int `json:"a"`
	At       int     `json:"i"`
}

// calls is one run of a node that calls somebody.
type calls struct {
	*Calling
	*selection
	leg  func(i int) call.BridgeLeg // of a candidate
	told []string                   // what became of whom
}

// run makes one attempt after the other until one is connected, for long enough. After
// a takeover it goes on with the attempt that was under way.
func (c *calls) run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	s.Seek()
	state, err := c.order(ctx, s)
	if err != nil {
		return flowengine.Result{}, err
	}
	exit := noTarget
	for ; state.At < len(state.Attempts); state.At++ {
		legs := make([]call.BridgeLeg, len(state.Attempts[state.At]))
		for j, i := range state.Attempts[state.At] {
			legs[j] = c.leg(i)
		}
		b, err := c.bridge(s, legs)
		if err != nil {
			return flowengine.Result{}, err
		}
		r, err := s.Dial(ctx, b, state)
		if err != nil {
			c.hungUp(s, state, b.Legs, r.BridgeResult, err)
			return flowengine.Result{}, err
		}
		if done := c.tell(b.Legs, r); r.Outcome != "" {
			if exit = string(r.Outcome); done {
				c.notReached(s, state, winner(b.Legs, r.BridgeResult)+tookIt)
				break
			}
		}
	}
	return flowengine.Result{Exit: exit, Why: strings.Join(c.told, ", then ")}, nil
}

// tell notes what became of an attempt, and says whether it was the last.
func (c *calls) tell(legs []call.BridgeLeg, r flowengine.Attempted) (done bool) {
	for _, n := range r.Refused {
		c.told = append(c.told, notTried(n.Target, n.Refusal))
		// A target may have two legs.
		if i := slices.IndexFunc(legs, func(l call.BridgeLeg) bool { return l.Target == n.Target && l.UUID != r.Winner }); i >= 0 {
			legs = slices.Delete(slices.Clone(legs), i, i+1)
		}
	}
	switch who := winner(legs, r.BridgeResult); {
	case r.Outcome == "":
		return false
	case r.Outcome != call.Completed:
		c.told = append(c.told, who+": "+string(r.Cause))
		return false
	case c.leftEarly(r.BridgeResult):
		c.told = append(c.told, fmt.Sprintf("%s hung up after %s", who, r.Connected.Round(100*time.Millisecond)))
		return false
	default:
		c.told = append(c.told, who+" answered")
		return true
	}
}

// order chooses who is tried when, or finds what was chosen before a takeover.
func (c *calls) order(ctx context.Context, s *flowengine.Session) (dialState, error) {
	var state dialState
	resumed, err := s.Resumed(&state)
	if err != nil {
		return state, err
	}
	if resumed {
		return state, c.fits(state)
	}
	music, err := c.ringback(s)
	if err != nil {
		return state, err
	}
	d, err := c.choose(ctx, s, music)
	if err != nil {
		return state, err
	}
	d.tell(s)
	c.told = d.excluded()
	state.Attempts = d.attempts
	if d.plain() || len(d.attempts) == 0 {
		return state, nil
	}
	return state, s.Keep(ctx, state)
}

// fits says what is wrong with a state that was found.
func (c *calls) fits(state dialState) error {
	for _, attempt := range state.Attempts {
		for _, i := range attempt {
			if i < 0 || i >= len(c.candidates) {
				return errors.New("the order that was chosen does not fit the targets")
			}
		}
	}
	if state.At < 0 || state.At >= len(state.Attempts) {
		return errors.New("the attempt under way does not fit the order that was chosen")
	}
	return nil
}

// hungUp records whom the call did not come to before it was over.
func (c *calls) hungUp(s *flowengine.Session, state dialState, legs []call.BridgeLeg, r call.BridgeResult, err error) {
	switch h := (*call.HungUp)(nil); {
	case !errors.As(err, &h):
	case r.Winner != "":
		c.notReached(s, state, winner(legs, r)+tookIt)
	default:
		c.notReached(s, state, "the caller hung up")
	}
}

// notReached records those whose turn has not come after the attempt under way.
func (c *calls) notReached(s *flowengine.Session, state dialState, why string) {
	rest := make([]flowengine.NotTried, 0, len(c.candidates))
	for _, attempt := range state.Attempts[state.At+1:] {
		for _, i := range attempt {
			rest = append(rest, flowengine.NotTried{Target: c.candidates[i].to, Refusal: call.Refusal{Rule: call.NotReached, Value: why}})
		}
	}
	s.NotTried(rest, "")
}

// winner names the target that was connected, or all of an attempt where nobody was.
func winner(legs []call.BridgeLeg, r call.BridgeResult) string {
	if i := slices.IndexFunc(legs, func(l call.BridgeLeg) bool { return r.Winner != "" && l.UUID == r.Winner }); i >= 0 {
		return legs[i].Target
	}
	out := make([]string, len(legs))
	for i, l := range legs {
		out[i] = l.Target
	}
	return strings.Join(out, "+")
}
