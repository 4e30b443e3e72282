package nodes

import (
	"errors"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Calling is how a node calls those whom it tries.
type Calling struct {
	Ring       flowengine.Duration `yaml:"ring"`
	CallerID   string              `yaml:"caller_id"`
	Ringback   flowengine.Prompt   `yaml:"ringback"`
	EarlyMedia bool                `yaml:"early_media"`
	Confirm    *Confirm            `yaml:"confirm"`
	Whisper    flowengine.Prompt   `yaml:"whisper"` // empty: that of the target
	Record     bool                `yaml:"record"`
	Max        flowengine.Duration `yaml:"max"`
	Reroute    flowengine.Duration `yaml:"reroute"` // 0: whoever answered was the last
}

// Confirm makes whoever answers press a key.
type Confirm struct {
	Key     string              `yaml:"key"`
	Prompt  flowengine.Prompt   `yaml:"prompt,required"`
	Timeout flowengine.Duration `yaml:"timeout"`
}

const (
	showCaller     = "caller"
	showNumber     = "number"
	defaultRing    = 20 * time.Second
	defaultKey     = "1"
	defaultConfirm = 10 * time.Second
)

func newCalling() Calling {
	return Calling{Ring: flowengine.Duration(defaultRing), CallerID: showCaller}
}

// check checks the settings that dial and plan share.
func (n *Calling) check(c *flowengine.Check) {
	wholeSeconds(c, "ring", n.Ring, 10*time.Minute)
	wholeSeconds(c, "max", n.Max, 24*time.Hour)
	wholeSeconds(c, "reroute", n.Reroute, 10*time.Minute)
	if n.CallerID != showCaller && n.CallerID != showNumber && !call.ValidNumber(n.CallerID) {
		c.Problem("caller_id", `write caller, number or a number in quotes`, "caller_id: %q is no number", n.CallerID)
	}
	repeatable(c, "ringback", &n.Ringback) // its end would end the dial (switch_ivr_originate.c, switch_ivr_originate)
	finite(c, "whisper", &n.Whisper)
	if n.Confirm != nil {
		n.Confirm.check(c)
	}
}

func (f *Confirm) check(c *flowengine.Check) {
	if f.Key == "" {
		f.Key = defaultKey
	}
	if f.Timeout == 0 {
		f.Timeout = flowengine.Duration(defaultConfirm)
	}
	if len(f.Key) != 1 || !strings.Contains("0123456789*#", f.Key) {
		c.Problem("confirm/key", "", "key: %q is not one of 0-9, * and #", f.Key)
	}
	if f.Prompt.Empty() {
		c.Problem("confirm/prompt", `write prompt: "say:Press 1 to take the call."`, "whoever answers must hear which key to press")
	}
	wholeSeconds(c, "confirm/timeout", f.Timeout, time.Minute)
}

// leftEarly says whether the callee hung up before it had talked for long. One that was
// hung up because of max did not, and a time that is not known is no reason to dial
// somebody else.
func (n *Calling) leftEarly(r call.BridgeResult) bool {
	return r.Connected > 0 && r.Connected < time.Duration(n.Reroute) && r.Cause != call.AllottedTimeout
}

// bridge describes an attempt with these legs.
func (n *Calling) bridge(s *flowengine.Session, legs []call.BridgeLeg) (b call.Bridge, err error) {
	b = call.Bridge{Legs: legs, EarlyMedia: n.EarlyMedia, MaxLength: time.Duration(n.Max)}
	for _, leg := range legs {
		b.Ring = max(b.Ring, leg.Ring)
	}
	for i := range legs {
		if legs[i].Ring == b.Ring {
			legs[i].Ring = 0
		}
	}
	var errs [4]error
	b.Ringback, errs[0] = n.ringback(s)
	b.Whisper, errs[1] = n.whisper(s, legs)
	if n.Confirm != nil {
		b.Confirm = call.Confirm{Key: n.Confirm.Key, Timeout: time.Duration(n.Confirm.Timeout)}
		b.Confirm.Prompt, errs[2] = s.Prompt(&n.Confirm.Prompt)
	}
	if n.Record {
		b.Record, errs[3] = s.Recording()
	}
	return b, errors.Join(errs[:]...)
}

// ringing is the tone of North America (ITU-T E.180, supplement 2).
var ringing = call.Prompt{Kind: call.Tone, Text: "%(2000,4000,440,480)"}

// ringback is what the caller hears while somebody is sought.
func (n *Calling) ringback(s *flowengine.Session) (call.Prompt, error) {
	p, err := s.Prompt(&n.Ringback)
	if p.Kind == call.Silence && s.Answered() && !n.EarlyMedia {
		p = ringing // an answered caller would hear nothing
	}
	return p, err
}

// whisper is what whoever answers hears: that of the node, or of the target. Where
// several are called at once there is one for all, and so that of a target only if it is
// that of all.
func (n *Calling) whisper(s *flowengine.Session, legs []call.BridgeLeg) (call.Prompt, error) {
	if !n.Whisper.Empty() || len(legs) == 0 {
		return s.Prompt(&n.Whisper)
	}
	first, _ := s.Target(legs[0].Target)
	for _, leg := range legs[1:] {
		if t, _ := s.Target(leg.Target); t.Whisper.Source != first.Whisper.Source {
			return call.Prompt{}, nil
		}
	}
	return s.Prompt(&first.Whisper)
}

// leg describes one who is called: a target, a number or a SIP address, for so long, or
// as long as the target or the node says. It has no address when its target is no
// longer configured.
func (n *Calling) leg(s *flowengine.Session, to, gateway string, ring flowengine.Duration) call.BridgeLeg {
	l := call.BridgeLeg{Target: to, CallerID: n.callerID(s), Ring: time.Duration(n.Ring)}
	switch {
	case strings.HasPrefix(to, sipScheme):
		l.Address, _ = call.URIAddress(to)
	case call.ValidNumber(to):
		if gateway, ok := s.Gateway(gateway); ok {
			l.Address, _ = call.NumberAddress(to, gateway)
		}
	default:
		if t, ok := s.Target(to); ok {
			l.Address = t.Address
			if t.Ring != 0 {
				l.Ring = t.Ring
			}
		}
	}
	if ring != 0 {
		l.Ring = time.Duration(ring)
	}
	return l
}

const sipScheme = "sip:"

// callerID is the number to show; empty leaves it to the switch.
func (n *Calling) callerID(s *flowengine.Session) string {
	id := n.CallerID
	switch id {
	case showCaller:
		id = s.Call().Caller.Number
	case showNumber:
		id = s.Call().Number
	}
	if !call.ValidNumber(id) {
		return ""
	}
	return id
}
