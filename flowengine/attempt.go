package flowengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/hookswitch/hookswitch/call"
)

// Attempted is what became of one attempt.
type Attempted struct {
	call.BridgeResult            // empty where nobody was dialled; of a call that ended meanwhile perhaps only the Winner
	Refused           []NotTried // those who were not dialled
}

// attempt returns the number of the attempt that Dial would make now.
func (s *Session) attempt() int {
	if s.pending {
		return s.dials
	}
	return s.dials + 1
}

// Seek notes that somebody is sought for the call: where nobody takes it, call.failed says so.
func (s *Session) Seek() { s.sought = true }

// Dial makes one attempt and waits for its end. The state is what the node
// needs to go on from this attempt if the call is taken over meanwhile: it is
// committed together with the attempt. In a node that was taken over in the
// middle of an attempt, the first Dial is about that attempt: it returns its
// result when the switch began it, and makes it otherwise. So no attempt is
// made twice, and a node just repeats the Dial of its state.
//
// Legs whose target is no longer configured or enabled are not dialled, nor those
// that the Capacity has no room for; when none is left the result is empty.
//
// Dial names the legs (call.LegUUID) and records routing.not_tried, target.dialed
// and target.failed.
func (s *Session) Dial(ctx context.Context, b call.Bridge, state any) (Attempted, error) {
	pending := s.pending
	s.dials = s.attempt()
	s.pending = false
	if !pending {
		s.spared = nil
	}
	for i := range b.Legs {
		b.Legs[i].UUID = call.LegUUID(s.call.ID, s.dials, i)
	}
	if pending {
		if r, begun := s.leg.LastBridge(); begun {
			b.Legs = s.tried(b.Legs)
			s.dialed(b, r)
			s.unwatched(b, r)
			s.release(s.claims(b.Legs), r)
			return Attempted{BridgeResult: r}, nil
		}
	}
	return s.dial(ctx, b, state)
}

// dial makes an attempt that was not begun yet.
func (s *Session) dial(ctx context.Context, b call.Bridge, state any) (out Attempted, err error) {
	all := b.Legs
	b.Legs, out.Refused = s.standing(all)
	claims := s.claims(b.Legs)
	defer func() { // unless the legs are another controller's now
		if !errors.Is(err, call.ErrLost) && !errors.Is(context.Cause(ctx), call.ErrLost) {
			s.release(claims, out.BridgeResult)
		}
	}()
	refused, fallback := s.reserve(ctx, &b, claims)
	out.Refused = append(out.Refused, refused...)
	if len(b.Legs) == 0 {
		return out, nil
	}
	s.spare(all, b.Legs)
	raw, err := json.Marshal(state)
	if err != nil {
		return out, fmt.Errorf("state of the node: %w", err)
	}
	checkpoint, err := s.checkpoint(raw, true)
	if err != nil {
		return out, err
	}
	if err := s.ring(ctx); err != nil {
		return out, err
	}
	if ctx.Err() != nil { // the caller may have gone between two attempts
		return out, context.Cause(ctx)
	}
	for _, l := range b.Legs {
		s.engine.used(s.org + "/" + l.Target)
		attrs := map[string]string{"attempt": strconv.Itoa(s.dials), "address": l.Address.String()}
		put(attrs, "fallback", fallback)
		put(attrs, "recording", b.Record)
		put(attrs, "revenue", s.revenue(l.Target))
		s.record(call.Event{Type: call.TargetDialed, Leg: l.UUID, Target: l.Target, Attrs: attrs})
	}
	s.settle()
	var joined atomic.Pointer[string]
	b.Joined = func(leg string) {
		joined.Store(&leg)
		s.joined(claims, leg)
	}
	out.BridgeResult, err = s.leg.Bridge(ctx, b, checkpoint)
	if err != nil {
		if with := joined.Load(); with != nil {
			out.Winner = *with
		}
		if h := (*call.HungUp)(nil); errors.As(err, &h) && out.Outcome != "" {
			s.dialed(b, out.BridgeResult) // the caller gave up, and the leg knows what became of the attempt
		} else if gone(ctx, err) == nil { // a fault: nobody was dialled
			s.dialed(b, call.BridgeResult{Outcome: call.Undone, Cause: call.TemporaryFailure})
		}
		return out, err
	}
	s.dialed(b, out.BridgeResult)
	return out, nil
}

// revenue returns what is due when the call is connected with a target; empty for nothing.
func (s *Session) revenue(target string) string {
	if t, ok := s.Target(target); ok && t.Revenue != nil {
		return t.Revenue.String()
	}
	return ""
}

// standing returns the legs whose targets are still to be dialled, and records the others.
func (s *Session) standing(all []call.BridgeLeg) (legs []call.BridgeLeg, refused []NotTried) {
	legs = make([]call.BridgeLeg, 0, len(all))
	for _, l := range all {
		switch t, configured := s.Target(l.Target); {
		case l.Address == call.Address{}:
			refused = append(refused, NotTried{l.Target, NotConfigured})
		case configured && !t.Enabled:
			refused = append(refused, NotTried{l.Target, Disabled})
		default:
			legs = append(legs, l)
		}
	}
	s.NotTried(refused, "")
	return legs, refused
}

// spare notes which legs of an attempt are not dialled, for whoever takes it over.
func (s *Session) spare(all, dialled []call.BridgeLeg) {
	s.spared = nil
	for i, l := range all {
		if !slices.ContainsFunc(dialled, func(d call.BridgeLeg) bool { return d.UUID == l.UUID }) {
			s.spared = append(s.spared, i)
		}
	}
}

// tried returns the legs of an attempt that were dialled.
func (s *Session) tried(all []call.BridgeLeg) (out []call.BridgeLeg) {
	for i, l := range all {
		if !slices.Contains(s.spared, i) {
			out = append(out, l)
		}
	}
	return out
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
		of := call.LegResult{Cause: r.Cause}
		if r.Outcome == call.Completed {
			of.Cause = call.LoseRace
		}
		if i := slices.IndexFunc(r.Legs, func(lr call.LegResult) bool { return lr.UUID == l.UUID }); i >= 0 {
			of = r.Legs[i]
		}
		s.record(call.Event{Type: call.TargetFailed, Leg: l.UUID, Target: l.Target, Cause: of.Cause, Attrs: of.Attrs()})
	}
}

// unwatched records a connection whose end no node saw.
func (s *Session) unwatched(b call.Bridge, r call.BridgeResult) {
	i := slices.IndexFunc(b.Legs, func(l call.BridgeLeg) bool { return l.UUID == r.Winner })
	if r.Outcome != call.Completed || i < 0 {
		return
	}
	attrs := map[string]string{"late": "true"}
	put(attrs, "revenue", s.revenue(b.Legs[i].Target)) // the journal that has the attempt may be lost
	s.tell(call.Event{Type: call.Released, Leg: r.Winner, Target: b.Legs[i].Target, Cause: r.Cause, Millis: r.Connected.Milliseconds(),
		Why: "ended while no node controlled the call", Attrs: attrs})
}
