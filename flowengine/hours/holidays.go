package hours

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rickar/cal/v2"
)

// The library puts midnights into the zone of the host, where one may be
// missing; and a holiday does not depend on the host.
func init() { cal.DefaultLoc = time.UTC }

// DayOff is an entry of a schedule's holidays: all of a calendar, "us"; one
// holiday of it, "us Thanksgiving Day"; or a date or range with or without a
// name, "2026-11-27 Day after Thanksgiving", "12-24/12-31". Where the law moves a
// calendar's holiday off the weekend, both days are holidays.
type DayOff struct {
	name     string
	calendar *calendar // nil: the dates
	dates    dates
}

const maxName = 64 // characters

// UnmarshalText reads an entry.
func (d *DayOff) UnmarshalText(text []byte) error {
	first, name, _ := strings.Cut(string(text), " ")
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("the name of a holiday has at most %d characters and no line breaks", maxName)
	}
	if first != "" && '0' <= first[0] && first[0] <= '9' {
		days, err := parseDates(first)
		*d = DayOff{name: cmp.Or(name, "a holiday"), dates: days}
		return err
	}
	c, ok := calendars[first]
	if !ok {
		return fmt.Errorf("there is no calendar %.40q; there are %s; or write a date, such as \"2026-11-27 Day after Thanksgiving\"",
			first, strings.Join(countries(), ", "))
	}
	if names := c.names(); name != "" && !slices.Contains(names, name) {
		return fmt.Errorf("%s has no holiday %q; there are %s", first, name, strings.Join(names, ", "))
	}
	*d = DayOff{name: name, calendar: c}
	return nil
}

// on returns the name of the holiday that a day is; empty for none.
func (d *DayOff) on(day, yearly int) string {
	if d.calendar == nil {
		if d.dates.holds(day, yearly) {
			return d.name
		}
		return ""
	}
	days := d.calendar.days()
	i, _ := slices.BinarySearchFunc(days, day, func(o observance, day int) int { return o.day - day })
	for ; i < len(days) && days[i].day == day; i++ {
		if (d.name == "" && !days[i].byName) || d.name == days[i].holiday {
			return days[i].name
		}
	}
	return ""
}

// calendar is the holidays of a country or a part of one.
type calendar struct {
	holidays []*cal.Holiday
	byName   []*cal.Holiday // that only some have off: part of it only when named
	days     func() []observance
}

// observance is a day of a calendar.
type observance struct {
	day     int    // since 1970-01-01
	holiday string // its name in the calendar
	name    string // and on this day
	byName  bool
}

func newCalendar(holidays []*cal.Holiday, byName ...*cal.Holiday) *calendar {
	c := &calendar{byName: byName}
	for _, h := range holidays {
		if !slices.Contains(byName, h) {
			c.holidays = append(c.holidays, h)
		}
	}
	c.days = sync.OnceValue(c.compute)
	return c
}

// compute lists the days of all years in order.
func (c *calendar) compute() []observance {
	var out []observance
	add := func(holidays []*cal.Holiday, byName bool) {
		for _, h := range holidays {
			for year := firstYear; year <= lastYear; year++ {
				actual, observed := h.Calc(year)
				if actual.IsZero() {
					continue
				}
				out = append(out, observance{int(actual.Unix() / secondsPerDay), h.Name, h.Name, byName})
				if !observed.Equal(actual) {
					out = append(out, observance{int(observed.Unix() / secondsPerDay), h.Name, h.Name + " (observed)", byName})
				}
			}
		}
	}
	add(c.holidays, false)
	add(c.byName, true)
	slices.SortStableFunc(out, func(a, b observance) int { return a.day - b.day })
	return out
}

// names lists the calendar's holidays, each once.
func (c *calendar) names() []string {
	var out []string
	for _, h := range slices.Concat(c.holidays, c.byName) {
		if !slices.Contains(out, h.Name) {
			out = append(out, h.Name)
		}
	}
	return out
}

// Calendars returns the codes of all calendars, in order: countries by ISO
// 3166-1, in small letters, and parts of some by ISO 3166-2.
func Calendars() []string { return slices.Sorted(maps.Keys(calendars)) }

// countries lists the codes for a message: de, and de-… for all parts of it.
func countries() []string {
	var out []string
	for _, code := range Calendars() {
		country, _, part := strings.Cut(code, "-")
		switch {
		case !part:
			out = append(out, code)
		case !slices.Contains(out, country+"-…"):
			out = append(out, country+"-…")
		}
	}
	return out
}
