package nodes

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/hours"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// selection is among whom a node chooses, and how.
type selection struct {
	plan       string // name of the plan; empty: the node itself lists the candidates
	turns      string // key of the turns of a round robin
	strategy   routing.Strategy
	candidates []candidate
}

// candidate is one whom a node may try.
type candidate struct {
	to       string // name of a target, number or SIP address
	priority int
	weight   int // 0: that of the target
}

// ruled says whether the candidate is a target with a name: the others have no rules.
func (c *candidate) ruled() bool {
	return !call.ValidNumber(c.to) && !strings.HasPrefix(c.to, sipScheme)
}

// decision is what a selection has led to.
type decision struct {
	*selection
	*routing.Choice
	targets  []flowengine.Target // those that ask for more than to be enabled, by position; nil: none does
	asked    map[int]availability.Answer
	attempts [][]int
	fallback string // why the figures of this node alone decided
}

// choose decides who is tried, and when: it excludes by what a target says of itself,
// by what is taken of it, and by what it answers, in this order, and puts the rest
// in order. The caller hears the music while targets are asked.
func (sel *selection) choose(ctx context.Context, s *flowengine.Session, music call.Prompt) (*decision, error) {
	members := make([]routing.Member, len(sel.candidates))
	d := &decision{selection: sel, Choice: routing.Among(members)}
	for i := range sel.candidates {
		c := &sel.candidates[i]
		members[i] = routing.Member{Priority: c.priority, Weight: c.weight}
		if sel.strategy == routing.LeastRecent {
			members[i].LastUsed = s.LastUsed(c.to)
		}
		if c.ruled() {
			t, configured := s.Target(c.to)
			members[i].Weight = cmp.Or(c.weight, t.Weight)
			d.consider(s, i, &t, configured)
		}
	}
	d.room(ctx, s)
	if err := d.ask(ctx, s, music); err != nil {
		return nil, err
	}
	from := &source{Session: s, ctx: ctx, key: sel.turns}
	d.attempts = d.Attempts(sel.strategy, from)
	d.fallback = cmp.Or(d.fallback, from.fallback)
	return d, nil
}

// source is where the chance and the turns of one choice come from.
type source struct {
	*flowengine.Session
	ctx      context.Context
	key      string // of the turns
	fallback string // why the turn was not that of all nodes
}

func (f *source) Turn() (at uint64) {
	at, f.fallback = f.Session.Turn(f.ctx, f.key)
	return at
}

// consider excludes a target that has something against the call by itself, whatever
// others do.
func (d *decision) consider(s *flowengine.Session, i int, t *flowengine.Target, configured bool) {
	switch {
	case !configured:
		d.Refuse(i, &flowengine.NotConfigured)
		return
	case !t.Enabled:
		d.Refuse(i, &flowengine.Disabled)
		return
	}
	if t.Hours != nil {
		if now := t.Hours.At(s.Now()); now.State != hours.Open {
			d.Refuse(i, &call.Refusal{Rule: call.Closed, Value: now.Why()})
			return
		}
	}
	if t.Filter != nil {
		if passes, why := s.Passes(t.Filter); !passes {
			d.Refuse(i, &call.Refusal{Rule: call.Filtered, Value: why})
			return
		}
	}
	if t.Availability != nil || !t.Limits.None() {
		if d.targets == nil {
			d.targets = make([]flowengine.Target, len(d.candidates))
		}
		d.targets[i] = *t
	}
}

// room excludes those whose limits are reached.
func (d *decision) room(ctx context.Context, s *flowengine.Session) {
	var limited []int
	var targets []flowengine.Target
	for i, t := range d.targets {
		if !t.Limits.None() {
			limited, targets = append(limited, i), append(targets, t)
		}
	}
	if len(limited) == 0 {
		return
	}
	var refused []*call.Refusal
	refused, d.fallback = s.Room(ctx, targets)
	for j, i := range limited {
		d.Refuse(i, refused[j])
	}
}

// ask excludes those who answer that nobody is there.
func (d *decision) ask(ctx context.Context, s *flowengine.Session, music call.Prompt) error {
	var asked []int
	var questions []availability.Question
	for i, t := range d.targets {
		if d.Refused(i) != nil || t.Availability == nil {
			continue
		}
		url, err := s.Address(&t.Availability.URL)
		if err != nil {
			d.Refuse(i, &call.Refusal{Rule: call.Unavailable, Value: "url: " + err.Error()})
			continue
		}
		asked = append(asked, i)
		questions = append(questions, availability.Question{Path: t.Availability.Path,
			Request: call.Request{Method: http.MethodGet, URL: url, Timeout: t.Availability.Timeout, Target: t.Name}})
	}
	if len(asked) == 0 {
		return nil
	}
	answers, err := s.Available(ctx, questions, music)
	if err != nil {
		return err
	}
	d.asked = make(map[int]availability.Answer, len(asked))
	for j, i := range asked {
		d.asked[i] = answers[j]
		if !answers[j].Available {
			d.Refuse(i, &call.Refusal{Rule: call.Unavailable, Value: answers[j].Why()})
		}
	}
	return nil
}

// plain says whether the same would be decided again: nobody is excluded or asked, and
// chance and turns have no part in it.
func (d *decision) plain() bool {
	return (d.strategy == routing.Sequential || d.strategy == routing.Simultaneous) && len(d.asked) == 0 && len(d.excluded()) == 0
}

// perEvent bounds the targets of which one event tells: with all they say of
// themselves they stay below what a line of a journal can be.
const perEvent = 100

// tell records the decision.
func (d *decision) tell(s *flowengine.Session) {
	order := make([]string, len(d.attempts))
	for i, attempt := range d.attempts {
		order[i] = d.names(attempt)
	}
	attrs := map[string]string{"strategy": string(d.strategy), "order": strings.Join(order, ",")}
	if d.fallback != "" {
		attrs["fallback"] = d.fallback
	}
	told := 0
	for i := range d.candidates {
		a, asked := d.asked[i]
		refused := d.Refused(i)
		if !asked && refused == nil {
			continue
		}
		if told == perEvent {
			d.record(s, attrs)
			attrs, told = map[string]string{"strategy": string(d.strategy)}, 0
		}
		told++
		if asked {
			attrs["asked."+d.candidates[i].to] = a.String()
		}
		if refused != nil {
			attrs["not."+d.candidates[i].to] = refused.String()
		}
	}
	d.record(s, attrs)
}

func (d *decision) record(s *flowengine.Session, attrs map[string]string) {
	if d.plan != "" {
		attrs["plan"] = d.plan
	}
	s.Tell(call.Event{Type: call.Decided, Attrs: attrs})
}

// names lists candidates for people.
func (sel *selection) names(positions []int) string {
	out := make([]string, len(positions))
	for j, i := range positions {
		out[j] = sel.candidates[i].to
	}
	return strings.Join(out, "+")
}

// maxExcluded bounds the excluded targets that Why tells of; events tell of all.
const maxExcluded = 5

// excluded tells who is not tried and why, for people.
func (d *decision) excluded() (out []string) {
	more := 0
	for i := range d.candidates {
		switch r := d.Refused(i); {
		case r == nil:
		case len(out) == maxExcluded:
			more++
		default:
			out = append(out, notTried(d.candidates[i].to, *r))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%d others not tried", more))
	}
	return out
}

// notTried tells of one who is not tried.
func notTried(name string, r call.Refusal) string {
	if r == flowengine.NotConfigured || r == flowengine.Disabled {
		return name + ": " + r.Value
	}
	return name + ": " + r.String()
}
