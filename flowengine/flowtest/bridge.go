package flowtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Bridge can be lost before the commitment, between the commitment and the dialling,
// while it lasts and after its end. Once it dials, it goes on without us.
func (c *controller) Bridge(_ context.Context, b call.Bridge, checkpoint string) (r call.BridgeResult, err error) {
	var began, lost bool
	err = c.do("bridge", func() error {
		c.leave(checkpoint)
		c.last = nil
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
	var ended []time.Duration // when each of r.Legs was
	end := func(l call.BridgeLeg, cause call.Cause, after time.Duration) {
		r.Legs, ended = append(r.Legs, call.LegResult{UUID: l.UUID, Cause: cause}), append(ended, after)
	}
	for _, l := range b.Legs {
		if l.UUID == "" || l.Address == (call.Address{}) {
			panic(fmt.Sprintf("leg %+v cannot be dialled", l))
		}
		p.Dialled = append(p.Dialled, l.UUID)
		record(call.Event{Type: call.TargetRinging, Leg: l.UUID, Target: l.Target})
		after, cause := p.attempt(b, l)
		switch {
		case cause != "":
			end(l, cause, after)
			if after >= longest {
				longest, r.Cause = after, cause
			}
		case best < 0 || after < best:
			if best >= 0 {
				end(winner, call.LoseRace, best)
			}
			best, winner = after, l
		default:
			end(l, call.LoseRace, after)
		}
	}
	for i, after := range ended {
		if best >= 0 && after >= best {
			r.Legs[i].Cause = call.LoseRace // it still rang
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
	if watched && b.Joined != nil {
		b.Joined(winner.UUID)
	}
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
	p.tell(p.Clock.at.Add(c.After), fmt.Sprintf("%s answers, but does not press %s", l.Target, b.Confirm.Key))
	return c.After + b.Confirm.Timeout, call.AllottedTimeout
}
