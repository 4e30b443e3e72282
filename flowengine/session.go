package flowengine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Session is a call as a node sees it. It belongs to the goroutine of the
// call.
type Session struct {
	engine *Engine
	leg    Leg
	rec    Recorder
	call   call.Call
	epoch  int
	node   string // name of the Hookswitch node

	org       string // names, empty for none
	campaign  string
	publisher string
	about     map[string]string // the campaign, as expressions see it
	rules     map[string]string // of the campaign, see Campaign.rules

	flow     *Flow
	step     *step
	around   []frame // the flows that run this one, outermost first
	answered bool
	rung     bool            // an unanswered caller was told that it rings
	steps    int             // nodes entered so far
	dials    int             // attempts so far
	state    json.RawMessage // of the node, when it was taken over
	pending  bool            // the node was taken over in the middle of an attempt
	spared   []int           // positions of the attempt's legs that are not dialled
	opening  *call.Event     // the first event, until the call is ours
	tape     tape            // the recording of the call
	away     int             // as in payload, until it is known what became of the call

	vars    map[string]any
	desk    desk              // with the tags
	secrets map[string]string // in the memory of this process alone; nil: none
	asked   map[string]string // paths of the nodes that ask for the secrets, by name; nil: none

	sought    bool // somebody was to take the call
	connected bool // and did
}

// frame is a flow node whose flow is being run.
type frame struct {
	flow  *Flow
	step  *step
	began time.Time // zero: under another controller
}

// path names the node within all flows: the ids of the flow nodes around it and
// its own, with / between.
func (s *Session) path() string {
	if len(s.around) == 0 {
		return s.step.id
	}
	ids := make([]string, 0, len(s.around)+1)
	for _, f := range s.around {
		ids = append(ids, f.step.id)
	}
	return strings.Join(append(ids, s.step.id), "/")
}

// open records the first event, if it was not, and what had come from outside before it.
func (s *Session) open() {
	if s.opening == nil {
		return
	}
	s.tell(*s.opening)
	s.opening = nil
	s.desk.Lock()
	defer s.desk.Unlock()
	for _, e := range s.desk.held {
		s.tell(e)
		s.desk.told = true
	}
	s.desk.held, s.desk.kept, s.desk.open = nil, nil, true
}

// tell records an event of the call, and whose call it is.
func (s *Session) tell(e call.Event) {
	e.Org = s.org
	s.rec.Record(e)
}

// main returns the flow that the call began in.
func (s *Session) main() *Flow {
	if len(s.around) > 0 {
		return s.around[0].flow
	}
	return s.flow
}

// Call returns the call.
func (s *Session) Call() call.Call { return s.call }

// Flow returns the name of the flow that the node belongs to.
func (s *Session) Flow() string { return s.flow.Name }

// ID returns the id of the node.
func (s *Session) ID() string { return s.step.id }

// Now returns the time of the engine's clock.
func (s *Session) Now() time.Time { return s.engine.now() }

// Exits returns the exits that the flow names for the node, sorted, without
// "else".
func (s *Session) Exits() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.step.exits)), func(e string) bool { return e == elseExit })
}

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
	return s.save(ctx, checkpoint)
}

// Once does what must not be done twice, such as telling the outside: where the
// call was taken over in this node after it was done, it is not done again.
func (s *Session) Once(ctx context.Context, do func() error) error {
	done := false
	if resumed, err := s.Resumed(&done); err != nil || resumed {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.Keep(ctx, true)
}

// Key names this passing of the call through this node: the same after a
// takeover, another one the next time.
func (s *Session) Key() string { return s.call.ID + "-" + strconv.Itoa(s.steps) }

// Org returns the name of the organization that the call belongs to.
func (s *Session) Org() string { return s.org }

// Campaign returns the name of the campaign of the call; empty without one.
func (s *Session) Campaign() string { return s.campaign }

// Plan returns a plan that the node's flow runs, in the version of the flow.
func (s *Session) Plan(name string) (*Plan, bool) { return get(s.flow.plans, name) }

// Target returns the target of the call's organization as it is configured now.
func (s *Session) Target(name string) (Target, bool) {
	if o, ok := s.engine.Current().Organization(s.org); ok {
		return o.Target(name)
	}
	return Target{}, false
}

// Gateway returns the name on the switch of a gateway of the call's organization, as it
// is configured now; see Organization.Gateway.
func (s *Session) Gateway(name string) (onSwitch string, ok bool) {
	if o, ok := s.engine.Current().Organization(s.org); ok {
		return o.Gateway(name)
	}
	return "", false
}

// LastUsed returns when the target was last dialled, or its last call ended, as far as
// this process knows; the zero time for never.
func (s *Session) LastUsed(target string) time.Time {
	s.engine.lock.Lock()
	defer s.engine.lock.Unlock()
	return s.engine.recent[s.org+"/"+target]
}

// Float returns a random number in [0,1).
func (s *Session) Float() float64 { return s.engine.float() }

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

// Answered says whether the call is answered.
func (s *Session) Answered() bool { return s.answered }

// ring tells an unanswered caller, once, that it rings: nobody waits in silence.
func (s *Session) ring(ctx context.Context) error {
	if s.answered || s.rung {
		return nil
	}
	s.rung = true
	return s.leg.Ring(ctx)
}

// Wait lets the time pass. The caller hears the music, on an answered call;
// ringing, on one that is not.
func (s *Session) Wait(ctx context.Context, d time.Duration, music *Prompt) error {
	prompt, err := s.waiting(ctx, music)
	if err != nil {
		return err
	}
	return s.leg.Wait(ctx, d, prompt)
}

// waiting returns what the caller hears while it waits.
func (s *Session) waiting(ctx context.Context, music *Prompt) (call.Prompt, error) {
	if !s.answered {
		return call.Prompt{}, s.ring(ctx)
	}
	return s.Prompt(music)
}

// Gather answers the call if need be and asks for digits.
func (s *Session) Gather(ctx context.Context, g call.Gather) (call.Digits, error) {
	if err := s.Answer(ctx); err != nil {
		return call.Digits{}, err
	}
	return s.leg.Gather(ctx, g)
}

// checkpoint returns the text to be left on the call.
func (s *Session) checkpoint(state json.RawMessage, committed bool) (string, error) {
	main := s.main()
	s.desk.Lock()
	defer s.desk.Unlock()
	has := cmp.Or(s.desk.kept, &s.desk.content)
	p := payload{V: payloadVersion, Flow: main.Name, Version: main.Version, Org: s.org, Campaign: s.campaign, Publisher: s.publisher, Rules: s.rules, Step: s.path(), State: state, Committed: committed, Spared: s.spared,
		Vars: s.vars, Tags: has.tags, Inputs: has.inputs, Secrets: s.asked, Tape: s.tape, Away: s.away, Steps: s.steps, Dials: s.dials, Sought: s.sought, Connected: s.connected}
	text, err := p.encode(s.epoch, s.node)
	if s.desk.kept == nil && err == nil {
		s.desk.size = len(text)
	}
	return text, err
}
