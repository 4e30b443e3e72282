package flowtest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Script is a file of simulated calls: the documents of a flow folder, and
// documents with calls: beside them.
type Script struct {
	Snapshot *flowengine.Snapshot
	Calls    []ScriptCall
}

// ScriptCall is one simulated call and what is expected of it. What is left
// out is not checked.
type ScriptCall struct {
	Name     string            `yaml:"name"`
	From     string            `yaml:"from"`     // caller's number; default +15550100
	CallerID string            `yaml:"callerid"` // caller's display name
	To       string            `yaml:"to"`       // number; default: the first of the file
	Answered bool              `yaml:"answered"` // before the flow begins
	Headers  map[string]string `yaml:"headers"`
	Press    []string          `yaml:"press"`
	HangsUp  string            `yaml:"hangs_up"` // a duration
	Targets  map[string]string `yaml:"targets"`  // see ParseCallee
	Without  []string          `yaml:"without"`  // targets that were removed after the flow was loaded
	Lose     []int             `yaml:"lose"`     // see Run

	Path    []string          `yaml:"path"` // "node exit"
	Ends    string            `yaml:"ends"` // cause
	Dialled []string          `yaml:"dialled"`
	Why     map[string]string `yaml:"why"` // by node, of its last step
	Verbs   []string          `yaml:"verbs"`
}

var beginsDocument = regexp.MustCompile(`(?m)^---[ \t]*$`)

// ParseScript reads a script. A flow without a number gets one.
func ParseScript(file string, data []byte, kinds flowengine.Kinds) (*Script, error) {
	var s Script
	var folder [][]byte
	flow := ""
	for _, doc := range beginsDocument.Split(string(data), -1) {
		var head map[string]yaml.Node
		if err := yaml.Load([]byte(doc), &head); err != nil && strings.TrimSpace(doc) != "" {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if _, ok := head["calls"]; !ok {
			folder = append(folder, []byte(doc))
			if n, ok := head["flow"]; ok && flow == "" {
				flow = n.Value
			}
			if _, ok := head["numbers"]; ok {
				flow = "-"
			}
			continue
		}
		var calls struct {
			Calls []ScriptCall `yaml:"calls"`
		}
		if err := yaml.Load([]byte(doc), &calls, yaml.WithKnownFields()); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		s.Calls = append(s.Calls, calls.Calls...)
	}
	if flow != "" && flow != "-" {
		folder = append(folder, fmt.Appendf(nil, "numbers: {\"1000\": {flow: %s}}\n", flow))
	}
	snapshot, problems := flowengine.LoadFile(file, bytes.Join(folder, []byte("\n---\n")), kinds)
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = p
		}
		return nil, errors.Join(errs...)
	}
	s.Snapshot = snapshot
	return &s, nil
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

// Scenario returns the call as it is to be placed.
func (s *Script) Scenario(c ScriptCall) (Scenario, error) {
	out := Scenario{Press: c.Press, Callees: map[string]Callee{}}
	out.Call = call.Call{Number: c.To, Caller: call.Caller{Number: c.From, Name: c.CallerID}, Answered: c.Answered, Headers: c.Headers, Switch: "fs1"}
	if c.From == "" {
		out.Call.Caller.Number = "+15550100"
	}
	if numbers := s.Snapshot.Numbers(); c.To == "" && len(numbers) > 0 {
		out.Call.Number = numbers[0].Number
	}
	if c.HangsUp != "" {
		d, err := time.ParseDuration(c.HangsUp)
		if err != nil {
			return out, fmt.Errorf("call %q: %w", c.Name, err)
		}
		out.HangsUp = d
	}
	for name, text := range c.Targets {
		callee, err := ParseCallee(text)
		if err != nil {
			return out, fmt.Errorf("call %q: %w", c.Name, err)
		}
		out.Callees[name] = callee
	}
	return out, nil
}

// Play places one call of the script on a fresh engine and compares what
// became of it. It fails with all differences.
func (s *Script) Play(c ScriptCall) (*Result, error) {
	scenario, err := s.Scenario(c)
	if err != nil {
		return nil, err
	}
	p := NewPhone(scenario, nil)
	r := Run(NewEngine(s.Snapshot.Without(c.Without...), p.Clock, 1), p, c.Lose...)
	var errs []error
	differ := func(what string, got, want any) {
		errs = append(errs, fmt.Errorf("call %q: %s: got %v, want %v", c.Name, what, got, want))
	}
	if c.Path != nil && !slices.Equal(r.Path(), c.Path) {
		differ("path", r.Path(), c.Path)
	}
	over := (*call.HungUp)(nil)
	if !errors.As(r.Err, &over) {
		differ("end", r.Err, "hung up")
	} else if c.Ends != "" && string(over.Cause) != c.Ends {
		differ("ends", over.Cause, c.Ends)
	}
	if got := r.Targets(); c.Dialled != nil && !slices.Equal(got, c.Dialled) {
		differ("dialled", got, c.Dialled)
	}
	if c.Verbs != nil && !slices.Equal(r.verbs(), c.Verbs) {
		differ("verbs", r.verbs(), c.Verbs)
	}
	for node, want := range c.Why {
		got := ""
		for _, e := range r.Events {
			if e.Type == call.Step && e.Step == node {
				got = e.Why
			}
		}
		if got != want {
			differ("why of "+node, got, want)
		}
	}
	return r, errors.Join(errs...)
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
