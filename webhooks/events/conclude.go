package events

import (
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// bySource is the source of what the configuration says, as in store.MoneyEntry.
const bySource = "rule"

// conclude tells, once all that there is of the call is there, what follows from its end:
// what nobody saw end before, what the call is worth, and that it is complete.
func (t *teller) conclude() {
	c := t.call
	end := t.last(call.Ended)
	if end == nil || c.State != store.Complete && c.State != store.Incomplete {
		return
	}
	t.cut(end)
	part := conclusion
	tell := func(key string, told telling) {
		told.what, told.place = told.typ+" "+key, placeOf(end, part)
		t.told = append(t.told, told)
		part++
	}
	for _, m := range c.Ledger {
		if m.Source == bySource && !t.settled(m.Kind) {
			tell(m.Key+" "+m.Sum.String(), telling{typ: RevenueUpdated, at: happened(end), event: Money{m.Kind, m.Sum, m.Replaced, m.Source, m.Reason}})
		}
	}
	if c.ConvertedAt != nil && t.last(call.Converted) == nil {
		tell(bySource, telling{typ: CallConverted, at: happened(end), event: Conversion{Converted: true, Source: bySource, At: c.ConvertedAt}})
	}
	tell(string(c.State), telling{typ: CallCompleted, at: happened(end), event: Completion{c.State}})
}

// settled says whether somebody has set an amount already, since the call has ended: then
// what a rule says of it is no news.
func (t *teller) settled(kind store.MoneyKind) bool {
	return slices.ContainsFunc(t.call.Events, func(e call.Event) bool {
		return e.Type == call.Money && e.Epoch >= store.AfterEpoch && e.Attrs["kind"] == string(kind)
	})
}

// last returns the last event of a type; nil: there is none.
func (t *teller) last(typ call.Type) *call.Event {
	for i := len(t.call.Events) - 1; i >= 0; i-- {
		if t.call.Events[i].Type == typ {
			return &t.call.Events[i]
		}
	}
	return nil
}

// money tells of an amount that somebody has set.
func (t *teller) money(e *call.Event) {
	amount, err := call.ParseAmount(e.Attrs["amount"])
	if err != nil {
		return // the record passes it over as well
	}
	m := Money{Kind: store.MoneyKind(e.Attrs["kind"]), Sum: call.Sum{Amount: amount, Currency: e.Attrs["currency"]}, Source: e.Attrs["source"], Reason: e.Attrs["reason"]}
	if old, err := call.ParseSum(e.Attrs["replaced"]); err == nil {
		m.Previous = &old
	}
	t.of(e, identity(e), RevenueUpdated, m)
}

// converted tells that somebody has decided whether the call is a conversion.
func (t *teller) converted(e *call.Event) {
	c := Conversion{Converted: e.Attrs["converted"] == "true", Source: e.Attrs["source"], Reason: e.Attrs["reason"]}
	if at, err := time.Parse(time.RFC3339, e.Attrs["at"]); err == nil {
		c.At = &at
	}
	t.of(e, identity(e), CallConverted, c)
}
