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

// Bounds returns the rules of capacity that limits can be met by.
func Bounds(l call.Limits) (out []call.Rule) {
	for _, b := range []struct {
		rule call.Rule
		set  bool
	}{{call.CapHour, l.Hour > 0}, {call.CapDay, l.Day > 0}, {call.CapMonth, l.Month > 0}, {call.CapTotal, l.Total > 0},
		{call.Concurrency, l.Concurrency > 0}, {call.Duplicate, l.Within > 0}} {
		if b.set {
			out = append(out, b.rule)
		}
	}
	return out
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
		var set []string
		for _, rule := range Bounds(t.Limits) {
			set = append(set, string(rule))
		}
		if rule := string(c.test.Full[name]); !slices.Contains(set, rule) {
			c.add(at("full", name), flowengine.Nearest(rule, set), "full: target %s has no limit for %q", name, rule)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.test.Expect.NotTried)) {
		c.target(at("expect", "not_tried", key(name)), name)
	}
}

func (c *checker) find(name string) (flowengine.Target, bool) {
	if c.org == nil {
		return flowengine.Target{}, false
	}
	return c.org.Target(name)
}
