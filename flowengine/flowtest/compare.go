package flowtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Failure is a call that is not what its test expects.
type Failure struct {
	Test        Test
	Differences []Difference
}

// Error tells the place and the name of the test, and its differences below.
func (f *Failure) Error() string {
	var b strings.Builder
	if f.Test.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", f.Test.File, f.Test.Line)
	}
	b.WriteString(f.Test.Name)
	for _, d := range f.Differences {
		b.WriteString("\n" + strings.TrimRight("  "+strings.ReplaceAll(d.String(), "\n", "\n  "), " "))
	}
	return b.String()
}

// Difference is one thing that is not as expected: a text, or a list of texts.
type Difference struct {
	What     string   `json:"what"`
	Expected []string `json:"expected,omitempty"`
	Got      []string `json:"got,omitempty"`
	Why      []string `json:"why,omitempty"` // of the steps that were got
	Hint     string   `json:"hint,omitempty"`
	list     bool
}

// String writes a text as one line, and a list as the lines of both: "-" in front of
// what is missing, "+" in front of what came instead.
func (d Difference) String() string {
	if d.Hint != "" {
		return d.What + "; " + d.Hint
	}
	if !d.list {
		why := ""
		if len(d.Why) > 0 && d.Why[0] != "" {
			why = " (" + d.Why[0] + ")"
		}
		return fmt.Sprintf("%s: got %s%s, expected %s", d.What, show(d.Got), why, show(d.Expected))
	}
	var b strings.Builder
	b.WriteString(d.What + ": - expected, + got")
	before, after := d.common()
	line := func(sign, text, why string) {
		if why != "" {
			text = fmt.Sprintf("%-24s %s", text, why)
		}
		fmt.Fprintf(&b, "\n  %s %s", sign, text)
	}
	why := func(i int) string {
		if i < len(d.Why) {
			return d.Why[i]
		}
		return ""
	}
	for i, text := range d.Got[:before] {
		if i == before-1 {
			line(" ", text, why(i))
		} else {
			line(" ", text, "")
		}
	}
	for _, text := range d.Expected[before : len(d.Expected)-after] {
		line("-", text, "")
	}
	for i, text := range d.Got[before : len(d.Got)-after] {
		line("+", text, why(before+i))
	}
	for _, text := range d.Got[len(d.Got)-after:] {
		line(" ", text, "")
	}
	return b.String()
}

func show(texts []string) string {
	if len(texts) == 0 || texts[0] == "" {
		return "nothing"
	}
	return texts[0]
}

// common counts what both lists have alike at their beginning and at their end.
func (d Difference) common() (before, after int) {
	short := min(len(d.Got), len(d.Expected))
	for before < short && d.Got[before] == d.Expected[before] {
		before++
	}
	for after < short-before && d.Got[len(d.Got)-1-after] == d.Expected[len(d.Expected)-1-after] {
		after++
	}
	return before, after
}

// differences says where a call is not what is expected.
func (r *Result) differences(t *Test) []Difference {
	var out []Difference
	x := &t.Expect
	list := func(what string, got, want, why []string) {
		if want != nil && !slices.Equal(got, want) {
			out = append(out, Difference{What: what, Got: got, Expected: want, Why: why, list: true})
		}
	}
	text := func(what, got, want string, why ...string) {
		if got != want {
			out = append(out, Difference{What: what, Got: []string{got}, Expected: []string{want}, Why: why})
		}
	}
	for _, node := range slices.Compact(slices.Sorted(slices.Values(r.Unscripted))) {
		out = append(out, Difference{What: "node " + node + " makes a request for which no answer is written", Hint: "add requests: {" + node + ": 200}, with the answer that it is to get"})
	}
	list("path", r.Path(), x.Path, r.reasons())
	exits, whys := r.steps()
	for _, node := range slices.Sorted(maps.Keys(x.Exits)) {
		why, passed := whys[node]
		if !passed {
			why = "the call did not pass it"
		}
		text("exit of "+node, exits[node], x.Exits[node], why)
	}
	for _, node := range slices.Sorted(maps.Keys(x.Why)) {
		text("why of "+node, whys[node], x.Why[node])
	}
	list("dialled", r.Targets(), x.Dialled, nil)
	notTried := r.NotTried()
	for _, name := range slices.Sorted(maps.Keys(x.NotTried)) {
		got, want := notTried[name], x.NotTried[name]
		if rule, _, _ := strings.Cut(got, ": "); rule == want {
			continue
		}
		text("not tried "+name, got, want)
	}
	list("verbs", r.verbs(), x.Verbs, nil)
	list("events", r.Emitted(), x.Events, nil)
	tags := r.Tags()
	for _, name := range slices.Sorted(maps.Keys(x.Tags)) {
		text("tag "+name, tags[name], x.Tags[name])
	}
	if end, ordinary := r.End(); x.Ends != "" {
		text("ends", end, x.Ends)
	} else if !ordinary {
		text("ends", end, "with a cause, or transferred")
	}
	return out
}

// End returns how the call ended: a cause, or "transferred EXTENSION". It says false for
// an end that no flow should come to.
func (r *Result) End() (end string, ordinary bool) {
	if over := (*call.HungUp)(nil); errors.As(r.Err, &over) {
		return string(over.Cause), true
	}
	if away := (*flowengine.TransferredError)(nil); errors.As(r.Err, &away) {
		return transferred + away.To.Number, true
	}
	return fmt.Sprint(r.Err), false
}

// Faults returns why nodes failed, as "node: why".
func (r *Result) Faults() []string {
	var out []string
	for _, e := range r.Events {
		if e.Type == call.FlowError {
			out = append(out, strings.TrimPrefix(e.Step+": "+e.Why, ": "))
		}
	}
	return out
}

// reasons returns why each step of Path was taken.
func (r *Result) reasons() []string {
	var out []string
	for _, e := range r.Events {
		if e.Type == call.Step {
			out = append(out, e.Why)
		}
	}
	return out
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
	for name, v := range r.Scenario.Tags {
		out[name] = flowengine.Scalar{Value: v}.String()
	}
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

// NotTried returns why targets were not tried, as "rule: value", by their names. What
// was told last counts.
func (r *Result) NotTried() map[string]string {
	out := map[string]string{}
	for _, e := range r.Events {
		if e.Type == call.TargetDialed {
			delete(out, e.Target)
		}
		for name, value := range e.Attrs {
			if target, ok := strings.CutPrefix(name, notPrefix); ok {
				out[target] = value
			}
		}
	}
	return out
}

// notPrefix begins the attributes that tell why a target was not tried.
const notPrefix = "not."

// verbs returns what was done, without the saving of checkpoints.
func (r *Result) verbs() []string {
	return slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == "save" })
}
