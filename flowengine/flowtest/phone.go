// Package flowtest runs calls without a switch and without time: callers and
// callees that behave as told, in virtual time, so that an hour of a call takes
// as long as its steps. It also takes the control away from a call at any point
// and gives the call to the next controller, as a switch does when its server
// dies.
package flowtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Clock is virtual time.
type Clock struct{ at time.Time }

// Now returns the virtual time.
func (c *Clock) Now() time.Time { return c.at }

// Epoch is when all calls of this package begin: a Wednesday.
var Epoch = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// Callee is how somebody who is dialled behaves.
type Callee struct {
	After   time.Duration // how long it rings before anything happens
	Cause   call.Cause    // refuses with this cause; empty: answers
	Rings   bool          // rings until the caller's side gives up
	Talks   time.Duration // hangs up so long after it was connected; 0: never
	Presses string        // the key it presses when asked to confirm
}

// Scenario is one call: who calls, what the caller does, and how those behave
// who are dialled.
type Scenario struct {
	Call    call.Call
	Press   []string          // what the caller presses each time it is asked; nothing when used up
	HangsUp time.Duration     // when the caller hangs up; 0: never by itself
	Callees map[string]Callee // by target; others answer and talk for 10 s
}

// What the caller hears takes so long.
const (
	promptTime  = 2 * time.Second
	pressTime   = time.Second
	defaultTalk = 10 * time.Second
	takeover    = 500 * time.Millisecond
)

// Phone is the channel of a caller: everything that outlives a controller.
type Phone struct {
	Scenario
	Clock      *Clock
	Checkpoint string
	Events     []call.Event
	Dialled    []string // UUIDs of the legs that rang, in order
	Verbs      []string // what was done, in order
	Bridges    []call.Bridge
	Over       *call.HungUp
	Resorted   string // why the call was given to the last resort

	began   time.Time
	pressed int
	last    *call.BridgeResult // of the committed attempt, once it has ended
}

// NewPhone returns the channel of a new call.
func NewPhone(s Scenario, clock *Clock) *Phone {
	if s.Call.ID == "" {
		s.Call.ID = "7c1f0c52-1111-4222-8333-444455556666"
	}
	if clock == nil {
		clock = &Clock{Epoch}
	}
	s.Call.Started = clock.at
	return &Phone{Scenario: s, Clock: clock, began: clock.at}
}

// pass lets time go by; it fails when the caller hangs up meanwhile.
func (p *Phone) pass(d time.Duration) error {
	if p.Over != nil {
		return p.Over
	}
	until := p.Clock.at.Add(d)
	if at := p.began.Add(p.HangsUp); p.HangsUp > 0 && !until.Before(at) {
		p.Clock.at = at
		p.Over = &call.HungUp{Cause: call.NormalClearing}
		if !p.Call.Answered {
			p.Over.Cause = call.OriginatorCancel
		}
		return p.Over
	}
	p.Clock.at = until
	return nil
}

// controller is one connection that controls a Phone: a flowengine.Leg. It
// loses the control at one of its points.
type controller struct {
	*Phone
	rec    flowengine.Recorder
	loseAt int // number of the point, from 1; 0: never
	points int
	lost   bool
	taken  *call.BridgeResult // LastBridge
}

// point is a moment at which control can be lost.
func (c *controller) point() error {
	if c.lost {
		return call.ErrLost
	}
	c.points++
	if c.points == c.loseAt {
		c.lost = true
		return call.ErrLost
	}
	return nil
}

// do is one verb: it can be lost before and after.
func (c *controller) do(verb string, f func() error) error {
	if err := c.point(); err != nil {
		return err
	}
	if c.Over != nil {
		return c.Over
	}
	c.Verbs = append(c.Verbs, verb)
	if err := f(); err != nil {
		return err
	}
	return c.point()
}

func (c *controller) Answer(context.Context) error {
	return c.do("answer", func() error {
		if !c.Call.Answered {
			c.rec.Record(call.Event{Type: call.Answered})
		}
		c.Call.Answered = true
		return nil
	})
}

func (c *controller) Play(_ context.Context, p call.Prompt) error {
	return c.do("play "+p.String(), func() error { return c.pass(promptTime) })
}

func (c *controller) Gather(_ context.Context, g call.Gather) (d call.Digits, err error) {
	err = c.do("gather "+g.Prompt.String(), func() error {
		press := ""
		if c.pressed < len(c.Press) {
			press = c.Press[c.pressed]
		}
		c.pressed++
		if press == "" {
			return c.pass(promptTime + g.Timeout)
		}
		if at := strings.IndexAny(press, g.Terminators); at >= 0 && g.Terminators != "" {
			d.Value, d.Terminator = press[:at], press[at:at+1]
		} else {
			d.Value = press[:min(len(press), g.Max)]
		}
		return c.pass(pressTime)
	})
	return d, err
}

func (c *controller) Hangup(_ context.Context, cause call.Cause) error {
	return c.do("hangup "+string(cause), func() error {
		c.Over = &call.HungUp{Cause: cause}
		return nil
	})
}

func (c *controller) Save(_ context.Context, checkpoint string) error {
	return c.do("save", func() error {
		if len(checkpoint) > call.MaxCheckpoint || call.EpochOf(checkpoint) == 0 {
			panic("no checkpoint: " + checkpoint)
		}
		c.Checkpoint = checkpoint
		return nil
	})
}

func (c *controller) LastResort(_ context.Context, why string) error {
	return c.do("last resort", func() error {
		c.Resorted = why
		return nil
	})
}

func (c *controller) LastBridge() (call.BridgeResult, bool) {
	if c.taken == nil {
		return call.BridgeResult{}, false
	}
	return *c.taken, true
}

// Bridge can be lost before the commitment, between the commitment and the dialling,
// while it lasts and after its end. Once it dials, it goes on without us.
func (c *controller) Bridge(_ context.Context, b call.Bridge, checkpoint string) (r call.BridgeResult, err error) {
	var began, lost bool
	err = c.do("bridge", func() error {
		c.Checkpoint, c.last = checkpoint, nil
		if err := c.point(); err != nil {
			return err
		}
		began = true
		lost = c.point() != nil
		var over error
		if r, over = c.bridge(b, !lost); over == nil {
			ended := r
			c.last = &ended
		}
		if lost {
			return call.ErrLost
		}
		return over
	})
	if !began || errors.Is(err, call.ErrLost) {
		return call.BridgeResult{}, call.ErrLost
	}
	return r, err
}

// bridge dials, and lets both talk. Without us nobody records.
func (p *controller) bridge(b call.Bridge, watched bool) (call.BridgeResult, error) {
	record := func(e call.Event) {
		if watched {
			p.rec.Record(e)
		}
	}
	p.Bridges = append(p.Bridges, b)
	r := call.BridgeResult{Outcome: call.Undone}
	best, longest := time.Duration(-1), time.Duration(0)
	var winner call.BridgeLeg
	for _, l := range b.Legs {
		if l.UUID == "" || l.Address == (call.Address{}) {
			panic(fmt.Sprintf("leg %+v cannot be dialled", l))
		}
		p.Dialled = append(p.Dialled, l.UUID)
		record(call.Event{Type: call.TargetRinging, Leg: l.UUID, Target: l.Target})
		after, cause := p.attempt(b, l)
		switch {
		case cause != "":
			r.Legs = append(r.Legs, call.LegResult{UUID: l.UUID, Cause: cause})
			if after >= longest {
				longest, r.Cause = after, cause
			}
		case best < 0 || after < best:
			if best >= 0 {
				r.Legs = append(r.Legs, call.LegResult{UUID: winner.UUID, Cause: call.LoseRace})
			}
			best, winner = after, l
		default:
			r.Legs = append(r.Legs, call.LegResult{UUID: l.UUID, Cause: call.LoseRace})
		}
	}
	if best < 0 {
		r.Outcome = call.OutcomeOf(r.Cause)
		return p.given(r, p.pass(longest))
	}
	if err := p.pass(best); err != nil {
		return p.given(r, err)
	}
	if !p.Call.Answered {
		record(call.Event{Type: call.Answered})
	}
	p.Call.Answered = true
	record(call.Event{Type: call.Connected, Leg: winner.UUID, Target: winner.Target})
	r.Outcome, r.Winner, r.Cause = call.Completed, winner.UUID, call.NormalClearing
	r.Connected = p.callee(winner.Target).Talks
	if b.MaxLength > 0 && (r.Connected == 0 || b.MaxLength < r.Connected) {
		r.Connected, r.Cause = b.MaxLength, call.AllottedTimeout
	}
	if r.Connected == 0 && p.HangsUp == 0 {
		panic("nobody ever hangs up")
	}
	talk := r.Connected
	if talk == 0 {
		talk = p.HangsUp
	}
	at := p.Clock.at
	err := p.pass(talk)
	record(call.Event{Type: call.Released, Leg: winner.UUID, Target: winner.Target, Cause: r.Cause, Millis: p.Clock.at.Sub(at).Milliseconds()})
	return r, err
}

// given returns the result of an attempt that nobody answered, or that the
// caller gave up.
func (p *Phone) given(r call.BridgeResult, err error) (call.BridgeResult, error) {
	if err != nil {
		r = call.BridgeResult{Outcome: call.Undone, Cause: call.OriginatorCancel}
	}
	return r, err
}

func (p *Phone) callee(target string) Callee {
	if c, ok := p.Callees[target]; ok {
		return c
	}
	return Callee{After: time.Second, Talks: defaultTalk}
}

// attempt returns when a leg answers, or when and why it does not.
func (p *Phone) attempt(b call.Bridge, l call.BridgeLeg) (time.Duration, call.Cause) {
	ring := b.Ring
	if l.Ring > 0 {
		ring = min(ring, l.Ring)
	}
	c := p.callee(l.Target)
	switch {
	case c.Rings || c.After >= ring:
		return ring, call.AllottedTimeout
	case c.Cause != "":
		return c.After, c.Cause
	case b.Confirm.Key == "":
		return c.After, ""
	case c.Presses == b.Confirm.Key:
		return c.After + promptTime, ""
	}
	return c.After + b.Confirm.Timeout, call.AllottedTimeout
}
