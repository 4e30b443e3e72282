package flowtest

import (
	"context"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// full is a capacity in which others have taken all that some targets have.
type full struct {
	flowengine.Local
	rules map[string]call.Rule // by target: what is taken
}

func (f *full) Usage(ctx context.Context, claims []call.Claim) ([]call.Usage, string) {
	used, fallback := f.Local.Usage(ctx, claims)
	for i := range claims {
		l, u := claims[i].Limits, &used[i]
		switch f.rules[claims[i].Target] {
		case call.CapHour:
			u.Hour = l.Hour
		case call.CapDay:
			u.Day = l.Day
		case call.CapMonth:
			u.Month = l.Month
		case call.CapTotal:
			u.Total = l.Total
		case call.Concurrency:
			u.Concurrency = l.Concurrency
		case call.Duplicate:
			u.Last = claims[i].At
		}
	}
	return used, fallback
}

// bounds says which rules of capacity a target can meet.
func bounds(l call.Limits) map[call.Rule]bool {
	return map[call.Rule]bool{call.CapHour: l.Hour > 0, call.CapDay: l.Day > 0, call.CapMonth: l.Month > 0, call.CapTotal: l.Total > 0,
		call.Concurrency: l.Concurrency > 0, call.Duplicate: l.Within > 0}
}

// routing checks what is said of targets that are not to be tried.
func (c *checker) routing() {
	for _, name := range slices.Sorted(maps.Keys(c.test.Availability)) {
		path := at("availability", key(name))
		c.target(path, name)
		if t, ok := c.find(name); ok && t.Availability == nil {
			c.add(path, "give it availability: {url: …}", "target %s is not asked", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.test.Full)) {
		c.target(at("full", key(name)), name)
		t, ok := c.find(name)
		if !ok {
			continue
		}
		rule := c.test.Full[name]
		switch set, known := bounds(t.Limits)[rule]; {
		case !known:
			c.add(at("full", name), flowengine.Nearest(string(rule), rulesOfCapacity), "full: %q is no rule", rule)
		case !set:
			c.add(at("full", name), "", "full: target %s has no limit for %s", name, rule)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.test.Expect.NotTried)) {
		c.target(at("expect", "not_tried", key(name)), name)
	}
}

var rulesOfCapacity = []string{string(call.CapHour), string(call.CapDay), string(call.CapMonth), string(call.CapTotal), string(call.Concurrency), string(call.Duplicate)}

func (c *checker) find(name string) (flowengine.Target, bool) {
	if c.org == nil {
		return flowengine.Target{}, false
	}
	return c.org.Target(name)
}
