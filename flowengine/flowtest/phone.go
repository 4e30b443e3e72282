// Package flowtest runs calls without a switch and without time: callers and
// callees that behave as told, in virtual time, so that an hour of a call takes
// as long as its steps. It also takes the control away from a call at any point
// and gives the call to the next controller, as a switch does when its server
// dies.
package flowtest

import (
	"context"
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
// who are dialled or asked.
type Scenario struct {
	Call      call.Call
	At        time.Time            // when it begins; zero: Epoch
	Press     []string             // what the caller presses each time it is asked; nothing when used up
	Says      []time.Duration      // how long the caller speaks each time it is recorded; nothing when used up
	HangsUp   time.Duration        // when the caller hangs up; 0: never by itself
	Callees   map[string]Callee    // by target; others answer and talk for 10 s
	Answers   map[string]Answer    // to requests, by node
	Available map[string]Answer    // to the question whether somebody is there, by target; others are not asked
	Live      flowengine.Requester // answers the other requests; nil: they fail
	Org       string               // whose call it is; empty: as the number says
	Flow      string               // begins in this flow, whatever the number's is
	Tags      map[string]any       // written before the flow begins
	Data      []Data               // that come from outside, in order
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
	Clock       *Clock
	Checkpoint  string   // the last one
	Checkpoints []string // all, in order
	Events      []call.Event
	Dialled     []string // UUIDs of the legs that rang, in order
	Verbs       []string // what was done, in order
	Bridges     []call.Bridge
	Requests    []call.Request
	Unscripted  []string // nodes that made requests for which there is no answer
	Acts        []Act
	Over        *call.HungUp
	Resorted    string // why the call was given to the last resort

	engine  *flowengine.Engine // of the last controller
	org     string             // of the call, once an event has said so
	done    []int              // verbs before each event
	began   time.Time
	pressed int
	said    int
	left    message            // that the caller left last
	last    *call.BridgeResult // of the committed attempt, once it has ended
}

// message is a recording of what the caller said.
type message struct {
	path   string
	result call.MessageResult
}

// NewPhone returns the channel of a new call.
func NewPhone(s Scenario, clock *Clock) *Phone {
	if s.Call.ID == "" {
		s.Call.ID = "7c1f0c52-1111-4222-8333-444455556666"
	}
	if s.At.IsZero() {
		s.At = Epoch
	}
	if clock == nil {
		clock = &Clock{s.At}
	}
	s.Call.Started = clock.at
	p := &Phone{Scenario: s, Clock: clock, began: clock.at}
	p.Events, p.done, p.Checkpoints, p.Verbs = make([]call.Event, 0, 8), make([]int, 0, 8), make([]string, 0, 8), make([]string, 0, 8)
	return p
}

// Act is something that no event tells: what the caller heard and did, and the requests
// that were made meanwhile.
type Act struct {
	At     time.Time
	Events int    // recorded before it
	Text   string // for people
}

func (p *Phone) tell(at time.Time, text string) {
	p.Acts = append(p.Acts, Act{at, len(p.Events), text})
}

// pass lets time go by; it fails when the caller hangs up meanwhile.
func (p *Phone) pass(d time.Duration) error {
	if p.Over != nil {
		return p.Over
	}
	until := p.Clock.at.Add(d)
	if at := p.began.Add(p.HangsUp); p.HangsUp > 0 && !until.Before(at) {
		p.arrive(at)
		p.Clock.at = at
		p.Over = &call.HungUp{Cause: call.NormalClearing}
		if !p.Call.Answered {
			p.Over.Cause = call.OriginatorCancel
		}
		return p.Over
	}
	p.arrive(until)
	p.Clock.at = until
	return nil
}

// leave leaves a checkpoint on the channel.
func (p *Phone) leave(checkpoint string) {
	p.Checkpoint = checkpoint
	p.Checkpoints = append(p.Checkpoints, checkpoint)
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
	told   bool               // the result of a message was returned since the last Save
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

func (c *controller) Ring(context.Context) error {
	return c.do("ring", func() error {
		c.tell(c.Clock.at, "hears it ring")
		return nil
	})
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
	return c.do("play "+p.String(), func() error {
		c.tell(c.Clock.at, "hears "+p.String())
		return c.pass(promptTime)
	})
}

func (c *controller) Gather(_ context.Context, g call.Gather) (d call.Digits, err error) {
	err = c.do("gather "+g.Prompt.String(), func() error {
		press := ""
		if c.pressed < len(c.Press) {
			press = c.Press[c.pressed]
		}
		c.pressed++
		c.tell(c.Clock.at, "hears "+g.Prompt.String())
		if press == "" {
			return c.pass(promptTime + g.Timeout)
		}
		if at := strings.IndexAny(press, g.Terminators); at >= 0 && g.Terminators != "" {
			d.Value, d.Terminator = press[:at], press[at:at+1]
		} else {
			d.Value = press[:min(len(press), g.Max)]
		}
		err := c.pass(pressTime)
		if g.Secret {
			press = "digits that are secret"
		}
		if err == nil {
			c.tell(c.Clock.at, "presses "+press)
		}
		return err
	})
	return d, err
}
