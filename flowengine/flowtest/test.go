package flowtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Test is one simulated call and what is expected of it.
type Test struct {
	Name       string            `yaml:"name"`
	From       string            `yaml:"from"` // caller's number; default +15550100
	CallerName string            `yaml:"caller_name"`
	To         string            `yaml:"to"`       // number that is dialled; default: the first of the folder
	At         string            `yaml:"at"`       // when, as "2026-07-01 12:00 America/New_York"; default: Epoch
	Answered   bool              `yaml:"answered"` // before the flow begins
	Headers    map[string]string `yaml:"headers"`
	Digits     []string          `yaml:"digits"`   // what the caller presses each time it is asked
	Says       []string          `yaml:"says"`     // how long the caller speaks each time it is recorded
	HangsUp    string            `yaml:"hangs_up"` // so long after its beginning
	Targets    map[string]string `yaml:"targets"`  // see ParseCallee
	Requests   map[string]string `yaml:"requests"` // by node, see ParseAnswer
	Without    []string          `yaml:"without"`  // targets that were removed after the flow was loaded
	Lose       []int             `yaml:"lose"`     // see Run
	Expect     Expect            `yaml:"expect"`
}

// Expect is what becomes of a call. What is left out is not checked.
type Expect struct {
	Path    []string          `yaml:"path"`  // "node exit"
	Exits   map[string]string `yaml:"exits"` // by node, of its last step
	Why     map[string]string `yaml:"why"`   // by node, of its last step
	Tags    map[string]any    `yaml:"tags"`
	Dialled []string          `yaml:"dialled"` // targets that rang, in order
	Events  []string          `yaml:"events"`  // names of emitted events, in order
	Verbs   []string          `yaml:"verbs"`   // what was done on the caller's leg
	Ends    string            `yaml:"ends"`    // cause, or "transferred EXTENSION"
}

// ParseCallee reads how a callee behaves: "busy", "rings", "rejects", a cause
// such as "GATEWAY_DOWN", or "answers", each with "after 5s"; "answers" also
// with "talks 40s" and "presses 1".
func ParseCallee(text string) (Callee, error) {
	c := Callee{After: time.Second}
	words := strings.Fields(text)
	if len(words) == 0 || len(words)%2 == 0 {
		return c, fmt.Errorf("callee %q: a behaviour, then pairs of words", text)
	}
	switch w := words[0]; {
	case w == "answers":
		c.Talks = defaultTalk
	case w == "busy":
		c.Cause = call.UserBusy
	case w == "rejects":
		c.Cause = call.CallRejected
	case w == "rings":
		c.Rings = true
	case call.Cause(w).Known():
		c.Cause = call.Cause(w)
	default:
		return c, fmt.Errorf("callee %q: answers, busy, rings, rejects or a cause", text)
	}
	for i := 1; i < len(words); i += 2 {
		var err error
		switch words[i] {
		case "after":
			c.After, err = time.ParseDuration(words[i+1])
		case "talks":
			c.Talks, err = time.ParseDuration(words[i+1])
		case "presses":
			c.Presses = words[i+1]
		default:
			err = fmt.Errorf("%q is none of after, talks, presses", words[i])
		}
		if err != nil {
			return c, fmt.Errorf("callee %q: %w", text, err)
		}
	}
	return c, nil
}

// ParseTime reads a time of a test: "2026-07-01 12:00", with a time zone behind
// it or in UTC.
func ParseTime(text string) (time.Time, error) {
	day, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	clock, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
	zone, err := time.LoadLocation(strings.TrimSpace(name))
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: there is no time zone %q", text, name)
	}
	layout := "2006-01-02 15:04"
	if strings.Count(clock, ":") == 2 {
		layout += ":05"
	}
	at, err := time.ParseInLocation(layout, day+" "+clock, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: write it like 2026-07-01 12:00 America/New_York", text)
	}
	return at, nil
}

// Scenario returns the call as it is to be placed.
func (s *Script) Scenario(c Test) (Scenario, error) {
	out := Scenario{Press: c.Digits, Callees: map[string]Callee{}, Answers: map[string]Answer{}}
	out.Call = call.Call{Number: c.To, Caller: call.Caller{Number: c.From, Name: c.CallerName}, Answered: c.Answered, Headers: c.Headers, Switch: "fs1"}
	if c.From == "" {
		out.Call.Caller.Number = "+15550100"
	}
	if numbers := s.Snapshot.Numbers(); c.To == "" && len(numbers) > 0 {
		out.Call.Number = numbers[0].Number
	}
	var err error
	if c.At != "" {
		if out.At, err = ParseTime(c.At); err != nil {
			return out, err
		}
	}
	if c.HangsUp != "" {
		if out.HangsUp, err = time.ParseDuration(c.HangsUp); err != nil {
			return out, err
		}
	}
	for _, text := range c.Says {
		d, err := time.ParseDuration(text)
		if err != nil {
			return out, err
		}
		out.Says = append(out.Says, d)
	}
	for name, text := range c.Targets {
		if out.Callees[name], err = ParseCallee(text); err != nil {
			return out, err
		}
	}
	for node, text := range c.Requests {
		if out.Answers[node], err = ParseAnswer(text); err != nil {
			return out, err
		}
	}
	return out, nil
}

// Play places one call of the script on a fresh engine and compares what
// became of it. It fails with all differences.
func (s *Script) Play(c Test) (*Result, error) {
	scenario, err := s.Scenario(c)
	if err != nil {
		return nil, fmt.Errorf("call %q: %w", c.Name, err)
	}
	p := NewPhone(scenario, nil)
	r := Run(NewEngine(s.Snapshot.Without(c.Without...), p.Clock, 1), p, c.Lose...)
	return r, r.differs(c)
}

// differs says where a call is not what was expected.
func (r *Result) differs(c Test) error {
	var errs []error
	differ := func(what string, got, want any) {
		errs = append(errs, fmt.Errorf("call %q: %s: got %v, want %v", c.Name, what, got, want))
	}
	list := func(what string, got, want []string) {
		if want != nil && !slices.Equal(got, want) {
			differ(what, got, want)
		}
	}
	x := c.Expect
	list("path", r.Path(), x.Path)
	list("dialled", r.Targets(), x.Dialled)
	list("verbs", r.verbs(), x.Verbs)
	list("events", r.Emitted(), x.Events)
	over, away := (*call.HungUp)(nil), (*flowengine.TransferredError)(nil)
	end := fmt.Sprint(r.Err)
	switch {
	case errors.As(r.Err, &over):
		end = string(over.Cause)
	case errors.As(r.Err, &away):
		end = "transferred " + away.To.Number
	}
	if over == nil && away == nil || x.Ends != "" && end != x.Ends {
		differ("ends", end, x.Ends)
	}
	exits, whys := r.steps()
	for _, node := range slices.Sorted(maps.Keys(x.Exits)) {
		if exits[node] != x.Exits[node] {
			differ("exit of "+node, exits[node], x.Exits[node])
		}
	}
	for _, node := range slices.Sorted(maps.Keys(x.Why)) {
		if whys[node] != x.Why[node] {
			differ("why of "+node, whys[node], x.Why[node])
		}
	}
	tags := r.Tags()
	for _, name := range slices.Sorted(maps.Keys(x.Tags)) {
		if want := fmt.Sprint(x.Tags[name]); tags[name] != want {
			differ("tag "+name, tags[name], want)
		}
	}
	return errors.Join(errs...)
}

// steps returns the last exit of each node and why it was taken.
func (r *Result) steps() (exits, whys map[string]string) {
	exits, whys = map[string]string{}, map[string]string{}
	for _, e := range r.Events {
		if e.Type == call.Step {
			exits[e.Step], whys[e.Step] = e.Exit, e.Why
		}
	}
	return exits, whys
}

// Tags returns the tags of the call as they are at its end.
func (r *Result) Tags() map[string]string {
	out := map[string]string{}
	for _, e := range r.Events {
		if e.Type == call.Tagged {
			out[e.Attrs["tag"]] = e.Attrs["value"]
		}
	}
	return out
}

// Emitted returns the names of the events that the flow emitted, in order.
func (r *Result) Emitted() []string {
	var out []string
	for _, e := range r.Events {
		if e.Type == call.Emitted {
			out = append(out, e.Attrs["event"])
		}
	}
	return out
}

// Targets returns the targets that rang, in order.
func (r *Result) Targets() []string {
	var out []string
	for _, e := range r.Events {
		if e.Type == call.TargetRinging {
			out = append(out, e.Target)
		}
	}
	return out
}

// verbs returns what was done, without the saving of checkpoints.
func (r *Result) verbs() []string {
	return slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == "save" })
}
