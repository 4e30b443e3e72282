package hours

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// span is a part of a day, in minutes from its midnight; past 24 h it goes on
// on the next day.
type span struct{ from, to int }

const (
	minutesPerDay = 24 * 60
	secondsPerDay = minutesPerDay * 60
	maxSpans      = 24
)

func (s span) String() string {
	to := s.to
	if to > minutesPerDay {
		to -= minutesPerDay
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.from/60, s.from%60, to/60, to%60)
}

// Spans are the hours of one day: closed, or "09:00-17:30", or several with
// commas between. One that ends before it begins ends on the next day.
type Spans struct{ list []span }

// UnmarshalText reads spans; they must be neither empty nor overlap.
func (s *Spans) UnmarshalText(text []byte) error {
	if string(text) == "closed" {
		*s = Spans{}
		return nil
	}
	parts := strings.Split(string(text), ",")
	if len(parts) > maxSpans {
		return fmt.Errorf("a day can have %d spans, not %d", maxSpans, len(parts))
	}
	list := make([]span, len(parts))
	for i, part := range parts {
		var err error
		if list[i], err = parseSpan(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b span) int { return a.from - b.from })
	for i := range list[1:] {
		if list[i+1].from < list[i].to {
			return fmt.Errorf("%s and %s overlap", list[i], list[i+1])
		}
	}
	s.list = list
	return nil
}

// String writes spans as UnmarshalText reads them.
func (s Spans) String() string {
	if len(s.list) == 0 {
		return "closed"
	}
	parts := make([]string, len(s.list))
	for i, one := range s.list {
		parts[i] = one.String()
	}
	return strings.Join(parts, ", ")
}

func parseSpan(text string) (span, error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return span{}, fmt.Errorf(`%.40q is no span of time; write "09:00-17:30", several with commas between, or closed`, text)
	}
	from, err := parseClock(strings.TrimSpace(first))
	if err != nil {
		return span{}, err
	}
	to, err := parseClock(strings.TrimSpace(last))
	switch {
	case err != nil:
		return span{}, err
	case from == minutesPerDay:
		return span{}, fmt.Errorf("%s: nothing begins at 24:00; write 00:00 on the next day", text)
	case from == to:
		return span{}, fmt.Errorf("%s is empty; a whole day is 00:00-24:00", text)
	case to < from:
		to += minutesPerDay
	}
	return span{from, to}, nil
}

// parseClock reads a time of day, in minutes from midnight.
func parseClock(text string) (int, error) {
	if text == "24:00" {
		return minutesPerDay, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%.40q is no time of day; write two digits, a colon and two digits, from 00:00 to 24:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// at returns the span that holds a minute of the day.
func (s Spans) at(minute int) (span, bool) {
	for _, one := range s.list {
		if one.from <= minute && minute < one.to {
			return one, true
		}
	}
	return span{}, false
}

// after returns the first minute after this one at which a span begins or
// ends; most if there is none before.
func (s Spans) after(minute, most int) int {
	for _, one := range s.list {
		if one.from > minute {
			return min(one.from, most)
		}
		if one.to > minute {
			return min(one.to, most)
		}
	}
	return most
}
