package flowengine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// untouched says whether a checkpoint holds an epoch and nothing else: the
// call was lost before it entered its first node, and begins.
func untouched(taken string) bool {
	c, err := call.ParseCheckpoint(taken)
	return err == nil && c.Payload == ""
}

// resume goes on from a checkpoint. It returns why that cannot be; empty when
// it can.
func (e *Engine) resume(s *Session, taken string) string {
	c, err := call.ParseCheckpoint(taken)
	if err != nil {
		return err.Error()
	}
	p, err := decodePayload(c.Payload)
	if err != nil {
		return err.Error()
	}
	s.org, s.campaign, s.publisher = p.Org, p.Campaign, p.Publisher
	s.rules = p.Rules
	if s.org == "" { // an older program has begun it
		if r, ok := e.Current().Lookup(s.call.Number); ok {
			s.org = r.Org.Name
		}
	}
	flow, err := e.version(p.Flow, p.Version)
	if err != nil {
		return err.Error()
	}
	if !s.locate(flow, p.Step) {
		return fmt.Sprintf("flow %s in version %s has no node %s", p.Flow, p.Version, p.Step)
	}
	s.steps, s.dials = p.Steps, p.Dials
	s.sought, s.connected = p.Sought, p.Connected
	s.state, s.pending, s.spared = p.State, p.Committed, p.Spared
	s.tape, s.away = p.Tape, p.Away
	maps.Copy(s.vars, p.Vars)
	s.tagged(p.Tags)
	s.desk.inputs = p.Inputs
	s.asked = p.Secrets
	s.describe()
	phase := "from its beginning"
	if p.Committed {
		phase = fmt.Sprintf("in attempt %d", p.Dials)
	}
	// All that is known is told again: the journal that has it may be lost.
	attrs := s.call.Attrs()
	attrs["from_node"] = c.Node
	s.runs(attrs)
	s.opening = &call.Event{Type: call.Resumed, Step: p.Step, Kind: s.step.kind.Name, Attrs: attrs,
		Why: fmt.Sprintf("node %s (%s) %s", p.Step, s.step.kind.Name, phase)}
	return ""
}

// locate finds the node at a path and makes it the call's.
func (s *Session) locate(flow *Flow, path string) bool {
	var around []frame
	ids := strings.Split(path, "/")
	for _, id := range ids[:len(ids)-1] {
		n := flow.nodes[id]
		sub := flow.runs(n)
		if sub == nil {
			return false
		}
		around = append(around, frame{flow: flow, step: n})
		flow = sub
	}
	n := flow.nodes[ids[len(ids)-1]]
	if n == nil {
		return false
	}
	s.flow, s.step, s.around = flow, n, around
	return true
}

// version finds the flow that a call began with.
func (e *Engine) version(name, version string) (*Flow, error) {
	if f, ok := e.Current().Version(name, version); ok {
		return f, nil
	}
	if e.Versions == nil {
		return nil, fmt.Errorf("flow %s is not known in version %s", name, version)
	}
	f, err := e.Versions.Flow(name, version)
	if err != nil {
		return nil, fmt.Errorf("flow %s in version %s: %w", name, version, err)
	}
	return f, nil
}

// comeBack begins anew with a call that a flow had given to the dialplan, and that the
// dialplan brings back under another number.
func (e *Engine) comeBack(ctx context.Context, s *Session) error {
	attrs := s.call.Attrs()
	attrs["from_node"] = s.opening.Attrs["from_node"]
	s.opening = &call.Event{Type: call.Resumed, Why: "the dialplan brought it back as " + s.call.Number, Attrs: attrs}
	clear(s.asked) // by nodes of another flow
	b := e.Current().begin(Control{}, &s.call)
	if b.org != s.org && b.org != "" && s.org != "" {
		return e.turnAway(ctx, s, call.CallRejected, "number "+s.call.Number+" is of another organization than the call")
	}
	b.org = cmp.Or(s.org, b.org)
	return e.begin(ctx, s, b)
}

// askAgain sends the call back to the node that gathers a secret which is needed now
// and was lost. It does so once: where the caller does not give it again, the call goes
// on as one that never had it.
func (e *Engine) askAgain(ctx context.Context, s *Session, began time.Time, lost *LostSecretError) (*step, error) {
	e.left(s, began, Result{Why: lost.Error() + ": asked for again"}, nil)
	if !s.locate(s.main(), s.asked[lost.Name]) {
		return nil, e.fail(ctx, s, "no node asks for the secret "+lost.Name)
	}
	delete(s.asked, lost.Name)
	return s.step, nil
}

// refuse gives the call to the last resort.
func (e *Engine) refuse(ctx context.Context, s *Session, taken, why string) error {
	event := call.Event{Type: call.Refused, Why: why}
	if found, err := call.ParseCheckpoint(taken); err == nil {
		event.Attrs = map[string]string{"from_node": found.Node}
		if err := e.own(ctx, s, found); err != nil {
			return err
		}
	}
	s.tell(event)
	if err := s.leg.LastResort(ctx, why); err != nil {
		if err := gone(ctx, err); err != nil {
			return err
		}
		return fmt.Errorf("last resort: %w", err)
	}
	return &RefusedError{why}
}
