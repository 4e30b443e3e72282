package flowengine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
)

// MaxSteps bounds the nodes that one call may pass.
const MaxSteps = 1000

// Engine runs calls through their flows. Its fields are options, to be set
// before the first call; Current is required.
type Engine struct {
	Current      func() *Snapshot      // the configuration of this moment
	Versions     *Versions             // where older versions are found after a restart; may be nil
	Clock        Clock                 // nil: the clock of the system
	Rand         *rand.Rand            // nil: seeded by the system; need not be safe for concurrent use
	Recordings   string                // folder of the switch in which calls are recorded
	Requests     Requester             // makes the requests of flows; nil: none can be made
	Inbox        Inbox                 // has what came from outside before a call; nil: nothing does
	Capacity     Capacity              // counts what is taken of targets; nil: this process alone does
	Availability *availability.Checker // asks whether targets can take calls; nil: one that asks availability.DefaultAtOnce at once
	Node         string                // name of this Hookswitch node; what call.ValidNode refuses is replaced
	Panicked     func(call string, value any, stack []byte)

	local  Local     // the capacity where none was given
	asking sync.Once // guards Availability

	lock   sync.Mutex           // guards Rand, recent and live
	live   map[string]*Session  // calls that are controlled here, by id
	recent map[string]time.Time // when organization/target was used, for least recent
}

// Clock tells the time.
type Clock interface{ Now() time.Time }

// Recorder keeps the events of one call. It fills in the call, epoch, sequence,
// time and node of each.
type Recorder interface{ Record(call.Event) }

// Settler is a Recorder that can wait until what was recorded outlives the process,
// within reason.
type Settler interface{ Settle() }

// RecorderFunc is a function as a Recorder.
type RecorderFunc func(call.Event)

// Record calls f.
func (f RecorderFunc) Record(e call.Event) { f(e) }

// Control is a call together with what was found on its channel.
type Control struct {
	Call  call.Call
	Taken string // text of the checkpoint on the channel; empty for a new call
	Epoch int    // of this controller, at least call.EpochOf(Taken) + 1

	// What a new call begins with. Where something is empty, it is as the number says.
	Org      string         // name of its organization
	Campaign string         // name of its campaign
	Flow     string         // name of its flow, whatever the campaign runs
	Tags     map[string]any // tags that were written before; what does not fit its definition is left out
}

// RefusedError says that a call was given to the dialplan's last resort
// because its checkpoint cannot be continued.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "call refused: " + e.Why }

// TransferredError says that the call was given to an extension of the dialplan,
// as its flow wanted.
type TransferredError struct{ To call.Extension }

func (e *TransferredError) Error() string { return "call transferred to " + e.To.String() }

// Run takes a call through its flow, from its start or from its checkpoint.
// It returns
//
//   - *call.HungUp when the call is over, whoever hung up;
//   - call.ErrLost when another connection controls the call: nothing was
//     recorded or touched after that;
//   - *RefusedError when the checkpoint could not be continued and the call is
//     in the hands of the dialplan's last resort;
//   - *TransferredError when the flow gave the call to the dialplan;
//   - any other error when the leg could not even hang up.
//
// It does not record call.ended: that is for whoever hears it from the
// switch, after Run has returned.
func (e *Engine) Run(ctx context.Context, leg Leg, c Control, rec Recorder) (err error) {
	s := &Session{engine: e, leg: leg, rec: rec, call: c.Call, epoch: c.Epoch, node: nodeName(e.Node), answered: c.Call.Answered,
		vars: map[string]any{}, desk: desk{content: content{tags: map[string]any{}}}}
	s.epoch = max(s.epoch, call.EpochOf(c.Taken)+1)
	defer e.appear(ctx, s)()
	defer func() {
		if v := recover(); v != nil {
			err = e.panicked(ctx, s, v)
		}
	}()
	if c.Taken != "" && !untouched(c.Taken) {
		if why := e.resume(s, c.Taken); why != "" {
			return e.refuse(ctx, s, c.Taken, why)
		}
		if back := s.away > 0 && s.call.Transfers >= s.away; back {
			if err := e.comeBack(ctx, s); err != nil {
				return err
			}
		}
		s.away = 0
	} else if err := e.start(ctx, s, c); err != nil {
		return err
	}
	// From here on s.opening waits to be recorded.
	e.join(ctx, s)
	for {
		if s.steps > MaxSteps {
			return e.fail(ctx, s, fmt.Sprintf("the call passed %d nodes, which is the limit", MaxSteps))
		}
		next, err := e.pass(ctx, s)
		if err != nil {
			return err
		}
		s.enter(next)
	}
}

// enter makes n the node of the call.
func (s *Session) enter(n *step) {
	s.step, s.state, s.pending, s.spared = n, nil, false, nil
	s.steps++
}

// pass runs the node of the call and returns the next one. An error ends the
// call.
func (e *Engine) pass(ctx context.Context, s *Session) (next *step, err error) {
	began := e.now()
	result, err := e.visit(ctx, s)
	if errors.Is(context.Cause(ctx), call.ErrLost) {
		return nil, call.ErrLost
	}
	if lost, ok := errors.AsType[*LostSecretError](err); ok {
		return e.askAgain(ctx, s, began, lost)
	}
	if err != nil {
		if err := gone(ctx, err); err != nil {
			e.left(s, began, Result{Why: err.Error()}, err)
			return nil, err
		}
		s.open()
		s.record(call.Event{Type: call.FlowError, Why: err.Error()})
		result = Result{Exit: ErrorExit, Why: err.Error()}
	}
	if result.Hang != "" {
		e.left(s, began, result, nil)
		return nil, e.finish(ctx, s, result.Hang)
	}
	if sub := s.flow.runs(s.step); sub != nil && result.Exit != ErrorExit {
		s.around = append(s.around, frame{s.flow, s.step, began})
		s.flow = sub
		return sub.nodes[sub.Start], nil
	}
	e.left(s, began, result, nil)
	return e.follow(ctx, s, result)
}

// follow finds the node behind an exit. An exit may lead to the end of a flow, which
// is an exit of the node that runs the flow, and so on outwards. A fault for which a
// flow has no exit is one of the node that runs it.
func (e *Engine) follow(ctx context.Context, s *Session, r Result) (*step, error) {
	for {
		to, wired := s.step.next(r.Exit)
		if n := s.flow.nodes[to]; wired && n != nil {
			return n, nil
		}
		switch outermost := len(s.around) == 0; {
		case !wired && r.Exit != ErrorExit:
			return nil, e.fail(ctx, s, fmt.Sprintf("exit %q of node %s goes nowhere", r.Exit, s.path()))
		case !wired && outermost:
			return nil, e.failed(ctx, s, fmt.Sprintf("node %s: %s", s.path(), r.Why))
		case outermost:
			return nil, e.finish(ctx, s, call.NormalClearing)
		case wired:
			r = Result{Exit: to, Why: "flow " + s.flow.Name + " ended"}
		}
		at := s.around[len(s.around)-1]
		s.around = s.around[:len(s.around)-1]
		s.flow, s.step = at.flow, at.step
		e.left(s, at.began, r, nil)
	}
}

// finish ends a call in the ordinary way.
func (e *Engine) finish(ctx context.Context, s *Session, cause call.Cause) error {
	if s.sought && !s.connected {
		s.tell(call.Event{Type: call.Failed, Step: s.path(), Why: "nobody took the call"})
	}
	return e.hangup(ctx, s, cause)
}

// visit saves the checkpoint and runs the node.
func (e *Engine) visit(ctx context.Context, s *Session) (Result, error) {
	// After a takeover this raises the epoch on the channel; state and
	// commitment stay as they were found.
	checkpoint, err := s.checkpoint(s.state, s.pending)
	if err != nil {
		return Result{}, err
	}
	if err := e.save(ctx, s, checkpoint); err != nil {
		return Result{}, err
	}
	return s.step.node.Run(ctx, s)
}

// save leaves the checkpoint on the call. The first one makes the call ours:
// what is recorded before that would be told again by whoever takes the call
// when we are lost, under the same epoch, and nobody could say who has to tell
// the call's end. An error that is not the end is left to the caller, for what
// it is worth.
func (e *Engine) save(ctx context.Context, s *Session, checkpoint string) error {
	err := s.save(ctx, checkpoint)
	if err != nil {
		if err := gone(ctx, err); err != nil {
			return err
		}
	}
	s.open()
	return err
}

// own makes a call ours that no node of a flow will be run for. It fails only
// when the call is gone.
func (e *Engine) own(ctx context.Context, s *Session, c call.Checkpoint) error {
	c.Epoch, c.Node = s.epoch, s.node
	if err := e.save(ctx, s, c.String()); err != nil {
		return gone(ctx, err)
	}
	return nil
}

// left records that the call left its node, unless it is no longer ours.
func (e *Engine) left(s *Session, began time.Time, r Result, err error) {
	if errors.Is(err, call.ErrLost) || s.opening != nil {
		return
	}
	if _, ok := errors.AsType[*call.HungUp](err); ok {
		r.Why = "the caller hung up"
	}
	event := call.Event{Type: call.Step, Exit: r.Exit, Why: r.Why}
	if !began.IsZero() {
		event.Millis = e.now().Sub(began).Milliseconds()
	}
	s.record(event)
}

// gone returns the error with which Run ends when err says that the call is
// no longer there or no longer ours; nil for a fault.
func gone(ctx context.Context, err error) error {
	if h, ok := errors.AsType[*call.HungUp](err); ok {
		return h
	}
	if errors.Is(err, call.ErrLost) {
		return call.ErrLost
	}
	if t, ok := errors.AsType[*TransferredError](err); ok {
		return t
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// fail ends a call for a fault of the flow itself.
func (e *Engine) fail(ctx context.Context, s *Session, why string) error {
	s.open()
	event := call.Event{Type: call.FlowError, Why: why}
	if s.step != nil {
		event.Step, event.Kind = s.path(), s.step.kind.Name
	}
	s.tell(event)
	return e.failed(ctx, s, why)
}

// failed ends a call that nobody could take.
func (e *Engine) failed(ctx context.Context, s *Session, why string) error {
	event := call.Event{Type: call.Failed, Why: why}
	if s.step != nil {
		event.Step = s.path()
	}
	s.tell(event)
	return e.hangup(ctx, s, call.TemporaryFailure)
}

// hangup ends the call. It always returns an error.
func (e *Engine) hangup(ctx context.Context, s *Session, cause call.Cause) error {
	if err := s.leg.Hangup(ctx, cause); err != nil {
		if err := gone(ctx, err); err != nil {
			return err
		}
		return fmt.Errorf("hang up with %s: %w", cause, err)
	}
	return &call.HungUp{Cause: cause}
}

// panicked ends the one call whose node panicked.
func (e *Engine) panicked(ctx context.Context, s *Session, value any) (err error) {
	if e.Panicked != nil {
		e.Panicked(s.call.ID, value, debug.Stack())
	}
	defer func() { // the leg itself may be what panics
		if again := recover(); again != nil {
			err = fmt.Errorf("panic after a panic: %v", again)
		}
	}()
	if err := gone(ctx, nil); err != nil {
		return err
	}
	return e.fail(ctx, s, "internal error")
}

// nodeName makes a name of a node, such as a host name, fit for a checkpoint.
func nodeName(s string) string {
	if call.ValidNode(s) {
		return s
	}
	b := []byte(s[:min(len(s), 32)])
	for i, c := range b {
		if !validID(string(c)) {
			b[i] = '-'
		}
	}
	if len(b) == 0 {
		return "node"
	}
	return string(b)
}

func (e *Engine) now() time.Time {
	if e.Clock != nil {
		return e.Clock.Now()
	}
	return time.Now()
}

// used notes that a target has a call now.
func (e *Engine) used(target string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.recent == nil {
		e.recent = map[string]time.Time{}
	}
	e.recent[target] = e.now()
}

func (e *Engine) float() float64 {
	if e.Rand == nil {
		return rand.Float64()
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.Rand.Float64()
}
