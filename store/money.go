package store

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// money is what a projection knows of what a call is worth.
type money struct {
	conversion *Millis               // connected for so long the call is a conversion
	payout     *call.Terms           // of the campaign
	revenue    map[string]call.Terms // of targets
	talks      []talk
	told       []MoneyEntry // by events
	converted  *call.Event  // told last
	seen       map[inputEvent]bool
}

// talk is a connection that has ended.
type talk struct {
	target string
	until  time.Time
	took   Millis
}

// inputEvent is what an input does once, however often it is told.
type inputEvent struct {
	input string
	typ   call.Type
	what  string // kind of money, or tag
}

// again says whether an event was told before that the same input led to.
func (p *projection) again(e *call.Event) bool {
	id := e.Attrs["input"]
	if id == "" || e.Attrs["unchanged"] == "true" || e.Type != call.Tagged && e.Type != call.Money && e.Type != call.Converted {
		return false
	}
	of := inputEvent{id, e.Type, e.Attrs["kind"] + e.Attrs["tag"]}
	if p.seen[of] {
		return true
	}
	if p.seen == nil {
		p.seen = make(map[inputEvent]bool)
	}
	p.seen[of] = true
	return false
}

// rules takes in the terms that an event tells of the call; those that were told first count.
func (p *projection) rules(e *call.Event) {
	if ms, err := strconv.ParseInt(e.Attrs["conversion"], 10, 64); err == nil && p.conversion == nil {
		after := bounded(ms)
		p.conversion = &after
	}
	if t, err := call.ParseTerms(e.Attrs["payout"]); err == nil && p.payout == nil {
		p.payout = &t
	}
}

// price takes in the terms of a target.
func (p *projection) price(e *call.Event, target string) {
	revenue, said := e.Attrs["revenue"]
	if !said || target == "" {
		return
	}
	t, err := call.ParseTerms(revenue)
	if _, known := p.revenue[target]; known || err != nil {
		return
	}
	if p.revenue == nil {
		p.revenue = make(map[string]call.Terms)
	}
	p.revenue[target] = t
}

// amount takes in an amount that an event sets.
func (p *projection) amount(e *call.Event) {
	amount, err := call.ParseAmount(e.Attrs["amount"])
	m := MoneyEntry{Time: moment(e.Time), Kind: MoneyKind(e.Attrs["kind"]), Sum: call.Sum{Amount: amount, Currency: e.Attrs["currency"]},
		Source: text(e.Attrs["source"], maxName), Reason: text(e.Attrs["reason"], maxText)}
	if err != nil || !call.IsCurrency(m.Currency) || m.Kind != Revenue && m.Kind != Payout {
		return
	}
	if id := e.Attrs["input"]; id != "" {
		m.Key = string(m.Kind) + " input " + text(id, maxName)
	} else {
		m.Key = fmt.Sprintf("%s event %d.%d.%s", m.Kind, e.Epoch, e.Seq, text(e.Node, maxName))
	}
	if old, err := call.ParseSum(e.Attrs["replaced"]); err == nil {
		m.Replaced = &old
	}
	p.told = append(p.told, m)
}

// worth concludes what the call is worth. What an event says counts before what a rule
// says, whichever came first.
func (p *projection) worth() {
	c := p.call
	c.Ledger = append(p.earned(), p.told...)
	for i := range c.Ledger {
		sum := c.Ledger[i].Sum
		if c.Ledger[i].Kind == Revenue {
			c.Revenue = &sum
		} else {
			c.Payout = &sum
		}
	}
	switch e := p.converted; {
	case e != nil:
		converted := e.Attrs["converted"] == "true"
		c.Converted = &converted
		if !converted {
			return
		}
		if at, err := time.Parse(time.RFC3339, e.Attrs["at"]); err == nil {
			note(&c.ConvertedAt, at)
		}
		note(&c.ConvertedAt, e.Time)
	case p.conversion != nil:
		at, converted := p.reached(p.conversion.Duration(), "")
		if converted || p.end != nil {
			c.Converted = &converted
		}
		if converted {
			note(&c.ConvertedAt, at)
		}
	}
}

// earned returns what is due by the rules, in the order in which it became due: from the
// buyers, with each target that was connected for long enough, all that is due until then;
// and to the publisher.
func (p *projection) earned() []MoneyEntry {
	var entries []MoneyEntry
	due := func(m MoneyEntry, terms call.Terms, target string) {
		var ok bool
		if m.Time, ok = p.reached(terms.After, target); ok {
			m.Sum, m.Source = terms.Sum, "rule"
			if terms.After > 0 {
				m.Reason += " for " + call.ShortDuration(terms.After)
			}
			entries = append(entries, m)
		}
	}
	for target, terms := range p.revenue {
		due(MoneyEntry{Key: "revenue rule " + target, Kind: Revenue, Reason: "connected with " + target}, terms, target)
	}
	if p.payout != nil {
		due(MoneyEntry{Key: "payout rule", Kind: Payout, Reason: "connected"}, *p.payout, "")
	}
	slices.SortFunc(entries, func(a, b MoneyEntry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Key, b.Key)) })
	var before *call.Sum
	for i := range entries {
		m := &entries[i]
		if m.Kind != Revenue {
			continue
		}
		if m.Replaced = before; before != nil && before.Currency == m.Currency {
			m.Amount += before.Amount
		}
		before = &m.Sum
	}
	return entries
}

// reached says when the caller had been connected for so long: with a target, or for ""
// with any.
func (p *projection) reached(after time.Duration, target string) (at time.Time, ok bool) {
	var connected time.Duration
	for _, t := range p.talks {
		if target != "" && t.target != target {
			continue
		}
		if connected += t.took.Duration(); connected >= after {
			return moment(t.until.Add(after - connected)), true
		}
	}
	return time.Time{}, false
}
