package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// timeline prints events for people, one line each: of one call with the time
// since its start, or of many as they come, with the time of day and the call.
type timeline struct {
	w     io.Writer
	paint painter
	many  bool      // several calls at once
	start time.Time // of the one call; zero: the first event's
	zone  *time.Location
}

// newTimeline prints the timeline of one call; many prints those of several
// calls as they come.
func newTimeline(w io.Writer, p painter, many bool) *timeline {
	return &timeline{w: w, paint: p, many: many, zone: time.Local}
}

// event prints one line.
func (t *timeline) event(e call.Event) error {
	return t.line(e, styleOf(e), plain(string(e.Type)), describe(e))
}

// notTried prints why a target was not tried, in a line below the end of its call.
func (t *timeline) notTried(end call.Event, n store.WhyNot) error {
	text := fmt.Sprintf("%s  %s", n.Target, n.Rule)
	if n.Value != "" {
		text += ": " + n.Value
	}
	return t.line(end, dim, "not tried", plain(text))
}

func (t *timeline) line(e call.Event, s style, what, text string) error {
	var when string
	if t.many {
		when = e.Time.In(t.zone).Format("15:04:05.000") + "  " + pad(shortID(e.Call), 8)
	} else {
		if t.start.IsZero() {
			t.start = e.Time
		}
		when = fmt.Sprintf("%10s", offset(e.Time.Sub(t.start)))
	}
	if text == "" {
		_, err := fmt.Fprintf(t.w, "%s  %s\n", t.paint.paint(dim, when), t.paint.paint(s, what))
		return err
	}
	indent := "\n" + strings.Repeat(" ", len(when)+typeWidth+len("    "))
	text = strings.Join(wrapped(text, lineWidth-len(indent)+1), indent)
	_, err := fmt.Fprintf(t.w, "%s  %s  %s\n", t.paint.paint(dim, when), t.paint.paint(s, pad(what, typeWidth)), text)
	return err
}

const (
	lineWidth = 120 // a line of a timeline is no longer, if its parts are not
	typeWidth = 17  // of a call.Type
)

// wrapped breaks a text between its parts, which have two spaces between them, and a part
// that is too long between its words.
func wrapped(text string, width int) (lines []string) {
	line := ""
	for part := range strings.SplitSeq(text, "  ") {
		switch {
		case line == "":
			line = part
		case utf8.RuneCountInString(line+"  "+part) <= width:
			line += "  " + part
		default:
			lines, line = append(lines, line), part
		}
		for utf8.RuneCountInString(line) > width {
			cut := strings.LastIndexByte(line[:width+1], ' ')
			if cut < 1 {
				break
			}
			lines, line = append(lines, line[:cut]), line[cut+1:]
		}
	}
	return append(lines, line)
}

// describe tells what an event says beyond its type.
func describe(e call.Event) string {
	var b strings.Builder
	add := func(format string, args ...any) {
		if b.Len() > 0 {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, format, args...)
	}
	if e.Step != "" {
		if e.Kind != "" {
			add("%s (%s)", e.Step, e.Kind)
		} else {
			add("%s", e.Step)
		}
	}
	if e.Target != "" {
		add("%s", e.Target)
	}
	if e.Exit != "" {
		add("→ %s", e.Exit)
	}
	if e.Cause != "" {
		add("%s", e.Cause)
	}
	if e.Why != "" {
		add("%s", e.Why)
	}
	if e.Millis != 0 {
		add("%s", duration(time.Duration(e.Millis)*time.Millisecond))
	}
	if e.Type == call.Started && (e.Attrs["from"] != "" || e.Attrs["to"] != "") {
		add("%s → %s", e.Attrs["from"], e.Attrs["to"])
	}
	if e.Type == call.Money {
		add("%s %s %s", e.Attrs["kind"], e.Attrs["amount"], e.Attrs["currency"])
	}
	excluded := 0
	for _, k := range slices.Sorted(maps.Keys(e.Attrs)) {
		if strings.HasPrefix(k, "not.") && (e.Type == call.Decided || e.Type == call.NotTried) {
			excluded++ // there may be hundreds; the record has them
			continue
		}
		if e.Type == call.Money && (k == "kind" || k == "amount" || k == "currency") {
			continue
		}
		if k == "input" && (e.Type == call.Money || e.Type == call.Tagged || e.Type == call.Converted) {
			continue // an id for machines
		}
		if k == "sip_call_id" || k == "ended" && e.Type != call.Ended {
			continue // of the leg, whose record has it
		}
		if (k == "from" || k == "to") && (e.Type == call.Started || e.Type == call.Resumed) || e.Attrs[k] == "" {
			continue
		}
		add("%s=%s", k, e.Attrs[k])
	}
	if excluded > 0 {
		add("%d not tried", excluded)
	}
	return plain(b.String())
}

func styleOf(e call.Event) style {
	switch e.Type {
	case call.Started, call.Resumed:
		return bold
	case call.Connected, call.Answered:
		return green
	case call.Failed, call.FlowError, call.Refused:
		return red
	case call.TargetFailed:
		return yellow
	case call.Ended:
		return causeStyle(e.Cause)
	}
	return cyan
}

// causeStyle tells at a glance whether a call ended as calls do.
func causeStyle(c call.Cause) style {
	switch c {
	case call.NormalClearing, call.OriginatorCancel:
		return green
	case call.UserBusy, call.NoAnswer, call.CallRejected, call.AllottedTimeout:
		return yellow
	}
	return red
}

// shortID is the part of a call's id by which people tell calls apart.
func shortID(id string) string { return plain(id[:min(8, len(id))]) }

// offset writes a time within a call: +1.234, +12:01.234.
func offset(d time.Duration) string {
	sign := "+"
	if d < 0 { // two hosts whose clocks differ
		sign, d = "-", -d
	}
	d = d.Round(time.Millisecond)
	s := fmt.Sprintf("%d.%03d", int(d.Seconds())%60, d.Milliseconds()%1000)
	if m := int(d.Minutes()); m > 0 {
		s = fmt.Sprintf("%d:%06.3f", m, (d - time.Duration(m)*time.Minute).Seconds())
	}
	return sign + s
}

// duration writes how long something took, in the unit that fits.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d.Round(100*time.Millisecond) < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d:%02d:%02d h", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
