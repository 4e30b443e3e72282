// Package hours knows when somewhere is open: by the week, by dates that
// differ, and by holidays, on the wall clock of a time zone. It has no clock, no
// network and no memory of its own.
//
// A Schedule is written in YAML and compiled once; then At answers for any
// moment, for many calls at once, without allocating.
//
//	zone: America/New_York
//	week:
//	  mon-fri: "09:00-17:30"
//	  sat: "10:00-14:00"
//	dates:
//	  "2026-12-24": "09:00-12:00"
//	  "2026-12-28/2026-12-31": closed
//	  "07-03": "09:00-12:00"
//	holidays: [us, "2026-11-27 Day after Thanksgiving"]
//
// A date replaces holidays and the week, a holiday replaces the week. Days are
// those on which a span begins: 22:00-06:00 of a Monday holds until Tuesday
// 06:00, whatever Tuesday is.
//
// Spans are read off the wall clock, also where it jumps: what begins in an
// hour that is left out begins after it, and of an hour that comes twice both
// are meant. Do not count the hours of a day: one may have 23, 24.5 or none.
// Ask At, and the Result for what comes next.
package hours

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Schedule is the hours of one place. The fields are its settings, as a flow's
// YAML gives them; Compile makes them usable.
type Schedule struct {
	Zone     Zone             `yaml:"zone,required"`
	Week     map[string]Spans `yaml:"week,required"` // by weekday or range: mon, mon-fri, fri-mon
	Dates    map[string]Spans `yaml:"dates"`         // by date or range: 2026-12-24, 12-24/01-01
	Holidays []DayOff         `yaml:"holidays"`

	week  [7]Spans // from Sunday
	dates []date   // those of one year first, since they come before those of every year
}

// date is an entry of Dates.
type date struct {
	dates
	spans Spans
}

const (
	maxDates    = 366
	maxHolidays = 100
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts

// Compile checks what the types of the settings cannot, and makes At usable
// if nothing is wrong. It reports each problem with the path of the setting,
// as in week/mon-fri, and a hint at what would be right where there is one.
func (s *Schedule) Compile(report func(path, hint, format string, args ...any)) {
	if s.Zone.loc == nil {
		report("zone", zoneHint, "zone: hours need a time zone")
	}
	s.compileWeek(report)
	s.compileDates(report)
	if len(s.Holidays) > maxHolidays {
		report("holidays", "", "holidays: there can be %d, not %d", maxHolidays, len(s.Holidays))
	}
}

func (s *Schedule) compileWeek(report func(path, hint, format string, args ...any)) {
	s.week = [7]Spans{}
	var taken [7]string
	for _, key := range slices.Sorted(maps.Keys(s.Week)) {
		days, ok := parseDays(key)
		if !ok {
			report("week/"+key, "write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri",
				"%.40q is no weekday and no range of weekdays", key)
			continue
		}
		for _, day := range days {
			if taken[day] != "" {
				report("week/"+key, "write each day once", "%s and %s both have %s", taken[day], key, weekdays[day])
				break
			}
			taken[day], s.week[day] = key, s.Week[key]
		}
	}
}

// parseDays reads a weekday, or a range that may run over the weekend.
func parseDays(key string) (days []int, ok bool) {
	first, last, isRange := strings.Cut(key, "-")
	from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if !isRange {
		to = from
	} else if from == to {
		return nil, false
	}
	if from < 0 || to < 0 {
		return nil, false
	}
	for day := from; ; day = (day + 1) % 7 {
		days = append(days, day)
		if day == to {
			return days, true
		}
	}
}

func (s *Schedule) compileDates(report func(path, hint, format string, args ...any)) {
	s.dates = nil
	if len(s.Dates) > maxDates {
		report("dates", "write neighbours as a range, such as 2026-12-28/2026-12-31",
			"dates: there can be %d, not %d", maxDates, len(s.Dates))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(s.Dates)) {
		days, err := parseDates(key)
		if err != nil {
			report("dates/"+key, "", "%s", err)
			continue
		}
		if i := slices.IndexFunc(s.dates, func(other date) bool { return other.overlaps(days) }); i >= 0 {
			report("dates/"+key, "", "%s and %s have a day in common", s.dates[i].text, key)
			continue
		}
		s.dates = append(s.dates, date{days, s.Dates[key]})
	}
	slices.SortStableFunc(s.dates, func(a, b date) int {
		switch {
		case a.yearly == b.yearly:
			return 0
		case b.yearly:
			return -1
		}
		return 1
	})
}

// plan is what holds on one day.
type plan struct {
	spans   Spans
	date    string // the entry of Dates that says so
	holiday string // the holiday that it is
}

// on finds the plan of a day, counted from 1970-01-01.
func (s *Schedule) on(day int) plan {
	if len(s.dates) > 0 || len(s.Holidays) > 0 {
		yearly := dayOfYear(day)
		for i := range s.dates {
			if s.dates[i].holds(day, yearly) {
				return plan{spans: s.dates[i].spans, date: s.dates[i].text}
			}
		}
		for i := range s.Holidays {
			if name := s.Holidays[i].on(day, yearly); name != "" {
				return plan{holiday: name}
			}
		}
	}
	return plan{spans: s.week[weekday(day)]}
}

// weekday returns the day of the week; 1970-01-01 was a Thursday.
func weekday(day int) time.Weekday { return time.Weekday(((day+int(time.Thursday))%7 + 7) % 7) }

// isoDay writes a day as a date.
func isoDay(day int) string { return midnight(day).Format(time.DateOnly) }

// midnight is when a day begins in UTC.
func midnight(day int) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }
