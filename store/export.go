package store

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// CSV writes calls as comma-separated values (RFC 4180): a line with the names of the
// columns, then one line each. Times are UTC with microseconds, durations milliseconds.
// A cell that a spreadsheet would take for a formula has an apostrophe in front, and so
// has a phone number with its +; callers choose what stands in such cells.
type CSV struct {
	w     *csv.Writer
	row   []string
	begun bool
	legs  bool
}

// NewCSV writes one line a call.
func NewCSV(w io.Writer) *CSV { return newCSV(w, false) }

// NewLegCSV writes one line a leg, the CDRs. It needs calls with their legs.
func NewLegCSV(w io.Writer) *CSV { return newCSV(w, true) }

func newCSV(w io.Writer, legs bool) *CSV {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	return &CSV{w: c, legs: legs}
}

// column is a column of the lines about a T.
type column[T any] struct {
	name string
	cell func(of *T) string
}

// callColumns are those of the type Call, in its order.
var callColumns = []column[Call]{
	{"org", func(c *Call) string { return c.Org }},
	{"call", func(c *Call) string { return c.ID }},
	{"state", func(c *Call) string { return string(c.State) }},
	{"started", func(c *Call) string { return stamp(&c.Started) }},
	{"answered", func(c *Call) string { return stamp(c.Answered) }},
	{"connected", func(c *Call) string { return stamp(c.Connected) }},
	{"ended", func(c *Call) string { return stamp(c.Ended) }},
	{"number", func(c *Call) string { return c.Number }},
	{"caller", func(c *Call) string { return c.Caller }},
	{"name", func(c *Call) string { return c.Name }},
	{"campaign", func(c *Call) string { return c.Campaign }},
	{"publisher", func(c *Call) string { return c.Publisher }},
	{"mode", func(c *Call) string { return c.Mode }},
	{"flow", func(c *Call) string { return c.Flow }},
	{"version", func(c *Call) string { return c.Version }},
	{"target", func(c *Call) string { return c.Target }},
	{"step", func(c *Call) string { return c.Step }},
	{"cause", func(c *Call) string { return string(c.Cause) }},
	{"q850", func(c *Call) string { return code(c.Q850) }},
	{"by", func(c *Call) string { return c.By }},
	{"billed_ms", func(c *Call) string { return c.Billed.text() }},
	{"duration_ms", func(c *Call) string { return c.Duration.text() }},
	{"talked_ms", func(c *Call) string { return c.Talked.text() }},
	{"switch", func(c *Call) string { return c.Switch }},
	{"sip_call_id", func(c *Call) string { return c.SIPCallID }},
	{"node", func(c *Call) string { return c.Node }},
	{"late", func(c *Call) string { return strconv.FormatBool(c.Late) }},
	{"revenue", func(c *Call) string { return amount(c.Revenue) }},
	{"revenue_currency", func(c *Call) string { return currency(c.Revenue) }},
	{"payout", func(c *Call) string { return amount(c.Payout) }},
	{"payout_currency", func(c *Call) string { return currency(c.Payout) }},
	{"converted", func(c *Call) string { return decided(c.Converted) }},
	{"converted_at", func(c *Call) string { return stamp(c.ConvertedAt) }},
}

// legOf is a leg with the call that it belongs to.
type legOf struct {
	*Leg
	call *Call
}

// legColumns are those of the type Leg, behind what names the call.
var legColumns = []column[legOf]{
	{"org", func(l *legOf) string { return l.call.Org }},
	{"call", func(l *legOf) string { return l.call.ID }},
	{"uuid", func(l *legOf) string { return l.UUID }},
	{"leg", func(l *legOf) string { return l.Leg.Leg }},
	{"attempt", func(l *legOf) string { return code(l.Attempt) }},
	{"target", func(l *legOf) string { return l.Target }},
	{"address", func(l *legOf) string { return l.Address }},
	{"step", func(l *legOf) string { return l.Step }},
	{"number", func(l *legOf) string { return l.call.Number }},
	{"caller", func(l *legOf) string { return l.call.Caller }},
	{"campaign", func(l *legOf) string { return l.call.Campaign }},
	{"dialed", func(l *legOf) string { return stamp(&l.Dialed) }},
	{"ringing", func(l *legOf) string { return stamp(l.Ringing) }},
	{"connected", func(l *legOf) string { return stamp(l.Connected) }},
	{"ended", func(l *legOf) string { return stamp(l.Ended) }},
	{"cause", func(l *legOf) string { return string(l.Cause) }},
	{"q850", func(l *legOf) string { return code(l.Q850) }},
	{"billed_ms", func(l *legOf) string { return l.Billed.text() }},
	{"sip_call_id", func(l *legOf) string { return l.SIPCallID }},
}

// Write writes the line of a call, or those of its legs.
func (x *CSV) Write(c *Call) error {
	if err := x.begin(); err != nil {
		return err
	}
	if !x.legs {
		return writeRow(x, callColumns, c)
	}
	for i := range c.Legs {
		if err := writeRow(x, legColumns, &legOf{&c.Legs[i], c}); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes what is still in memory, and the names of the columns if no call did.
func (x *CSV) Flush() error {
	if err := x.begin(); err != nil {
		return err
	}
	x.w.Flush()
	return x.w.Error()
}

func (x *CSV) begin() error {
	if x.begun {
		return nil
	}
	x.begun = true
	if x.legs {
		return x.w.Write(names(legColumns))
	}
	return x.w.Write(names(callColumns))
}

func names[T any](columns []column[T]) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.name)
	}
	return out
}

func writeRow[T any](x *CSV, columns []column[T], of *T) error {
	x.row = x.row[:0]
	for _, c := range columns {
		x.row = append(x.row, guarded(c.cell(of)))
	}
	return x.w.Write(x.row)
}

// guarded keeps a spreadsheet from running a cell as a formula.
func guarded(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r\n", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func code(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func amount(s *call.Sum) string {
	if s == nil {
		return ""
	}
	return s.Amount.String()
}

func currency(s *call.Sum) string {
	if s == nil {
		return ""
	}
	return s.Currency
}

func decided(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func (m Millis) text() string { return strconv.FormatInt(int64(m), 10) }
