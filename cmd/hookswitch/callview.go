package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// newListing prints calls as a table; write takes a call, finish prints the last of them.
func newListing(w io.Writer, now time.Time) (write func(*store.Call) error, finish func() error) {
	p := painterFor(w)
	rows := [][]string{{"STARTED", "CALL", "CALLER", "NUMBER", "CAMPAIGN", "TARGET", "STATE", "DURATION", "LAST NODE"}}
	styles := []style{bold}
	t := &table{w: w}
	finish = func() error {
		err := t.print(rows, func(row, column int, text string) string {
			if row > 0 && column == 6 {
				return p.paint(styles[row], text)
			}
			return text
		})
		rows, styles = rows[:0], styles[:0]
		return err
	}
	write = func(c *store.Call) error {
		style := cyan
		if c.Cause != "" {
			style = causeStyle(c.Cause)
		}
		styles = append(styles, style)
		rows = append(rows, []string{c.Started.Local().Format("2006-01-02 15:04:05"), shortID(c.ID), dash(c.Caller), dash(c.Number), dash(campaignOf(c)),
			dash(c.Target), dash(stateOf(c)), duration(lasted(c, now)), dash(c.Step)})
		if len(rows) < maxPage {
			return nil
		}
		return finish()
	}
	return write, finish
}

// campaignOf is what a call belongs to: the flow of its number where that has no campaign.
func campaignOf(c *store.Call) string {
	if c.Campaign == "" && c.Flow != "" {
		return "flow " + c.Flow
	}
	return c.Campaign
}

// stateOf is how a call ended, and whether something of it is still to come.
func stateOf(c *store.Call) string {
	switch {
	case c.Cause == "":
		return string(c.State)
	case c.State == store.Settling || c.State == store.Incomplete:
		return string(c.Cause) + " (" + string(c.State) + ")"
	}
	return string(c.Cause)
}

// lasted is how long a call lasted, or has so far.
func lasted(c *store.Call, now time.Time) time.Duration {
	if c.Ended == nil {
		return max(0, now.Sub(c.Started))
	}
	return c.Duration.Duration()
}

// showCall prints a call: who called whom, the timeline, the legs, why targets were not
// tried, the tags, and the ledger.
func showCall(w io.Writer, c *store.Call, now time.Time) error {
	p := painterFor(w)
	if _, err := io.WriteString(w, head(c, p, now)+"\n"); err != nil {
		return err
	}
	t := newTimeline(w, p, false)
	t.start = c.Started
	for _, e := range c.Events {
		if err := t.event(e); err != nil {
			return err
		}
	}
	for _, rows := range [][][]string{legRows(c), channelRows(c), whyNotRows(c), tagRows(c), ledgerRows(c)} {
		if len(rows) == 1 {
			continue
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		err := (&table{w: w}).print(rows, func(row, _ int, text string) string {
			if row == 0 {
				return p.paint(bold, text)
			}
			return text
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// head is the beginning of what is shown of a call.
func head(c *store.Call, p painter, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s → %s", p.paint(bold, plain(c.ID)), dash(c.Caller), dash(c.Number))
	before := "\n"
	for _, of := range [][2]string{{"organization", c.Org}, {"campaign", c.Campaign}, {"publisher", c.Publisher}, {"flow", c.Flow}, {"name", c.Name}} {
		if of[1] != "" {
			fmt.Fprintf(&b, "%s%s %s", before, of[0], plain(of[1]))
			before = "  "
		}
	}
	fmt.Fprintf(&b, "\n%s  %s after %s", c.Started.Local().Format("2006-01-02 15:04:05.000 -0700"), plain(stateOf(c)), duration(lasted(c, now)))
	if c.Billed > 0 {
		fmt.Fprintf(&b, "  billed %s", duration(c.Billed.Duration()))
	}
	if c.Talked > 0 {
		fmt.Fprintf(&b, "  talked %s", duration(c.Talked.Duration()))
	}
	b.WriteString("\n")
	if worth := worth(c); worth != "" {
		b.WriteString(worth + "\n")
	}
	for _, g := range c.Missing {
		fmt.Fprintf(&b, "node %s may know more of it, until %s\n", plain(g.Node), g.Since.Local().Format("15:04:05.000"))
	}
	return b.String()
}

// worth is what a call is worth, as far as that is known.
func worth(c *store.Call) string {
	var parts []string
	if c.Converted != nil && *c.Converted {
		parts = append(parts, "converted after "+duration(c.ConvertedAt.Sub(c.Started)))
	} else if c.Converted != nil {
		parts = append(parts, "not converted")
	}
	if c.Revenue != nil {
		parts = append(parts, "revenue "+c.Revenue.String())
	}
	if c.Payout != nil {
		parts = append(parts, "payout "+c.Payout.String())
	}
	return plain(strings.Join(parts, "  "))
}

// since writes when something of a call was, after its beginning.
func since(c *store.Call, t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return offset(t.Sub(c.Started))
}

func legRows(c *store.Call) [][]string {
	rows := [][]string{{"LEG", "TARGET", "ADDRESS", "DIALED", "CONNECTED", "ENDED", "BILLED", "CAUSE", "Q.850"}}
	for _, l := range c.Legs {
		q850 := "-"
		if l.Q850 > 0 {
			q850 = strconv.Itoa(l.Q850)
		}
		rows = append(rows, []string{legName(l), dash(l.Target), dash(l.Address), since(c, &l.Dialed), since(c, l.Connected), since(c, l.Ended),
			duration(l.Billed.Duration()), dash(string(l.Cause)), q850})
	}
	return rows
}

// channelRows are what other systems call the legs.
func channelRows(c *store.Call) [][]string {
	rows := [][]string{{"LEG", "CHANNEL", "SIP CALL-ID"}}
	for _, l := range c.Legs {
		rows = append(rows, []string{legName(l), plain(l.UUID), dash(l.SIPCallID)})
	}
	return rows
}

func legName(l store.Leg) string {
	if l.Attempt > 0 {
		return l.Leg + strconv.Itoa(l.Attempt)
	}
	return l.Leg
}

func whyNotRows(c *store.Call) [][]string {
	rows := [][]string{{"NOT TRIED", "NODE", "AT", "RULE", "VALUE"}}
	for _, n := range c.WhyNot {
		rows = append(rows, []string{dash(n.Target), dash(n.Step), since(c, &n.Time), dash(string(n.Rule)), dash(n.Value)})
	}
	return rows
}

func tagRows(c *store.Call) [][]string {
	rows := [][]string{{"TAG", "VALUE", "SOURCE", "NODE", "AT", "REPLACED"}}
	for _, t := range c.Tags {
		replaced := "-"
		if t.Replaced != nil {
			replaced = dash(*t.Replaced)
		}
		value := dash(t.Value)
		if t.Removed {
			value = "(removed)"
		}
		rows = append(rows, []string{dash(t.Name), value, dash(t.Source), dash(t.Step), since(c, &t.Time), replaced})
	}
	return rows
}

func ledgerRows(c *store.Call) [][]string {
	rows := [][]string{{"MONEY", "AMOUNT", "SOURCE", "AT", "REPLACED", "REASON"}}
	for _, m := range c.Ledger {
		replaced := "-"
		if m.Replaced != nil {
			replaced = m.Replaced.String()
		}
		rows = append(rows, []string{string(m.Kind), plain(m.Sum.String()), dash(m.Source), since(c, &m.Time), plain(replaced), dash(m.Reason)})
	}
	return rows
}

// table prints rows in columns; those that come later are at least as wide.
type table struct {
	w     io.Writer
	width []int
}

// print aligns the columns; paint colours a cell after it was filled up.
func (t *table) print(rows [][]string, paint func(row, column int, text string) string) error {
	for _, row := range rows {
		for len(t.width) < len(row) {
			t.width = append(t.width, 0)
		}
		for i, cell := range row[:len(row)-1] {
			t.width[i] = max(t.width[i], len([]rune(cell)))
		}
	}
	for r, row := range rows {
		for i, cell := range row {
			end := "  "
			if i == len(row)-1 {
				end = "\n"
			}
			if _, err := io.WriteString(t.w, paint(r, i, pad(cell, t.width[i]))+end); err != nil {
				return err
			}
		}
	}
	return nil
}

func dash(s string) string { return plain(cmp.Or(s, "-")) }
