package calllog

import (
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Call is a row of the table calls. N is the number of the call in the database: the
// other tables refer to it, and it orders calls that began at the same time.
type Call struct {
	*store.Call
	N     int64
	Waits *time.Time // of a call that is settling: when Settle first saw it

	revenue, payout sum
}

// Chunk is a row of events: what one batch held of a call. Its key is that of the first
// event.
type Chunk struct {
	Org   string
	N     int64
	Epoch int
	Node  string
	Seq   int
	Time  time.Time
	Lines []byte
}

// Leg is a row of legs: one that was dialled.
type Leg struct {
	Org     string
	N       int64
	Place   int // in store.Call.Legs
	Started time.Time
	First   bool // leg to this target: the one by which the call is found
	*store.Leg
}

// Tag is a row of tags.
type Tag struct {
	Org     string
	N       int64
	Place   int
	Started time.Time
	*store.Tag
}

// WhyNot is a row of why_not.
type WhyNot struct {
	Org   string
	N     int64
	Place int
	*store.WhyNot
}

// Gap is a row of gaps.
type Gap struct {
	Org string
	N   int64
	store.Gap
}

// Rows are the rows of some calls.
type Rows struct {
	Calls   []*Call
	Chunks  []*Chunk
	Legs    []*Leg
	Tags    []*Tag
	WhyNots []*WhyNot
	Gaps    []*Gap
	Ledger  []*Entry
}

// Before is what the log had of a call.
type Before struct {
	N     int64
	State store.State
	Waits *time.Time
}

// NewCall returns the row of a call. One that waits for another journal goes on waiting.
func NewCall(c *store.Call, b Before) *Call {
	row := &Call{Call: c, N: b.N, revenue: columnsOf(c.Revenue), payout: columnsOf(c.Payout)}
	if c.State == store.Settling && b.State == store.Settling {
		row.Waits = b.Waits
	}
	if c.State == store.Settling && b.State == store.Incomplete {
		c.State = store.Incomplete
	}
	return row
}

// Add adds the rows of a call, and of what a batch brought of it.
func (r *Rows) Add(p *Part, c *Call) {
	r.Calls = append(r.Calls, c)
	if len(p.lines) > 0 {
		first := &p.lines[0].Event
		r.Chunks = append(r.Chunks, &Chunk{Org: c.Org, N: c.N, Epoch: first.Epoch, Node: Name(first.Node), Seq: first.Seq, Time: first.Time, Lines: p.Raw()})
	}
	for i := range c.Legs {
		if i == 0 { // the caller's is in the call's own row
			continue
		}
		l := &Leg{Org: c.Org, N: c.N, Place: i, Started: c.Started, First: c.Legs[i].Target != "", Leg: &c.Legs[i]}
		for _, before := range c.Legs[1:i] {
			l.First = l.First && before.Target != l.Target
		}
		r.Legs = append(r.Legs, l)
	}
	for i := range c.Tags {
		r.Tags = append(r.Tags, &Tag{c.Org, c.N, i, c.Started, &c.Tags[i]})
	}
	for i := range c.WhyNot {
		r.WhyNots = append(r.WhyNots, &WhyNot{c.Org, c.N, i, &c.WhyNot[i]})
	}
	for _, g := range c.Missing {
		r.Gaps = append(r.Gaps, &Gap{c.Org, c.N, g})
	}
	c.Ledger = slices.Concat(p.booked, additions(p.booked, c.Ledger))
	for i := len(p.booked); i < len(c.Ledger); i++ {
		r.Ledger = append(r.Ledger, NewEntry(c.Org, c.N, i, &c.Ledger[i]))
	}
}

// Column is a column of a table. Field points to its value in a row, which is a
// *string, *int, *int64, *bool, *[]byte or *time.Time, or of those that may be null a
// **string, **int64, **bool or **time.Time.
type Column[R any] struct {
	Name  string
	Field func(R) any
}

// CallColumns are the columns of calls; the first KeyColumns are its keys and never change.
var CallColumns = []Column[*Call]{
	{"org", func(r *Call) any { return &r.Org }},
	{"n", func(r *Call) any { return &r.N }},
	{"id", func(r *Call) any { return &r.ID }},
	{"state", func(r *Call) any { return (*string)(&r.State) }},
	{"waits", func(r *Call) any { return &r.Waits }},
	{"started", func(r *Call) any { return &r.Started }},
	{"answered", func(r *Call) any { return &r.Answered }},
	{"connected", func(r *Call) any { return &r.Connected }},
	{"ended", func(r *Call) any { return &r.Ended }},
	{"number", func(r *Call) any { return &r.Number }},
	{"caller", func(r *Call) any { return &r.Caller }},
	{"name", func(r *Call) any { return &r.Name }},
	{"campaign", func(r *Call) any { return &r.Campaign }},
	{"publisher", func(r *Call) any { return &r.Publisher }},
	{"mode", func(r *Call) any { return &r.Mode }},
	{"flow", func(r *Call) any { return &r.Flow }},
	{"version", func(r *Call) any { return &r.Version }},
	{"target", func(r *Call) any { return &r.Target }},
	{"step", func(r *Call) any { return &r.Step }},
	{"cause", func(r *Call) any { return (*string)(&r.Cause) }},
	{"q850", func(r *Call) any { return &r.Q850 }},
	{"hung_up_by", func(r *Call) any { return &r.By }},
	{"billed_ms", func(r *Call) any { return (*int64)(&r.Billed) }},
	{"duration_ms", func(r *Call) any { return (*int64)(&r.Duration) }},
	{"talked_ms", func(r *Call) any { return (*int64)(&r.Talked) }},
	{"switch", func(r *Call) any { return &r.Switch }},
	{"sip_call_id", func(r *Call) any { return &r.SIPCallID }},
	{"node", func(r *Call) any { return &r.Node }},
	{"late", func(r *Call) any { return &r.Late }},
	{"revenue", func(r *Call) any { return &r.revenue.amount }},
	{"revenue_currency", func(r *Call) any { return &r.revenue.currency }},
	{"payout", func(r *Call) any { return &r.payout.amount }},
	{"payout_currency", func(r *Call) any { return &r.payout.currency }},
	{"converted", func(r *Call) any { return &r.Converted }},
	{"converted_at", func(r *Call) any { return &r.ConvertedAt }},
}

// KeyColumns counts the keys in CallColumns.
const KeyColumns = 3

// ChunkColumns are the columns of events.
var ChunkColumns = []Column[*Chunk]{
	{"org", func(r *Chunk) any { return &r.Org }},
	{"call", func(r *Chunk) any { return &r.N }},
	{"epoch", func(r *Chunk) any { return &r.Epoch }},
	{"node", func(r *Chunk) any { return &r.Node }},
	{"seq", func(r *Chunk) any { return &r.Seq }},
	{"time", func(r *Chunk) any { return &r.Time }},
	{"lines", func(r *Chunk) any { return &r.Lines }},
}

// LegColumns are the columns of legs.
var LegColumns = []Column[*Leg]{
	{"org", func(r *Leg) any { return &r.Org }},
	{"call", func(r *Leg) any { return &r.N }},
	{"place", func(r *Leg) any { return &r.Place }},
	{"started", func(r *Leg) any { return &r.Started }},
	{"first", func(r *Leg) any { return &r.First }},
	{"uuid", func(r *Leg) any { return &r.UUID }},
	{"attempt", func(r *Leg) any { return &r.Attempt }},
	{"target", func(r *Leg) any { return &r.Target }},
	{"address", func(r *Leg) any { return &r.Address }},
	{"step", func(r *Leg) any { return &r.Step }},
	{"dialed", func(r *Leg) any { return &r.Dialed }},
	{"ringing", func(r *Leg) any { return &r.Ringing }},
	{"connected", func(r *Leg) any { return &r.Connected }},
	{"ended", func(r *Leg) any { return &r.Ended }},
	{"cause", func(r *Leg) any { return (*string)(&r.Cause) }},
	{"q850", func(r *Leg) any { return &r.Q850 }},
	{"billed_ms", func(r *Leg) any { return (*int64)(&r.Billed) }},
	{"sip_call_id", func(r *Leg) any { return &r.SIPCallID }},
}

// TagColumns are the columns of tags.
var TagColumns = []Column[*Tag]{
	{"org", func(r *Tag) any { return &r.Org }},
	{"call", func(r *Tag) any { return &r.N }},
	{"place", func(r *Tag) any { return &r.Place }},
	{"started", func(r *Tag) any { return &r.Started }},
	{"name", func(r *Tag) any { return &r.Name }},
	{"value", func(r *Tag) any { return &r.Value }},
	{"source", func(r *Tag) any { return &r.Source }},
	{"step", func(r *Tag) any { return &r.Step }},
	{"time", func(r *Tag) any { return &r.Time }},
	{"replaced", func(r *Tag) any { return &r.Replaced }},
	{"removed", func(r *Tag) any { return &r.Removed }},
	{"current", func(r *Tag) any { return &r.Current }},
}

// WhyNotColumns are the columns of why_not.
var WhyNotColumns = []Column[*WhyNot]{
	{"org", func(r *WhyNot) any { return &r.Org }},
	{"call", func(r *WhyNot) any { return &r.N }},
	{"place", func(r *WhyNot) any { return &r.Place }},
	{"step", func(r *WhyNot) any { return &r.Step }},
	{"target", func(r *WhyNot) any { return &r.Target }},
	{"rule", func(r *WhyNot) any { return (*string)(&r.Rule) }},
	{"value", func(r *WhyNot) any { return &r.Value }},
	{"time", func(r *WhyNot) any { return &r.Time }},
}

// GapColumns are the columns of gaps.
var GapColumns = []Column[*Gap]{
	{"org", func(r *Gap) any { return &r.Org }},
	{"call", func(r *Gap) any { return &r.N }},
	{"node", func(r *Gap) any { return &r.Node }},
	{"since", func(r *Gap) any { return &r.Since }},
}
