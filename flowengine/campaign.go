package flowengine

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
)

// Mode says what runs the calls of a campaign.
type Mode string

// The modes.
const (
	PlanMode Mode = "routing_plan"
	FlowMode Mode = "call_flow"
)

// Campaign is what numbers belong to: how their calls are run. It does not change.
type Campaign struct {
	Name      string
	Title     string // for people
	Enabled   bool
	Mode      Mode
	Plan      string     // name of the plan; may be empty in FlowMode
	Flow      string     // name of the flow; may be empty in PlanMode
	Overrides []Override // in the order in which they are looked at

	Conversion *time.Duration // connected time that makes a call a conversion; nil: none does
	Payout     *call.Terms    // what the publisher gets; nil: nothing by rule
}

// runs returns the name of the flow that calls begin in when no override matches.
func (c *Campaign) runs() string {
	if c.Mode == FlowMode {
		return c.Flow
	}
	return planPrefix + c.Plan
}

// override returns the first override that is for a call; nil when there is none.
func (c *Campaign) override(caller, publisher string) *Override {
	if c.Mode != PlanMode {
		return nil
	}
	for i := range c.Overrides {
		if o := &c.Overrides[i]; o.matches(caller, publisher) {
			return o
		}
	}
	return nil
}

// Override replaces the plan of a campaign for some calls.
type Override struct {
	Priority  int // lower first
	Match     Subject
	Operator  Operator
	Value     string
	Publisher string // only calls of this publisher; empty: of any
	Plan      string
	Enabled   bool
	pattern   *regexp.Regexp // of the operator regex
}

// Subject is what of a call an Override looks at.
type Subject string

// The subjects.
const (
	OfCaller    Subject = "caller"    // the caller's number, without a leading +
	OfPublisher Subject = "publisher" // the name of the publisher
)

// Operator says how an Override compares.
type Operator string

// The operators.
const (
	Equals   Operator = "equals"
	Starts   Operator = "starts"
	Ends     Operator = "ends"
	Contains Operator = "contains"
	Matches  Operator = "regex" // RE2
)

// String returns what the override looks for, for people.
func (o *Override) String() string { return fmt.Sprintf("%s %s %s", o.Match, o.Operator, o.Value) }

func (o *Override) matches(caller, publisher string) bool {
	if !o.Enabled || o.Publisher != "" && o.Publisher != publisher {
		return false
	}
	is, value := publisher, o.Value
	if o.Match == OfCaller {
		is, value = call.PlainNumber(caller), call.PlainNumber(o.Value)
	}
	switch o.Operator {
	case Equals:
		return is == value
	case Starts:
		return strings.HasPrefix(is, value)
	case Ends:
		return strings.HasSuffix(is, value)
	case Contains:
		return strings.Contains(is, value)
	}
	return o.pattern.MatchString(is)
}

const (
	maxOverrides = 100
	maxPattern   = 200 // bytes of the value of an override
)

// overrideSettings are an override as it is written.
type overrideSettings struct {
	Priority  int    `yaml:"priority"`
	Match     string `yaml:"match,required"`
	Operator  string `yaml:"operator,required"`
	Value     string `yaml:"value,required"`
	Publisher string `yaml:"publisher"`
	Plan      string `yaml:"plan,required"`
	Enabled   *bool  `yaml:"enabled"`
}

// campaign reads NAME: {plan:, flow:, mode:, overrides: …}.
func (l *loader) campaign(e entry) {
	s := struct {
		Name       title               `yaml:"name"`
		Enabled    bool                `yaml:"enabled"`
		Mode       string              `yaml:"mode"`
		Plan       string              `yaml:"plan"`
		Flow       string              `yaml:"flow"`
		Overrides  []overrideSettings  `yaml:"overrides"`
		Conversion *conversionSettings `yaml:"conversion"`
		Payout     *moneySettings      `yaml:"payout"`
	}{Enabled: true}
	const runs = "write {plan: NAME}, or {flow: NAME}"
	if !e.decode(&s, "campaign", runs) {
		return
	}
	l.refer(e.doc, e.at("plan"), "plan", s.Plan)
	l.refer(e.doc, e.at("flow"), "flow", s.Flow)
	c := &Check{doc: e.doc, node: e.value}
	mode := Mode(s.Mode)
	if mode == "" {
		mode = PlanMode
		if s.Plan == "" {
			mode = FlowMode
		}
	}
	modes := []string{string(PlanMode), string(FlowMode)}
	switch {
	case !slices.Contains(modes, string(mode)):
		c.Problem("mode", DidYouMean(s.Mode, modes), "mode: there is no mode %s", quote(s.Mode))
	case s.Plan == "" && s.Flow == "":
		e.doc.at(e.key, runs, "campaign %s runs nothing", e.key.Value)
	case mode == PlanMode && s.Plan == "":
		c.Problem("mode", "add plan: NAME, or write mode: call_flow", "campaign %s has no plan to run", e.key.Value)
	case mode == FlowMode && s.Flow == "":
		c.Problem("mode", "add flow: NAME, or write mode: routing_plan", "campaign %s has no flow to run", e.key.Value)
	case s.Plan == "" && len(s.Overrides) > 0:
		c.Problem("overrides", "add plan: NAME", "overrides replace a plan, and campaign %s has none", e.key.Value)
	}
	out := &Campaign{Name: e.key.Value, Title: s.Name.or(e.key.Value), Enabled: s.Enabled, Mode: mode, Plan: s.Plan, Flow: s.Flow,
		Conversion: s.Conversion.after(), Payout: l.money(c, "payout", s.Payout)}
	if n := len(s.Overrides); n > maxOverrides {
		c.Problem("overrides", "", "overrides: there can be %d, not %d", maxOverrides, n)
		return
	}
	for i, o := range s.Overrides {
		out.Overrides = append(out.Overrides, l.override(e, fmt.Sprintf("overrides/%d/", i), o))
	}
	slices.SortStableFunc(out.Overrides, func(a, b Override) int { return cmp.Compare(a.Priority, b.Priority) })
	l.org.campaigns[out.Name] = out
}

// override checks the override at a path of the campaign.
func (l *loader) override(e entry, at string, s overrideSettings) Override {
	c := &Check{doc: e.doc, node: e.value}
	place := func(setting string) *yaml.Node { return c.place(at + setting).node }
	out := Override{Priority: s.Priority, Match: Subject(s.Match), Operator: Operator(s.Operator), Value: s.Value, Publisher: s.Publisher,
		Plan: s.Plan, Enabled: s.Enabled == nil || *s.Enabled}
	checkPriority(c, at+"priority", s.Priority)
	l.refer(e.doc, place("plan"), "plan", s.Plan)
	l.refer(e.doc, place("publisher"), "publisher", s.Publisher)
	subjects := []string{string(OfCaller), string(OfPublisher)}
	if !slices.Contains(subjects, s.Match) {
		c.Problem(at+"match", DidYouMean(s.Match, subjects), "match: an override cannot match %s", quote(s.Match))
	}
	operators := []string{string(Equals), string(Starts), string(Ends), string(Contains), string(Matches)}
	if !slices.Contains(operators, s.Operator) {
		c.Problem(at+"operator", DidYouMean(s.Operator, operators), "operator: there is no operator %s", quote(s.Operator))
	}
	if n := len(call.PlainNumber(s.Value)); n < 1 || n > maxPattern {
		c.Problem(at+"value", "", "value: it has 1 to %d bytes, not %d", maxPattern, n)
	}
	switch {
	case out.Operator == Matches:
		var err error
		if out.pattern, err = regexp.Compile(s.Value); err != nil {
			c.Problem(at+"value", "write a regular expression in the syntax of RE2", "value: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		} else if out.Match == OfCaller && strings.HasPrefix(strings.TrimPrefix(s.Value, "^"), `\+`) {
			c.Problem(at+"value", `leave \+ out`, "value: callers are compared without their +")
		}
	case out.Match == OfPublisher && out.Operator == Equals:
		l.refer(e.doc, place("value"), "publisher", s.Value)
	}
	return out
}
