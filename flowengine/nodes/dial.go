package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// Dial connects the caller with one of its targets.
type Dial struct {
	Targets    []Member            `yaml:"targets,required"`
	Strategy   routing.Strategy    `yaml:"strategy"`
	Ring       flowengine.Duration `yaml:"ring"`
	CallerID   string              `yaml:"caller_id"`
	Gateway    string              `yaml:"gateway"`
	Ringback   flowengine.Prompt   `yaml:"ringback"`
	EarlyMedia bool                `yaml:"early_media"`
	Confirm    *Confirm            `yaml:"confirm"`
	Whisper    flowengine.Prompt   `yaml:"whisper"`
	Record     bool                `yaml:"record"`
	Max        flowengine.Duration `yaml:"max"`
	Reroute    flowengine.Duration `yaml:"reroute"` // 0: whoever answered was the last
}

// Member is one target of a Dial: a target's name, a number or sip:user@host.
type Member struct {
	To     string              `yaml:"to,required"`
	Weight int                 `yaml:"weight"` // 0: that of the target
	Ring   flowengine.Duration `yaml:"ring"`   // 0: that of the target, then of the node
}

// FromText is a member that is nothing but its address.
func (m *Member) FromText(text string) error { m.To = text; return nil }

// Confirm makes whoever answers press a key.
type Confirm struct {
	Key     string              `yaml:"key"`
	Prompt  flowengine.Prompt   `yaml:"prompt,required"`
	Timeout flowengine.Duration `yaml:"timeout"`
}

const (
	noTarget       = "no_target"
	maxTargets     = 100
	showCaller     = "caller"
	showNumber     = "number"
	defaultRing    = 20 * time.Second
	defaultKey     = "1"
	defaultConfirm = 10 * time.Second
)

func newDial() flowengine.Node {
	return &Dial{Strategy: routing.Sequential, Ring: flowengine.Duration(defaultRing), CallerID: showCaller}
}

// dialState is what a dial leaves in the checkpoint: the order that was
// chosen, and the attempt that is under way.
type dialState struct {
	Attempts [][]int `json:"a"`
	At       int     `json:"i"`
}

// Run makes one attempt after the other until one is connected, for long enough. After
// a takeover it goes on with the attempt that was under way.
func (d *Dial) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	state, err := d.order(ctx, s)
	if err != nil {
		return flowengine.Result{}, err
	}
	exit := noTarget
	var told []string
	for ; state.At < len(state.Attempts); state.At++ {
		b, err := d.bridge(s, state.Attempts[state.At])
		if err != nil {
			return flowengine.Result{}, err
		}
		who := b.Legs
		r, err := s.Dial(ctx, b, state)
		if err != nil {
			return flowengine.Result{}, err
		}
		if r.Outcome == "" {
			told = append(told, names(who)+": no longer configured")
			continue
		}
		exit = string(r.Outcome)
		switch {
		case r.Outcome != call.Completed:
			told = append(told, names(who)+": "+string(r.Cause))
		case d.leftEarly(r.BridgeResult):
			told = append(told, fmt.Sprintf("%s hung up after %s", winner(who, r.BridgeResult), r.Connected.Round(100*time.Millisecond)))
		default:
			told = append(told, winner(who, r.BridgeResult)+" answered")
			return flowengine.Result{Exit: exit, Why: strings.Join(told, ", then ")}, nil
		}
	}
	return flowengine.Result{Exit: exit, Why: strings.Join(told, ", then ")}, nil
}

// leftEarly says whether the callee hung up before it had talked for long. One that was
// hung up because of max did not, and a time that is not known is no reason to dial
// somebody else.
func (d *Dial) leftEarly(r call.BridgeResult) bool {
	return r.Connected > 0 && r.Connected < time.Duration(d.Reroute) && r.Cause != call.AllottedTimeout
}

// order chooses who is tried when, or finds what was chosen before a takeover.
func (d *Dial) order(ctx context.Context, s *flowengine.Session) (dialState, error) {
	var state dialState
	resumed, err := s.Resumed(&state)
	if err != nil {
		return state, err
	}
	if !resumed {
		members := make([]routing.Member, len(d.Targets))
		for i, m := range d.Targets {
			t, _ := s.Target(m.To)
			members[i] = routing.Member{Weight: cmp.Or(m.Weight, t.Weight), LastUsed: s.LastUsed(m.To)}
		}
		state.Attempts = routing.Attempts(d.Strategy, members, &source{Session: s, ctx: ctx, key: s.Flow() + "/" + s.ID()})
		if d.Strategy == routing.Sequential || d.Strategy == routing.Simultaneous {
			return state, nil // would be chosen again alike
		}
		return state, s.Keep(ctx, state)
	}
	for _, attempt := range state.Attempts {
		for _, i := range attempt {
			if i < 0 || i >= len(d.Targets) {
				return state, errors.New("the order that was chosen does not fit the targets")
			}
		}
	}
	if state.At < 0 || state.At >= len(state.Attempts) {
		return state, errors.New("the attempt under way does not fit the order that was chosen")
	}
	return state, nil
}

// bridge describes one attempt.
func (d *Dial) bridge(s *flowengine.Session, members []int) (b call.Bridge, err error) {
	b = call.Bridge{EarlyMedia: d.EarlyMedia, MaxLength: time.Duration(d.Max)}
	for _, i := range members {
		leg := d.leg(s, d.Targets[i])
		b.Legs = append(b.Legs, leg)
		b.Ring = max(b.Ring, leg.Ring)
	}
	for i := range b.Legs {
		if b.Legs[i].Ring == b.Ring {
			b.Legs[i].Ring = 0
		}
	}
	var errs [4]error
	b.Ringback, errs[0] = s.Prompt(&d.Ringback)
	if b.Ringback.Kind == call.Silence && s.Answered() && !d.EarlyMedia {
		b.Ringback = ringing // an answered caller would hear nothing
	}
	b.Whisper, errs[1] = s.Prompt(&d.Whisper)
	if d.Confirm != nil {
		b.Confirm = call.Confirm{Key: d.Confirm.Key, Timeout: time.Duration(d.Confirm.Timeout)}
		b.Confirm.Prompt, errs[2] = s.Prompt(&d.Confirm.Prompt)
	}
	if d.Record {
		b.Record, errs[3] = s.Recording()
	}
	return b, errors.Join(errs[:]...)
}

// ringing is the tone of North America (ITU-T E.180, supplement 2).
var ringing = call.Prompt{Kind: call.Tone, Text: "%(2000,4000,440,480)"}

// leg describes one member; without an address when its target is no longer
// configured.
func (d *Dial) leg(s *flowengine.Session, m Member) call.BridgeLeg {
	l := call.BridgeLeg{Target: m.To, CallerID: d.callerID(s), Ring: time.Duration(d.Ring)}
	switch {
	case strings.HasPrefix(m.To, "sip:"):
		l.Address, _ = call.URIAddress(m.To)
	case call.ValidNumber(m.To):
		l.Address, _ = call.NumberAddress(m.To, d.Gateway)
	default:
		if t, ok := s.Target(m.To); ok {
			l.Address = t.Address
			if t.Ring != 0 {
				l.Ring = t.Ring
			}
		}
	}
	if m.Ring != 0 {
		l.Ring = time.Duration(m.Ring)
	}
	return l
}

// callerID is the number to show; empty leaves it to the switch.
func (d *Dial) callerID(s *flowengine.Session) string {
	id := d.CallerID
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

// names lists targets for people.
func names(legs []call.BridgeLeg) string {
	out := make([]string, len(legs))
	for i, l := range legs {
		out[i] = l.Target
	}
	return strings.Join(out, "+")
}

// winner names the target that was connected.
func winner(legs []call.BridgeLeg, r call.BridgeResult) string {
	if i := slices.IndexFunc(legs, func(l call.BridgeLeg) bool { return l.UUID == r.Winner }); i >= 0 {
		return legs[i].Target
	}
	return names(legs)
}
