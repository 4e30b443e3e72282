package flowengine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Session is a call as a node sees it. It belongs to the goroutine of the
// call.
type Session struct {
	engine   *Engine
	leg      Leg
	rec      Recorder
	call     call.Call
	epoch    int
	node     string // name of the Hookswitch node
	flow     *Flow
	step     *step
	answered bool
	steps    int               // nodes entered so far
	dials    int               // attempts so far
	vars     map[string]string // written by nodes
	state    json.RawMessage   // of the node, when it was taken over
	pending  bool              // the node was taken over in the middle of an attempt
	opening  *call.Event       // the first event, until the call is ours

	sought    bool // somebody was to take the call
	connected bool // and did
}

// open records the first event, if it was not.
func (s *Session) open() {
	if s.opening != nil {
		s.rec.Record(*s.opening)
		s.opening = nil
	}
}

// Call returns the call.
func (s *Session) Call() call.Call { return s.call }

// ID returns the id of the node.
func (s *Session) ID() string { return s.step.id }

// Now returns the time of the engine's clock.
func (s *Session) Now() time.Time { return s.engine.now() }

// Exits returns the exits that the flow names for the node, sorted, without
// "else".
func (s *Session) Exits() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.step.exits)), func(e string) bool { return e == elseExit })
}

// Set leaves a value in vars for the nodes after this one. It is kept in the
// checkpoint, and so must be short and no secret.
func (s *Session) Set(name, value string) { s.vars[name] = value }

// Resumed says whether the call was taken over in this node after the node
// had left a state, and reads the state. It fails when the state is not of
// this form.
func (s *Session) Resumed(state any) (bool, error) {
	if len(s.state) == 0 {
		return false, nil
	}
	if err := strictJSON(s.state, state); err != nil {
		return false, fmt.Errorf("the state of node %s cannot be read: %w", s.step.id, err)
	}
	return true, nil
}

// Keep leaves the state of the node on the call, for whoever takes it over
// (Resumed). Dial does that by itself; Keep is for a choice that must stay.
func (s *Session) Keep(ctx context.Context, state any) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("state of the node: %w", err)
	}
	checkpoint, err := s.checkpoint(raw, false)
	if err != nil {
		return err
	}
	return s.leg.Save(ctx, checkpoint)
}

// Target returns the target called name as it is configured now.
func (s *Session) Target(name string) (Target, bool) { return s.engine.Current().Target(name) }

// Float returns a random number in [0,1).
func (s *Session) Float() float64 { return s.engine.float() }

// Turn counts how often this node of the flow asked, over all calls, from 0:
// the position of a round robin.
func (s *Session) Turn() uint64 {
	key := s.flow.Name + "/" + s.step.id
	at, ok := s.engine.positions.Load(key)
	if !ok {
		at, _ = s.engine.positions.LoadOrStore(key, new(atomic.Uint64))
	}
	return at.(*atomic.Uint64).Add(1) - 1
}

// Variables returns what expressions see. The maps are those of the call.
func (s *Session) Variables() *Variables {
	return &Variables{
		Call:   CallVariables{s.call.ID, s.call.Switch, s.call.Headers, s.call.Started},
		Caller: CallerVariables{s.call.Caller.Number, s.call.Caller.Name},
		Number: s.call.Number, Vars: s.vars, Now: s.Now(),
	}
}

// True evaluates a condition.
func (s *Session) True(c *Condition) (bool, error) { return c.Eval(s.Variables()) }

// Prompt returns what is to be heard in this call.
func (s *Session) Prompt(p *Prompt) (call.Prompt, error) {
	if p.segments == nil {
		return p.fixed, nil
	}
	return p.Render(s.Variables())
}

// Answer answers the call; nothing happens when it is answered already.
func (s *Session) Answer(ctx context.Context) error {
	if s.answered {
		return nil
	}
	if err := s.leg.Answer(ctx); err != nil {
		return err
	}
	s.answered = true
	return nil
}

// Play answers the call if need be and plays the prompt to its end.
func (s *Session) Play(ctx context.Context, p *Prompt) error {
	prompt, err := s.Prompt(p)
	if err != nil {
		return err
	}
	if err := s.Answer(ctx); err != nil {
		return err
	}
	if prompt.Kind == call.Silence {
		return nil
	}
	return s.leg.Play(ctx, prompt)
}

// Gather answers the call if need be and asks for digits.
func (s *Session) Gather(ctx context.Context, g call.Gather) (call.Digits, error) {
	if err := s.Answer(ctx); err != nil {
		return call.Digits{}, err
	}
	return s.leg.Gather(ctx, g)
}

// Recording returns where the switch records the next attempt.
func (s *Session) Recording() (string, error) {
	if s.engine.Recordings == "" {
		return "", errors.New("nothing can be recorded: the server has no folder for recordings")
	}
	if !validID(s.call.ID) {
		return "", fmt.Errorf("call id %q cannot be a file name", s.call.ID)
	}
	return path.Join(s.engine.Recordings, s.call.ID+"-"+strconv.Itoa(s.attempt())+".wav"), nil
}

// validID says whether a call's id is made of what UUIDs are made of.
func validID(id string) bool {
	for _, c := range id {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

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
	if ctx.Err() != nil { // the caller may have gone between two attempts
		return call.BridgeResult{}, context.Cause(ctx)
	}
	for _, l := range b.Legs {
		s.rec.Record(call.Event{Type: call.TargetDialed, Step: s.step.id, Kind: s.step.kind.Name, Leg: l.UUID, Target: l.Target,
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
		s.rec.Record(call.Event{Type: call.TargetFailed, Step: s.step.id, Kind: s.step.kind.Name, Leg: l.UUID, Target: l.Target, Cause: cause})
	}
}

// unwatched records a connection whose end no node saw.
func (s *Session) unwatched(b call.Bridge, r call.BridgeResult) {
	i := slices.IndexFunc(b.Legs, func(l call.BridgeLeg) bool { return l.UUID == r.Winner })
	if r.Outcome != call.Completed || i < 0 {
		return
	}
	s.rec.Record(call.Event{Type: call.Released, Leg: r.Winner, Target: b.Legs[i].Target, Cause: r.Cause, Millis: r.Connected.Milliseconds(),
		Why: "ended while no node controlled the call", Attrs: map[string]string{"late": "true"}})
}

// checkpoint returns the text to be left on the call.
func (s *Session) checkpoint(state json.RawMessage, committed bool) (string, error) {
	p := payload{payloadVersion, s.flow.Name, s.flow.Version, s.step.id, state, committed, s.vars, s.steps, s.dials, s.connected}
	return p.encode(s.epoch, s.node)
}
