package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Project makes the record of a call of all its events. They may come in any order,
// from the journals of several nodes, and more than once; they are not changed. What an
// event says that is not of this form is passed over.
//
// Who called whom, and for which campaign, is what was told first: a call that a flow
// gave to the dialplan may come back under another number. The flow and its version are
// those told last. Of several ends the one of the highest epoch counts, among those with
// a cause that is known if there is one.
func Project(events []call.Event) *Call {
	p := projection{call: &Call{State: Open, Events: inOrder(events)}}
	if len(events) == 0 {
		return p.call
	}
	p.call.ID = text(events[0].Call, maxName)
	p.call.Legs = append(p.call.Legs, Leg{UUID: p.call.ID, Leg: "A"})
	for i := range p.call.Events {
		p.add(&p.call.Events[i])
	}
	p.finish()
	return p.call
}

// inOrder returns the events in the order of the call, each once. Events of two nodes
// that claim the same place are two; so are two of one node that it did not tell at the
// same time: it lost its journal in between.
func inOrder(events []call.Event) []call.Event {
	sorted, doubled := true, false
	for i := 1; i < len(events); i++ {
		c := compare(&events[i-1], &events[i])
		sorted = sorted && c <= 0
		doubled = doubled || same(&events[i-1], &events[i])
	}
	if sorted && !doubled {
		return events
	}
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b call.Event) int { return compare(&a, &b) })
	return slices.CompactFunc(events, func(a, b call.Event) bool { return same(&a, &b) })
}

// compare orders by epoch and sequence. What follows decides nothing in a journal that
// is whole: it makes the result the same however the events come.
func compare(a, b *call.Event) int {
	if c := cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq), strings.Compare(a.Node, b.Node),
		a.Time.Compare(b.Time), strings.Compare(string(a.Type), string(b.Type))); c != 0 {
		return c
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil { // a year that JSON does not know
		return 0
	}
	return bytes.Compare(x, y)
}

func same(a, b *call.Event) bool {
	return a.Epoch == b.Epoch && a.Seq == b.Seq && a.Node == b.Node && a.Time.Equal(b.Time)
}

// projection is a record while it is made.
type projection struct {
	call  *Call
	began bool // the first controller tells of the beginning
	end   *call.Event
	takes []take
	money
	excluded []WhyNot // in the order in which it was said; a target that was dialled has no rule
}

// take is a takeover that an event tells of.
type take struct {
	from  string // node of the earlier controller
	epoch int    // of the later one
	at    time.Time
}

// add takes the next event in.
func (p *projection) add(e *call.Event) {
	if p.again(e) {
		return
	}
	c := p.call
	first(&c.Org, e.Org, maxName)
	if at := moment(e.Time); !at.IsZero() && (c.Started.IsZero() || at.Before(c.Started)) {
		c.Started = at
	}
	c.Step = cmp.Or(text(e.Step, maxStep), c.Step)
	if c.Node == "" {
		c.Node = text(e.Node, maxName)
	}
	c.Late = c.Late || e.Attrs["late"] == "true"
	if from := e.Attrs["from_node"]; from != "" {
		p.takes = append(p.takes, take{from, e.Epoch, moment(e.Time)})
	}
	switch e.Type {
	case call.Started, call.Resumed, call.Refused:
		p.opened(e)
	case call.Taken:
		c.Node = cmp.Or(text(e.Attrs["node"], maxName), c.Node)
	case call.Answered:
		note(&c.Answered, e.Time)
	case call.TargetDialed, call.TargetRinging, call.TargetFailed, call.Connected, call.Released:
		p.leg(e)
	case call.Tagged:
		p.tag(e)
	case call.Money:
		p.amount(e)
	case call.Converted:
		p.converted = e
	case call.Decided, call.NotTried:
		p.notTried(e)
	case call.Ended:
		if p.end == nil || e.Cause != call.UnknownCause || p.end.Cause == call.UnknownCause {
			p.end = e
		}
	}
}

// opened takes in what a controller says of the call when it begins or takes it over.
func (p *projection) opened(e *call.Event) {
	c := p.call
	if began, err := time.Parse(time.RFC3339, e.Attrs["began"]); err == nil && !began.IsZero() && began.Before(c.Started) {
		c.Started = moment(began)
	}
	p.began = p.began || e.Type == call.Started
	p.rules(e)
	c.Node = cmp.Or(text(e.Node, maxName), c.Node)
	first(&c.Number, e.Attrs["to"], maxName)
	first(&c.Caller, e.Attrs["from"], maxName)
	first(&c.Name, e.Attrs["name"], maxName)
	first(&c.Campaign, e.Attrs["campaign"], maxName)
	first(&c.Publisher, e.Attrs["publisher"], maxName)
	first(&c.Mode, e.Attrs["mode"], maxName)
	first(&c.Switch, e.Attrs["switch"], maxName)
	first(&c.SIPCallID, e.Attrs["sip_call_id"], maxName)
	if flow := text(e.Attrs["flow"], maxName); flow != "" {
		c.Flow, c.Version = flow, text(e.Attrs["version"], maxName)
	}
}

// leg takes in what an event says of a B leg. After a takeover an end may be told a
// second time: what the node says that saw it comes first.
func (p *projection) leg(e *call.Event) {
	place := p.legOf(e)
	l := &p.call.Legs[place]
	first(&l.Target, e.Target, maxName)
	first(&l.Step, e.Step, maxStep)
	first(&l.SIPCallID, e.Attrs["sip_call_id"], maxName)
	p.price(e, l.Target)
	ended := e.Time
	if at, err := time.Parse(time.RFC3339, e.Attrs["ended"]); err == nil {
		ended = at
	}
	switch e.Type {
	case call.TargetDialed:
		l.Dialed = moment(e.Time) // the last time: an attempt that was lost before the switch began it is made again
		l.Attempt = max(0, number(e.Attrs["attempt"]))
		first(&l.Address, e.Attrs["address"], maxText)
		if len(p.excluded) > 0 {
			p.excluded = append(p.excluded, WhyNot{Step: l.Step, Target: l.Target})
		}
	case call.TargetRinging:
		note(&l.Ringing, e.Time)
	case call.Connected:
		note(&l.Connected, e.Time)
		note(&p.call.Connected, e.Time)
		p.call.Target = l.Target
		l.Ended, l.Cause = nil, ""
	case call.Released:
		late := e.Attrs["late"] == "true"
		if late && l.Ended != nil {
			return
		}
		p.call.Target = l.Target
		l.Ended, l.Cause = nil, text(e.Cause, maxName)
		note(&l.Ended, ended)
		talked := bounded(e.Millis)
		switch {
		case !late || l.Ended == nil:
		case l.Connected != nil: // one saw it begin
			talked = between(*l.Connected, *l.Ended)
		case talked > 0: // the switch knows since when
			note(&l.Connected, l.Ended.Add(-talked.Duration()))
			note(&p.call.Connected, *l.Connected)
		}
		p.talked(place, ended, talked)
	case call.TargetFailed:
		if l.Ended == nil && l.Connected == nil {
			l.Cause = text(e.Cause, maxName)
			note(&l.Ended, ended)
		}
	}
	if billed := e.Attrs["billed"]; billed != "" {
		l.Billed = millis(billed)
	}
}

// talked takes in a connection that has ended.
func (p *projection) talked(leg int, until time.Time, took Millis) {
	p.call.Talked += took
	p.call.Legs[leg].Billed += took
	p.talks = append(p.talks, talk{p.call.Legs[leg].Target, moment(until), took})
}

// legOf finds the place of the leg that an event is about.
func (p *projection) legOf(e *call.Event) int {
	uuid := text(e.Leg, maxName)
	legs := p.call.Legs
	for i := len(legs) - 1; i > 0; i-- { // mostly the last; the first is A
		if legs[i].UUID == uuid {
			return i
		}
	}
	p.call.Legs = append(legs, Leg{UUID: uuid, Leg: "B", Dialed: moment(e.Time)})
	return len(legs)
}

func (p *projection) tag(e *call.Event) {
	t := Tag{Name: text(e.Attrs["tag"], maxName), Value: text(e.Attrs["value"], maxText), Source: text(e.Attrs["source"], maxName),
		Step: text(e.Step, maxStep), Time: moment(e.Time)}
	if t.Name == "" || e.Attrs["unchanged"] == "true" {
		return
	}
	if t.Removed = e.Attrs["removed"] == "true"; t.Removed {
		t.Value = ""
	}
	t.Current = !t.Removed
	if old, ok := e.Attrs["replaced"]; ok {
		old = text(old, maxText)
		t.Replaced = &old
	}
	for i := len(p.call.Tags) - 1; i >= 0; i-- {
		if before := &p.call.Tags[i]; before.Name == t.Name {
			before.Current = false
			break
		}
	}
	p.call.Tags = append(p.call.Tags, t)
}

// notTried takes in the targets that an event says were not tried, by name.
func (p *projection) notTried(e *call.Event) {
	from := len(p.excluded)
	for k, v := range e.Attrs {
		target, ok := strings.CutPrefix(k, "not.")
		if !ok || target == "" {
			continue
		}
		rule, value, _ := strings.Cut(v, ": ")
		p.excluded = append(p.excluded, WhyNot{Step: text(e.Step, maxStep), Target: text(target, maxName),
			Rule: call.Rule(cmp.Or(text(rule, maxName), "unknown")), Value: text(value, maxText), Time: moment(e.Time)})
	}
	slices.SortFunc(p.excluded[from:], func(a, b WhyNot) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(string(a.Rule), string(b.Rule)), strings.Compare(a.Value, b.Value))
	})
}

// finish concludes from all events.
func (p *projection) finish() {
	c := p.call
	c.Missing = p.gaps()
	if e := p.end; e != nil {
		p.ended(e)
	}
	p.worth()
	a := &c.Legs[0]
	a.Dialed, a.Connected, a.Ended = c.Started, c.Answered, c.Ended
	a.Cause, a.Billed, a.SIPCallID = c.Cause, c.Billed, c.SIPCallID
	for i := range c.Legs {
		c.Legs[i].Q850 = c.Legs[i].Cause.Q850()
	}
	c.Q850 = c.Cause.Q850()
	c.WhyNot = lastWords(p.excluded)
	switch {
	case p.end != nil && len(c.Missing) > 0:
		c.State = Settling
	case p.end != nil:
		c.State = Complete
	}
}

// ended takes in the end of the call.
func (p *projection) ended(e *call.Event) {
	c := p.call
	at, err := time.Parse(time.RFC3339, e.Attrs["ended"])
	if err != nil {
		at = e.Time
	}
	note(&c.Ended, at)
	c.Cause, c.By = text(e.Cause, maxName), text(e.Attrs["by"], maxName)
	c.Billed, c.Duration = millis(e.Attrs["billed"]), millis(e.Attrs["duration"])
	switch e.Attrs["source"] {
	case "cdr", "reconciliation":
		c.Late = true
	}
	if c.Ended == nil || c.Cause == call.UnknownCause {
		return // it was gone when it was looked for; nobody knows since when
	}
	if e.Attrs["duration"] == "" {
		c.Duration = between(c.Started, *c.Ended)
	} else if !p.began {
		c.Started = c.Ended.Add(-c.Duration.Duration())
	}
	if c.Answered == nil && c.Billed > 0 { // nobody saw it, but the switch counts from then
		note(&c.Answered, c.Ended.Add(-c.Billed.Duration()))
	}
	for i := range c.Legs[1:] { // a connection that nobody saw end lasted until the caller was gone
		l := &c.Legs[1+i]
		if l.Connected != nil && l.Ended == nil {
			l.Ended, l.Cause = c.Ended, c.Cause
			p.talked(1+i, *c.Ended, between(*l.Connected, *c.Ended))
		} else if l.Ended == nil && len(c.Missing) == 0 && !p.met(l.Attempt) { // the caller gave up
			l.Ended, l.Cause = c.Ended, call.OriginatorCancel
		}
	}
}

// met says whether an attempt connected somebody.
func (p *projection) met(attempt int) bool {
	return slices.ContainsFunc(p.call.Legs[1:], func(l Leg) bool { return l.Attempt == attempt && l.Connected != nil })
}

// gaps lists the earlier controllers whose journals may still hold events of the call,
// each with the last takeover from it. A journal is taken in in its order, so all is
// there of a node that had the call before a takeover when there is an event of that
// node from after it, or the one by which its journal closed its account of the call.
func (p *projection) gaps() []Gap {
	var gaps []Gap
	for _, t := range p.takes {
		told := slices.ContainsFunc(p.call.Events, func(e call.Event) bool {
			closed := e.Type == call.Taken || e.Type == call.Ended
			return e.Node == t.from && (e.Epoch >= t.epoch || closed && e.Epoch == t.epoch-1)
		})
		if told {
			continue
		}
		from := text(t.from, maxName)
		i := slices.IndexFunc(gaps, func(g Gap) bool { return g.Node == from })
		if i < 0 {
			gaps = append(gaps, Gap{Node: from, Since: t.at})
		} else if gaps[i].Since.Before(t.at) {
			gaps[i].Since = t.at
		}
	}
	return gaps
}

// lastWords keeps what was said last of each target in each step, unless it is that the
// target was dialled.
func lastWords(said []WhyNot) []WhyNot {
	if len(said) == 0 {
		return nil
	}
	type place struct{ step, target string }
	seen := make(map[place]bool, len(said))
	var last []WhyNot
	for _, w := range slices.Backward(said) {
		if at := (place{w.Step, w.Target}); !seen[at] {
			seen[at] = true
			if w.Rule != "" {
				last = append(last, w)
			}
		}
	}
	slices.Reverse(last)
	return last
}

// Bounds of the texts of a record, in bytes.
const (
	maxName = 256
	maxStep = 512 // ids of nodes within each other
	maxText = 4 << 10
)

// text cuts a text to a length in bytes and to what every database takes: UTF-8
// without NUL.
func text[T ~string](s T, limit int) T {
	if len(s) > limit {
		s = s[:limit]
		for i := len(s) - 1; i >= max(0, len(s)-3); i-- { // not in the middle of a character
			if s[i] < 0x80 {
				break
			}
			if s[i] >= 0xc0 {
				s = s[:i]
				break
			}
		}
	}
	if valid := strings.ToValidUTF8(string(s), "\ufffd"); len(valid) != len(s) || strings.IndexByte(valid, 0) >= 0 {
		return T(strings.ReplaceAll(valid, "\x00", "\ufffd"))
	}
	return s
}

// first keeps what was said first.
func first(to *string, s string, limit int) {
	if *to == "" && s != "" {
		*to = text(s, limit)
	}
}

// note keeps the first moment at which something happened.
func note(to **time.Time, at time.Time) {
	if at = moment(at); *to == nil && !at.IsZero() {
		*to = &at
	}
}

// moment is a time as both databases keep it, in microseconds.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func between(from, to time.Time) Millis { return bounded(to.Sub(from).Milliseconds()) }

// maxMillis is longer than any call, a year.
const maxMillis = 365 * 24 * 60 * 60 * 1000

func bounded(ms int64) Millis { return Millis(min(max(0, ms), maxMillis)) }

func millis(s string) Millis {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return bounded(ms)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return min(n, 1<<20)
}
