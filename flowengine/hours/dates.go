package hours

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Dates with a year and holidays lie in these years.
const (
	firstYear = 1970
	lastYear  = 2099
)

// dates is a range of days of one year or of every year, both ends included.
type dates struct {
	text   string
	yearly bool
	from   int // days since 1970-01-01; of every year: month*100+day
	to     int // of every year: before from where the range runs over the end of the year
}

// parseDates reads a date or two with a slash between, as ISO 8601 writes
// ranges: 2026-12-24, 2026-12-28/2026-12-31; without the year for every year.
func parseDates(text string) (dates, error) {
	first, last, isRange := strings.Cut(text, "/")
	from, yearly, err := parseDate(first)
	if err != nil || !isRange {
		return dates{text, yearly, from, from}, err
	}
	to, toYearly, err := parseDate(last)
	switch {
	case err != nil:
		return dates{}, err
	case yearly != toYearly:
		return dates{}, fmt.Errorf("%s: write both dates with the year, or both without", text)
	case yearly && to < from && from > 700 && to < 700:
		// Over the end of the year.
	case to < from:
		return dates{}, fmt.Errorf("%s ends before it begins; write %s/%s", text, last, first)
	}
	return dates{text, yearly, from, to}, nil
}

func parseDate(text string) (n int, yearly bool, err error) {
	const hint = "write YYYY-MM-DD, or MM-DD for every year"
	if t, err := time.Parse("2006-01-02", "2000-"+text); err == nil { // 2000 had a 29th of February
		return int(t.Month())*100 + t.Day(), true, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	switch {
	case err != nil && len(text) <= len(time.DateOnly):
		return 0, false, fmt.Errorf("there is no date %q; %s", text, hint)
	case err != nil:
		return 0, false, errors.New("a date is expected; " + hint)
	case t.Year() < firstYear || t.Year() > lastYear:
		return 0, false, fmt.Errorf("%s is not between the years %d and %d", text, firstYear, lastYear)
	}
	return int(t.Unix() / secondsPerDay), false, nil
}

// holds says whether a day is in the range, given both as days since
// 1970-01-01 and as month*100+day.
func (d dates) holds(day, yearly int) bool {
	if d.yearly {
		day = yearly
	}
	if d.to < d.from {
		return day >= d.from || day <= d.to
	}
	return d.from <= day && day <= d.to
}

// overlaps says whether both ranges hold the same day, where both have a
// year or neither: a date of one year may differ from that of every year.
func (d dates) overlaps(other dates) bool {
	return d.yearly == other.yearly && (d.holds(other.from, other.from) || other.holds(d.from, d.from))
}

// dayOfYear returns month*100+day of a day since 1970-01-01.
func dayOfYear(day int) int {
	_, month, d := midnight(day).Date()
	return int(month)*100 + d
}
