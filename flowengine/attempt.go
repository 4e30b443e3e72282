package flowengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/hookswitch/hookswitch/call"
)

// attempt returns the number of the attempt that Dial would make now.
func (s *Session) attempt() int {
	if s.pending {
		return s.dials
	}
	return s.dials + 1
}

// Dial makes one attempt and waits for its end. The state is what the node
// needs to go on from this attempt if the call is taken over meanwhile: it is
// committed together with the attempt. In a node that was taken over in the
// middle of an attempt, the first Dial is about that attempt: it returns its
// result when the switch began it, and makes it otherwise. So no attempt is
// made twice, and a node just repeats the Dial of its state.
//
// Legs without an address, whose target is no longer configured, are not
// dialled; when none is left the result is empty.
//
// Dial names the legs (call.LegUUID) and records target.dialed and
// target.failed.
func (s *Session) Dial(ctx context.Context, b call.Bridge, state any) (call.BridgeResult, error) {
	pending := s.pending
	s.sought = true
	s.dials = s.attempt()
	s.pending = false
	for i := range b.Legs {
		b.Legs[i].UUID = call.LegUUID(s.call.ID, s.dials, i)
	}
	if pending {
		if r, begun := s.leg.LastBridge(); begun {
			s.dialed(b, r)
			s.unwatched(b, r)
			return r, nil
		}
	}
	b.Legs = slices.DeleteFunc(slices.Clone(b.Legs), func(l call.BridgeLeg) bool { return l.Address == call.Address{} })
	if len(b.Legs) == 0 {
		return call.BridgeResult{}, nil
	}
	raw, err := json.Marshal(state)
	if err != nil {
		return call.BridgeResult{}, fmt.Errorf("state of the node: %w", err)
	}
	checkpoint, err := s.checkpoint(raw, true)
	if err != nil {
		return call.BridgeResult{}, err
	}
	if err := s.ring(ctx); err != nil {
		return call.BridgeResult{}, err
	}
	if ctx.Err() != nil { // the caller may have gone between two attempts
		return call.BridgeResult{}, context.Cause(ctx)
	}
	for _, l := range b.Legs {
		s.engine.used(s.org + "/" + l.Target)
		s.tell(call.Event{Type: call.TargetDialed, Step: s.path(), Kind: s.step.kind.Name, Leg: l.UUID, Target: l.Target,
			Attrs: map[string]string{"attempt": strconv.Itoa(s.dials), "address": l.Address.String()}})
	}
	r, err := s.leg.Bridge(ctx, b, checkpoint)
	if err != nil {
		if h := (*call.HungUp)(nil); errors.As(err, &h) && r.Outcome != "" {
			s.dialed(b, r) // the caller gave up, and the leg knows what became of the attempt
		} else if gone(ctx, err) == nil { // a fault: nobody was dialled
			s.dialed(b, call.BridgeResult{Outcome: call.Undone, Cause: call.TemporaryFailure})
		}
		return r, err
	}
	s.dialed(b, r)
	return r, nil
}

// dialed records how an attempt ended.
func (s *Session) dialed(b call.Bridge, r call.BridgeResult) {
	if r.Outcome == call.Completed {
		s.answered, s.connected = true, true
		if r.Winner == "" {
			return // it cannot be told who failed
		}
		if i := slices.IndexFunc(b.Legs, func(l call.BridgeLeg) bool { return l.UUID == r.Winner }); i >= 0 {
			s.engine.used(s.org + "/" + b.Legs[i].Target) // until now
		}
	}
	for _, l := range b.Legs {
		if r.Outcome == call.Completed && l.UUID == r.Winner {
			continue
		}
		cause := r.Cause
		if r.Outcome == call.Completed {
			cause = call.LoseRace
		}
		if i := slices.IndexFunc(r.Legs, func(lr call.LegResult) bool { return lr.UUID == l.UUID }); i >= 0 {
			cause = r.Legs[i].Cause
		}
		s.tell(call.Event{Type: call.TargetFailed, Step: s.path(), Kind: s.step.kind.Name, Leg: l.UUID, Target: l.Target, Cause: cause})
	}
}

// unwatched records a connection whose end no node saw.
func (s *Session) unwatched(b call.Bridge, r call.BridgeResult) {
	i := slices.IndexFunc(b.Legs, func(l call.BridgeLeg) bool { return l.UUID == r.Winner })
	if r.Outcome != call.Completed || i < 0 {
		return
	}
	s.tell(call.Event{Type: call.Released, Leg: r.Winner, Target: b.Legs[i].Target, Cause: r.Cause, Millis: r.Connected.Milliseconds(),
		Why: "ended while no node controlled the call", Attrs: map[string]string{"late": "true"}})
}
