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

// Check resolves the members as far as the targets are known.
func (d *Dial) Check(c *flowengine.Check) {
	if len(d.Targets) == 0 || len(d.Targets) > maxTargets {
		c.Problem("targets", "", "targets: dial has 1 to %d targets, not %d", maxTargets, len(d.Targets))
	}
	for i, m := range d.Targets[:min(len(d.Targets), maxTargets)] {
		d.checkMember(c, fmt.Sprintf("targets/%d", i), m)
	}
	wholeSeconds(c, "ring", d.Ring, 10*time.Minute)
	wholeSeconds(c, "max", d.Max, 24*time.Hour)
	if d.CallerID != showCaller && d.CallerID != showNumber && !call.ValidNumber(d.CallerID) {
		c.Problem("caller_id", `write caller, number or a number in quotes`, "caller_id: %q is no number", d.CallerID)
	}
	if strings.HasPrefix(d.Ringback.Source, "say:") {
		// Its end would end the dial (switch_ivr_originate.c, switch_ivr_originate).
		c.Problem("ringback", "write a tone, such as tone:%(2000,4000,440,480), or a sound file", "ringback: speech cannot be repeated")
	}
	if d.Gateway != "" {
		if _, err := call.NumberAddress("0", d.Gateway); err != nil {
			c.Problem("gateway", "", "%s", err)
		}
	}
	if d.Confirm != nil {
		d.Confirm.check(c)
	}
}

func (d *Dial) checkMember(c *flowengine.Check, at string, m Member) {
	if m.Weight < 0 || m.Weight > 1_000_000 {
		c.Problem(at+"/weight", "", "weight: %d is not between 1 and 1000000", m.Weight)
	}
	wholeSeconds(c, at+"/ring", m.Ring, 10*time.Minute)
	switch {
	case strings.HasPrefix(m.To, "sip:"):
		if _, err := call.URIAddress(m.To); err != nil {
			c.Problem(at+"/to", "", "%s", err)
		}
	case call.ValidNumber(m.To):
		if d.Gateway == "" {
			c.Problem(at+"/to", "add gateway: NAME to the dial, or define a target with number and gateway",
				"number %s needs a gateway to be dialled through", m.To)
		}
	case strings.Contains(m.To, "@"):
		c.Problem(at+"/to", "write sip:"+m.To+", or define a target with user: for a registered user", "%q is no target", m.To)
	case !c.Target(m.To):
		c.Problem(at+"/to", c.NearestTarget(m.To), "there is no target %q", m.To)
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

// wholeSeconds checks a time span that is left out or what the switch can count.
func wholeSeconds(c *flowengine.Check, at string, v flowengine.Duration, most time.Duration) {
	if d := time.Duration(v); d != 0 && (d < time.Second || d > most || d%time.Second != 0) {
		name := at[strings.LastIndexByte(at, '/')+1:]
		c.Problem(at, "", "%s: %s is not between 1s and %s, in whole seconds", name, d, round(most))
	}
}

// round writes a time span without what is zero.
func round(d time.Duration) string {
	return strings.Replace(strings.Replace(d.String(), "m0s", "m", 1), "h0m", "h", 1)
}

// dialState is what a dial leaves in the checkpoint: the order that was
// chosen, and the attempt that is under way.
type dialState struct {
	Attempts [][]int `json:"a"`
	At       int     `json:"i"`
}

// Run makes one attempt after the other until one is connected. After a
// takeover it goes on with the attempt that was under way.
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
		switch r.Outcome {
		case "":
			told = append(told, names(who)+": no longer configured")
			continue
		case call.Completed:
			told = append(told, winner(who, r)+" answered")
			return flowengine.Result{Exit: string(call.Completed), Why: strings.Join(told, ", then ")}, nil
		}
		exit = string(r.Outcome)
		told = append(told, names(who)+": "+string(r.Cause))
	}
	return flowengine.Result{Exit: exit, Why: strings.Join(told, ", then ")}, nil
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
		state.Attempts = routing.Attempts(d.Strategy, members, s)
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
