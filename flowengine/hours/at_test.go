package hours_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// office has something of everything; its Sundays are full of edges at the
// hours in which clocks jump.
var office = settings{
	week: map[string]string{
		"mon-thu": "09:00-12:00, 13:00-17:30",
		"fri":     "22:00-06:00",
		"sat":     "00:00-24:00",
		"sun":     "00:00-00:30, 01:15-02:10, 02:20-02:45, 03:00-03:05, 22:00-04:30",
	},
	dates: map[string]string{
		"2025-12-24":            "09:00-12:00",
		"2025-12-29/2025-12-30": "closed",
		"12-24/01-02":           "23:00-01:00",
		"07-03":                 "closed",
	},
	holidays: []string{"2025-01-06 Epiphany", "2025-03-30/2025-03-31 Days off", "10-05", "12-25"},
}

// naive says how the office is, read off the wall clock minute by minute. It
// keeps the spans of the days that it has seen.
type naive map[date]struct{ yesterday, today [][2]int }

type date struct {
	year  int
	month time.Month
	day   int
}

func (n naive) at(t time.Time) hours.State {
	var is date
	is.year, is.month, is.day = t.Date()
	days, seen := n[is]
	if !seen {
		noon := time.Date(is.year, is.month, is.day, 12, 0, 0, 0, time.UTC)
		days.yesterday, days.today = naiveDay(noon.AddDate(0, 0, -1)), naiveDay(noon)
		n[is] = days
	}
	hour, minute, _ := t.Clock()
	minute += hour * 60
	for _, s := range days.yesterday {
		if s[1] < s[0] && minute < s[1] {
			return hours.Open
		}
	}
	if days.today == nil {
		return hours.Holiday
	}
	for _, s := range days.today {
		if minute >= s[0] && (minute < s[1] || s[1] < s[0]) {
			return hours.Open
		}
	}
	return hours.Closed
}

// naiveDay returns the spans that begin on a day, in minutes; nil for a
// holiday.
func naiveDay(day time.Time) [][2]int {
	date, yearly := day.Format(time.DateOnly), day.Format("01-02")
	switch {
	case date == "2025-12-24":
		return [][2]int{{540, 720}}
	case date == "2025-12-29" || date == "2025-12-30" || yearly == "07-03":
		return [][2]int{}
	case yearly >= "12-24" || yearly <= "01-02":
		return [][2]int{{1380, 60}}
	case date == "2025-01-06" || date == "2025-03-30" || date == "2025-03-31" || yearly == "10-05":
		return nil
	}
	switch day.Weekday() {
	case time.Sunday:
		return [][2]int{{0, 30}, {75, 130}, {140, 165}, {180, 185}, {1320, 270}}
	case time.Friday:
		return [][2]int{{1320, 360}}
	case time.Saturday:
		return [][2]int{{0, 1440}}
	}
	return [][2]int{{540, 720}, {780, 1050}}
}

// stretch is a time from one change of the state to the next, in Unix seconds.
type stretch struct {
	from, to int64
	state    hours.State
}

// stretches lists those of a time in order, and the moments in it at which the
// clock jumps.
func (n naive) stretches(from, to time.Time) (all []stretch, jumps []int64) {
	_, offset := from.Zone()
	one := stretch{from: from.Unix(), state: n.at(from)}
	for one.to = one.from; one.to < to.Unix(); one.to += 60 {
		at := time.Unix(one.to, 0).In(from.Location())
		if _, now := at.Zone(); now != offset {
			jumps, offset = append(jumps, one.to), now
		}
		if state := n.at(at); state != one.state {
			all = append(all, one)
			one.from, one.state = one.to, state
		}
	}
	return append(all, one), jumps
}

// At says what the wall clock says, and Next is the first minute that differs.
// The wall clock is read every minute. Both are compared with it every minute of
// the days around a jump of the clock, and within ten minutes of a change of the
// state; elsewhere every seventh minute, which is another one of each hour.
func TestEveryMinute(t *testing.T) {
	for _, c := range []struct {
		zone     string
		from, to string
	}{
		{"America/New_York", "2024-02-01", "2026-02-01"}, // with a 29th of February
		{"Europe/London", "2025-01-01", "2026-01-01"},
		{"Australia/Sydney", "2025-01-01", "2026-01-01"},
		{"Australia/Lord_Howe", "2025-01-01", "2026-01-01"}, // half an hour
		{"America/Sao_Paulo", "2018-06-01", "2019-03-01"},   // at midnight
		{"Africa/Casablanca", "2025-01-01", "2025-05-01"},   // for Ramadan
		{"Pacific/Apia", "2011-12-01", "2012-02-01"},        // 2011-12-30 is missing
		{"Pacific/Kwajalein", "1993-08-01", "1993-09-01"},   // 1993-08-21 is missing
		{"America/Caracas", "2007-12-01", "2008-01-01"},     // back by half an hour, for good
		{"Asia/Kathmandu", "2025-01-01", "2025-03-01"},      // 5 h 45 min
		{"UTC", "2025-11-01", "2026-03-01"},
	} {
		t.Run(c.zone, func(t *testing.T) {
			t.Parallel()
			office := office
			office.zone = c.zone
			s := compiled(t, office)
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			from, _ := time.Parse(time.DateOnly, c.from)
			to, _ := time.Parse(time.DateOnly, c.to)
			all, jumps := naive{}.stretches(from.In(loc), to.In(loc))
			minutes, compared := 0, 0
			for i, one := range all {
				for at := one.from; at < one.to; at += 60 {
					minutes++
					const near, day = 10 * 60, 24 * 3600
					if minutes%7 != 0 && at-one.from > near && one.to-at > near &&
						!slices.ContainsFunc(jumps, func(jump int64) bool { return jump-day < at && at < jump+day }) {
						continue
					}
					compared++
					got := s.At(time.Unix(at, 0))
					until := got.Next().Unix()
					if last := i == len(all)-1; got.State != one.state || until <= at || !last && until != one.to {
						t.Fatalf("at %s: %s until %s, want %s until %s", time.Unix(at, 0).In(loc), got.State, got.Next(), one.state, time.Unix(one.to, 0).In(loc))
					}
				}
			}
			t.Logf("%d of %d minutes compared, %d changes, %d jumps", compared, minutes, len(all)-1, len(jumps))
		})
	}
}

func TestClockChanges(t *testing.T) {
	night := map[string]string{"mon-sun": "22:00-06:00"}
	early := map[string]string{"mon-sun": "02:30-03:30"}
	for _, c := range []struct {
		name, zone string
		week       map[string]string
		from       string // UTC
		changes    []string
	}{
		{"a span that begins in the gap begins after it", "America/New_York", early, "2026-03-08T05:00:00Z",
			[]string{"open 03:00 -0400", "closed 03:30 -0400"}},
		{"a span in the hour that comes twice is there twice", "America/New_York", map[string]string{"sun": "01:15-01:45"}, "2026-11-01T04:00:00Z",
			[]string{"open 01:15 -0400", "closed 01:45 -0400", "open 01:15 -0500", "closed 01:45 -0500"}},
		{"a span over the hour that comes twice is longer", "Europe/London", map[string]string{"sun": "00:30-02:30"}, "2026-10-24T22:00:00Z",
			[]string{"open 00:30 +0100", "closed 02:30 +0000"}},
		{"a span that ends in the gap ends before it", "Europe/London", map[string]string{"sun": "00:15-01:45"}, "2026-03-28T22:00:00Z",
			[]string{"open 00:15 +0000", "closed 02:00 +0100"}},
		{"a span within the gap never is", "Australia/Sydney", map[string]string{"sat": "23:00-23:30", "sun": "02:00-03:00, 04:00-05:00"}, "2026-10-03T12:00:00Z",
			[]string{"open 23:00 +1000", "closed 23:30 +1000", "open 04:00 +1100", "closed 05:00 +1100"}},
		{"the half hour of Lord Howe", "Australia/Lord_Howe", map[string]string{"sun": "01:45-02:15"}, "2026-10-03T12:00:00Z",
			[]string{"open 01:45 +1030", "closed 02:30 +1100"}},
		{"and back", "Australia/Lord_Howe", map[string]string{"sun": "01:40-01:50"}, "2026-04-04T12:00:00Z",
			[]string{"open 01:40 +1100", "closed 01:50 +1100", "open 01:40 +1030", "closed 01:50 +1030"}},
		{"a night in spring", "America/New_York", night, "2026-03-07T22:00:00Z",
			[]string{"open 22:00 -0500", "closed 06:00 -0400"}},
		{"a night in autumn", "America/New_York", night, "2026-10-31T22:00:00Z",
			[]string{"open 22:00 -0400", "closed 06:00 -0500"}},
		{"a day without a midnight", "America/Sao_Paulo", map[string]string{"sun": "00:00-02:00"}, "2018-11-04T00:00:00Z",
			[]string{"open 01:00 -0200", "closed 02:00 -0200"}},
		{"the night of the missing day", "Pacific/Apia", map[string]string{"fri": "22:00-06:00"}, "2011-12-30T00:00:00Z",
			[]string{"open 00:00 +1400", "closed 06:00 +1400"}},
		{"the night before the missing day", "Pacific/Apia", map[string]string{"thu": "22:00-06:00"}, "2011-12-30T00:00:00Z",
			[]string{"open 22:00 -1000", "closed 00:00 +1400"}},
		{"a quarter of an hour", "Asia/Kathmandu", map[string]string{"sun": "09:00-17:00"}, "2026-01-04T00:00:00Z",
			[]string{"open 09:00 +0545", "closed 17:00 +0545"}},
		{"seconds", "Africa/Monrovia", map[string]string{"fri": "00:10-00:50"}, "1972-01-07T00:00:00Z", // -00:44:30 until that day
			[]string{"open 00:44 +0000", "closed 00:50 +0000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := compiled(t, settings{zone: c.zone, week: c.week})
			at, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range c.changes {
				at = s.At(at).Next()
				got = append(got, string(s.At(at).State)+at.Format(" 15:04 -0700"))
			}
			if !slices.Equal(got, c.changes) {
				t.Errorf("got %q, want %q", got, c.changes)
			}
		})
	}
}

func TestWhy(t *testing.T) {
	shop := settings{
		zone: "America/New_York",
		week: map[string]string{"mon-fri": "09:00-17:30", "sat": "10:00-14:00, 22:00-02:00"},
		dates: map[string]string{"2026-12-24": "09:00-12:00", "2026-12-28/2026-12-31": "closed", "07-03": "09:00-12:00, 23:00-01:00",
			"2027-02-01/2027-12-31": "closed", "2028-01-01/2099-12-31": "closed"},
		holidays: []string{"us", "2026-11-27 Day after Thanksgiving", "2026-04-01"},
	}
	s := compiled(t, shop)
	loc, err := time.LoadLocation(shop.zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, state, next, why string }{
		{"Wed 2026-08-12 12:00", "open", "Wed 2026-08-12 17:30", "Wed 12:00 in America/New_York is within 09:00-17:30"},
		{"Wed 2026-08-12 09:00", "open", "Wed 2026-08-12 17:30", "Wed 09:00 in America/New_York is within 09:00-17:30"},
		{"Wed 2026-08-12 17:30", "closed", "Thu 2026-08-13 09:00", "Wed 17:30 in America/New_York is closed until Thu 09:00"},
		{"Sat 2026-08-15 14:00", "closed", "Sat 2026-08-15 22:00", "Sat 14:00 in America/New_York is closed until Sat 22:00"},
		{"Sun 2026-08-16 01:59", "open", "Sun 2026-08-16 02:00", "Sun 01:59 in America/New_York is within 22:00-02:00 of Sat"},
		{"Sun 2026-08-16 02:00", "closed", "Mon 2026-08-17 09:00", "Sun 02:00 in America/New_York is closed until Mon 09:00"},
		{"Thu 2026-11-26 12:00", "holiday", "Sat 2026-11-28 00:00", "2026-11-26 in America/New_York is Thanksgiving Day"},
		{"Fri 2026-11-27 12:00", "holiday", "Sat 2026-11-28 00:00", "2026-11-27 in America/New_York is Day after Thanksgiving"},
		{"Wed 2026-11-25 18:00", "closed", "Thu 2026-11-26 00:00", "Wed 18:00 in America/New_York is closed until Sat 10:00"},
		{"Wed 2026-04-01 12:00", "holiday", "Thu 2026-04-02 00:00", "2026-04-01 in America/New_York is a holiday"},
		// Independence Day is observed on Friday, but the date comes first; Saturday is the day itself.
		{"Fri 2026-07-03 10:00", "open", "Fri 2026-07-03 12:00", "Fri 10:00 in America/New_York is within 09:00-12:00 of 07-03"},
		{"Sat 2026-07-04 00:30", "open", "Sat 2026-07-04 01:00", "Sat 00:30 in America/New_York is within 23:00-01:00 of 07-03"},
		{"Sat 2026-07-04 01:00", "holiday", "Sun 2026-07-05 00:00", "2026-07-04 in America/New_York is Independence Day"},
		{"Mon 2027-07-05 12:00", "closed", "", "Mon 12:00 in America/New_York is closed by 2027-02-01/2027-12-31, for a year at least"},
		{"Fri 2021-12-31 12:00", "holiday", "Sun 2022-01-02 00:00", "2021-12-31 in America/New_York is New Year's Day (observed)"},
		{"Thu 2026-12-24 10:00", "open", "Thu 2026-12-24 12:00", "Thu 10:00 in America/New_York is within 09:00-12:00 of 2026-12-24"},
		{"Thu 2026-12-24 13:00", "closed", "Fri 2026-12-25 00:00", "Thu 13:00 in America/New_York is closed by 2026-12-24 until Sat 10:00"},
		{"Mon 2026-12-28 10:00", "closed", "Fri 2027-01-01 00:00", "Mon 10:00 in America/New_York is closed by 2026-12-28/2026-12-31 until Sat 10:00"},
	} {
		at, err := time.ParseInLocation("Mon 2006-01-02 15:04", c.at, loc)
		if err != nil {
			t.Fatal(err)
		}
		got := s.At(at)
		next := ""
		if !got.Next().IsZero() {
			next = got.Next().Format("Mon 2006-01-02 15:04")
		}
		if string(got.State) != c.state || next != c.next || got.Why() != c.why {
			t.Errorf("at %s:\ngot  %s until %s: %s\nwant %s until %s: %s", c.at, got.State, next, got.Why(), c.state, c.next, c.why)
		}
	}
	// "until Mon" would be today.
	mondays := compiled(t, settings{zone: "UTC", week: map[string]string{"mon": "09:00-12:00"}})
	if got, want := mondays.At(time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC)).Why(), "Mon 12:00 in UTC is closed until 2027-01-11 09:00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What never changes has no Next.
func TestAlwaysTheSame(t *testing.T) {
	for want, week := range map[hours.State]string{hours.Open: "00:00-24:00", hours.Closed: "closed"} {
		s := compiled(t, settings{zone: "America/New_York", week: map[string]string{"mon-sun": week}})
		if got := s.At(time.Unix(1_800_000_000, 0)); got.State != want || !got.Next().IsZero() {
			t.Errorf("%s: %s until %s", week, got.State, got.Next())
		}
	}
	s := compiled(t, settings{zone: "UTC", week: map[string]string{"mon-sun": "closed"}, dates: map[string]string{"2028-02-01": "09:00-10:00"}})
	opens := time.Date(2028, 2, 1, 9, 0, 0, 0, time.UTC)
	if got := s.At(opens.AddDate(0, 0, -366)); !got.Next().Equal(opens) {
		t.Errorf("366 days before: %s", got.Next())
	}
	if got := s.At(opens.AddDate(0, 0, -366).Add(-time.Second)); !got.Next().IsZero() {
		t.Errorf("earlier: %s", got.Next())
	}
}

// Neither At nor Next allocates, whatever they have to look at.
func TestAtDoesNotAllocate(t *testing.T) {
	all := office
	all.zone = "America/New_York"
	all.holidays = append(slices.Clone(all.holidays), "us", "gb", "us Day After Thanksgiving Day")
	s := compiled(t, all)
	at := time.Date(2026, 12, 24, 13, 0, 0, 0, time.UTC)
	s.At(at) // the calendars
	if n := testing.AllocsPerRun(100, func() { s.At(at).Next() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAt(b *testing.B) {
	for name, s := range map[string]settings{
		"week":     {week: map[string]string{"mon-fri": "09:00-17:30"}},
		"holidays": {week: map[string]string{"mon-fri": "09:00-17:30"}, holidays: []string{"us"}, dates: office.dates},
		"always":   {week: map[string]string{"mon-sun": "00:00-24:00"}, holidays: []string{"us Thanksgiving Day"}, dates: map[string]string{"11-26": "closed"}},
	} {
		s.zone = "America/New_York"
		b.Run(name, func(b *testing.B) {
			s := compiled(b, s)
			at := time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC)
			s.At(at)
			b.ReportAllocs()
			for b.Loop() {
				s.At(at)
			}
		})
		b.Run(name+"/next", func(b *testing.B) {
			s := compiled(b, s)
			at := time.Date(2026, 12, 1, 18, 0, 0, 0, time.UTC)
			s.At(at).Next()
			b.ReportAllocs()
			for b.Loop() {
				s.At(at).Next()
			}
		})
	}
}

func Example() {
	var s hours.Schedule
	read := func(to interface{ UnmarshalText([]byte) error }, text string) {
		if err := to.UnmarshalText([]byte(text)); err != nil {
			fmt.Println(err)
		}
	}
	var office hours.Spans
	read(&s.Zone, "America/New_York")
	read(&office, "09:00-17:30")
	s.Week = map[string]hours.Spans{"mon-fri": office}
	s.Holidays = make([]hours.DayOff, 1)
	read(&s.Holidays[0], "us")
	s.Compile(func(path, hint, format string, args ...any) {
		fmt.Printf("%s: %s; %s\n", path, fmt.Sprintf(format, args...), hint)
	})

	for _, at := range []time.Time{
		time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 25, 23, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 26, 17, 0, 0, 0, time.UTC),
	} {
		r := s.At(at)
		fmt.Printf("%s until %s: %s\n", r.State, r.Next().Format("Mon 15:04"), r.Why())
	}
	// Output:
	// open until Wed 17:30: Wed 12:00 in America/New_York is within 09:00-17:30
	// closed until Thu 00:00: Wed 18:00 in America/New_York is closed until Fri 09:00
	// holiday until Fri 00:00: 2026-11-26 in America/New_York is Thanksgiving Day
}
