package esltest

import (
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// gap lies between two digits that a caller presses.
const gap = 100 * time.Millisecond

// act does what the caller's script says.
func (k *Call) act(who Caller) {
	s := k.c.sw
	var patience <-chan time.Time
	if who.Patience > 0 {
		t := time.NewTimer(s.span(who.Patience))
		defer t.Stop()
		patience = t.C
	}
	for _, a := range who.Script {
		if !k.await(a, patience) || !k.pause(a.delay, patience) {
			return
		}
		if a.hangup {
			k.HangUp()
			return
		}
		if a.speech > 0 {
			k.Speak(a.speech)
		}
		for i, digit := range a.digits {
			if i > 0 && !k.pause(gap, patience) {
				return
			}
			k.Press(string(digit))
		}
	}
	select {
	case <-patience:
		k.HangUp()
	case <-k.done:
	}
}

// await waits until the act's condition is true; false when the call is over.
func (k *Call) await(a Act, patience <-chan time.Time) bool {
	for {
		k.c.lock()
		over, met := k.c.cause != "", k.met(a)
		k.c.unlock()
		if over || met {
			return !over
		}
		select {
		case <-k.wake:
		case <-k.done:
			return false
		case <-patience:
			k.HangUp()
			return false
		}
	}
}

func (k *Call) met(a Act) bool {
	if a.heard != "" && !strings.Contains(k.plays, a.heard) {
		return false
	}
	switch a.state {
	case Ringing:
		return k.ring
	case Answered:
		return k.res.Answered
	case Bridged:
		n := len(k.res.Talked)
		return n > 0 && k.res.Talked[n-1].For == 0
	case Released:
		n := len(k.res.Talked)
		return n > 0 && k.res.Talked[n-1].For > 0
	}
	return true
}

func (k *Call) pause(d time.Duration, patience <-chan time.Time) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(k.c.sw.span(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-k.done:
		return false
	case <-patience:
		k.HangUp()
		return false
	}
}

// poke lets the script look again.
func (k *Call) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// hears notes that the channel's person begins to hear something; the function
// it returns notes that it has ended.
func (c *channel) hears(what string) func() {
	at := time.Now()
	h := Heard{What: what, At: at}
	if c.dialed != nil {
		return c.hearsB(h)
	}
	if c.call == nil {
		return func() {}
	}
	k := c.call
	before := k.plays
	k.plays = what
	k.res.Heard = append(k.res.Heard, h)
	i := len(k.res.Heard) - 1
	k.poke()
	return func() {
		k.plays = before
		k.res.Heard[i].For = max(time.Since(at), 1)
		k.poke()
	}
}

func (c *channel) hearsB(h Heard) func() {
	s := c.sw
	s.mu.Lock()
	c.dialed.Heard = append(append([]Heard(nil), c.dialed.Heard...), h)
	i := len(c.dialed.Heard) - 1
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		heard := append([]Heard(nil), c.dialed.Heard...)
		heard[i].For = max(time.Since(h.At), 1)
		c.dialed.Heard = heard
		s.mu.Unlock()
	}
}

// bye is the hangup of the person at the channel: BYE, or CANCEL before the
// answer. The variables are those of files 07 and 17b.
func (c *channel) bye() {
	if c.cause != "" {
		return
	}
	if c.call != nil {
		c.call.res.By = "caller"
	}
	if c.times.answered.IsZero() {
		c.left = true
		c.vars.set("sip_hangup_disposition", "recv_cancel")
		c.vars.set("sip_invite_failure_status", "487")
		c.vars.set("sip_invite_failure_phrase", "CANCEL")
		c.vars.set("sip_term_status", "487")
		c.vars.set("proto_specific_hangup_cause", "sip:487")
		c.vars.set("sip_term_cause", "487")
		c.hangup(call.OriginatorCancel, false)
		return
	}
	if c.leg != nil && c.leg.endpoint == "loopback" { // not a person: nothing of SIP (file 15)
		c.vars.set("bridge_to", "")
		c.hangup(call.NormalClearing, false)
		return
	}
	c.vars.set("sip_term_status", "200")
	c.vars.set("proto_specific_hangup_cause", "sip:200")
	c.vars.set("sip_term_cause", "16")
	c.left = true
	c.hangup(call.NormalClearing, false)
	c.vars.set("sip_hangup_disposition", "recv_bye") // not yet in CHANNEL_HANGUP (file 07)
}

// press queues digits at the channel; an application or the park takes them.
func (c *channel) press(digits string) {
	if c.cause != "" {
		return
	}
	sensitive := isTrue(c.variable("sensitive_dtmf"))
	for _, key := range []byte(digits) {
		c.digits = append(c.digits, digit{key, sensitive})
	}
	c.poke()
}

// speak lets the channel's person speak for a while.
func (c *channel) speak(d time.Duration) {
	c.speech = time.Now().Add(c.sw.span(d))
	c.poke()
}
