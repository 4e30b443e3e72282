package hours_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// settings are what a flow's YAML says, as texts.
type settings struct {
	zone        string
	week, dates map[string]string
	holidays    []string
}

// compile reads settings as the loader of flows does, and returns what is
// wrong with them.
func (s settings) compile() (*hours.Schedule, []string) {
	var out hours.Schedule
	var problems []string
	read := func(name string, to interface{ UnmarshalText([]byte) error }, text string) {
		if err := to.UnmarshalText([]byte(text)); err != nil {
			problems = append(problems, name+": "+err.Error())
		}
	}
	spans := func(name string, texts map[string]string) map[string]hours.Spans {
		m := map[string]hours.Spans{}
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			var one hours.Spans
			read(name+"/"+key, &one, texts[key])
			m[key] = one
		}
		return m
	}
	read("zone", &out.Zone, s.zone)
	out.Week, out.Dates = spans("week", s.week), spans("dates", s.dates)
	out.Holidays = make([]hours.DayOff, len(s.holidays))
	for i, text := range s.holidays {
		read(fmt.Sprintf("holidays/%d", i), &out.Holidays[i], text)
	}
	if len(problems) == 0 {
		out.Compile(func(path, hint, format string, args ...any) {
			p := path + ": " + fmt.Sprintf(format, args...)
			if hint != "" {
				p += "; " + hint
			}
			problems = append(problems, p)
		})
	}
	return &out, problems
}

func compiled(t testing.TB, s settings) *hours.Schedule {
	t.Helper()
	out, problems := s.compile()
	if len(problems) > 0 {
		t.Fatalf("%+v: %s", s, strings.Join(problems, "\n"))
	}
	return out
}

type texts = map[string]string

func TestWhatIsRefused(t *testing.T) {
	work := texts{"mon-fri": "09:00-17:30"}
	many := texts{}
	for i := range 367 {
		many[fmt.Sprintf("%d-01-%02d", 2020+i/31, i%31+1)] = "closed"
	}
	for _, c := range []struct {
		settings settings
		want     string
	}{
		{settings{zone: "America/New_Yrok", week: work}, `zone: there is no time zone "America/New_Yrok"; did you mean "America/New_York"?`},
		{settings{zone: "america/new_york", week: work}, `zone: there is no time zone "america/new_york"; did you mean "America/New_York"?`},
		{settings{zone: "New York", week: work}, `zone: there is no time zone "New York"; did you mean "America/New_York"?`},
		{settings{zone: "Europe/Londn", week: work}, `zone: there is no time zone "Europe/Londn"; did you mean "Europe/London"?`},
		{settings{zone: "US/Los_Angeles", week: work}, `zone: there is no time zone "US/Los_Angeles"; did you mean "America/Los_Angeles"?`},
		{settings{zone: "PST", week: work}, `zone: there is no time zone "PST"; write an IANA name, such as America/New_York or Europe/London`},
		{settings{zone: "Local", week: work}, `zone: there is no time zone "Local"; write an IANA name, such as America/New_York or Europe/London`},
		{settings{zone: "../../etc/localtime", week: work}, `zone: there is no time zone "../../etc/localtime"; write an IANA name, such as America/New_York or Europe/London`},
		{settings{zone: "UTC", week: texts{"monday": "09:00-17:30"}}, `week/monday: "monday" is no weekday and no range of weekdays; write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri`},
		{settings{zone: "UTC", week: texts{"mon-mon": "09:00-17:30"}}, `week/mon-mon: "mon-mon" is no weekday and no range of weekdays; write mon, tue, wed, thu, fri, sat or sun, or a range such as mon-fri`},
		{settings{zone: "UTC", week: texts{"mon-fri": "09:00-17:30", "wed": "closed"}}, `week/wed: mon-fri and wed both have wed; write each day once`},
		{settings{zone: "UTC", week: texts{"mon": "09:00"}}, `week/mon: "09:00" is no span of time; write "09:00-17:30", several with commas between, or closed`},
		{settings{zone: "UTC", week: texts{"mon": "9:00-17:30"}}, `week/mon: "9:00" is no time of day; write two digits, a colon and two digits, from 00:00 to 24:00`},
		{settings{zone: "UTC", week: texts{"mon": "09:00-25:00"}}, `week/mon: "25:00" is no time of day; write two digits, a colon and two digits, from 00:00 to 24:00`},
		{settings{zone: "UTC", week: texts{"mon": "09:00-17:60"}}, `week/mon: "17:60" is no time of day; write two digits, a colon and two digits, from 00:00 to 24:00`},
		{settings{zone: "UTC", week: texts{"mon": "09:00-09:00"}}, `week/mon: 09:00-09:00 is empty; a whole day is 00:00-24:00`},
		{settings{zone: "UTC", week: texts{"mon": "24:00-06:00"}}, `week/mon: 24:00-06:00: nothing begins at 24:00; write 00:00 on the next day`},
		{settings{zone: "UTC", week: texts{"mon": "13:00-17:00, 09:00-13:30"}}, `week/mon: 09:00-13:30 and 13:00-17:00 overlap`},
		{settings{zone: "UTC", week: texts{"mon": "22:00-06:00, 23:00-23:30"}}, `week/mon: 22:00-06:00 and 23:00-23:30 overlap`},
		{settings{zone: "UTC", week: texts{"mon": "09:00-17:00,"}}, `week/mon: "" is no span of time; write "09:00-17:30", several with commas between, or closed`},
		{settings{zone: "UTC", week: texts{"mon": strings.Repeat("09:00-10:00,", 30)}}, `week/mon: a day can have 24 spans, not 31`},
		{settings{zone: "UTC", dates: texts{"2027-02-29": "closed"}}, `dates/2027-02-29: there is no date "2027-02-29"; write YYYY-MM-DD, or MM-DD for every year`},
		{settings{zone: "UTC", dates: texts{"12/24": "closed"}}, `dates/12/24: there is no date "12"; write YYYY-MM-DD, or MM-DD for every year`},
		{settings{zone: "UTC", dates: texts{"the day after tomorrow": "closed"}}, `dates/the day after tomorrow: a date is expected; write YYYY-MM-DD, or MM-DD for every year`},
		{settings{zone: "UTC", dates: texts{"0206-12-24": "closed"}}, `dates/0206-12-24: 0206-12-24 is not between the years 1970 and 2099`},
		{settings{zone: "UTC", dates: texts{"2026-12-31/2026-12-28": "closed"}}, `dates/2026-12-31/2026-12-28: 2026-12-31/2026-12-28 ends before it begins; write 2026-12-28/2026-12-31`},
		{settings{zone: "UTC", dates: texts{"07-10/07-03": "closed"}}, `dates/07-10/07-03: 07-10/07-03 ends before it begins; write 07-03/07-10`},
		{settings{zone: "UTC", dates: texts{"12-24/2027-01-01": "closed"}}, `dates/12-24/2027-01-01: 12-24/2027-01-01: write both dates with the year, or both without`},
		{settings{zone: "UTC", dates: texts{"2026-12-24": "closed", "2026-12-20/2026-12-31": "closed"}}, `dates/2026-12-24: 2026-12-20/2026-12-31 and 2026-12-24 have a day in common`},
		{settings{zone: "UTC", dates: texts{"01-01": "closed", "12-24/01-02": "closed"}}, `dates/12-24/01-02: 01-01 and 12-24/01-02 have a day in common`},
		{settings{zone: "UTC", dates: many}, `dates: dates: there can be 366, not 367; write neighbours as a range, such as 2026-12-28/2026-12-31`},
		{settings{zone: "UTC", holidays: []string{"us Thanksgiving"}}, `holidays/0: us has no holiday "Thanksgiving"; there are New Year's Day, Martin Luther King Jr. Day, Presidents' Day, Memorial Day, Juneteenth, Independence Day, Labor Day, Columbus Day, Veterans Day, Thanksgiving Day, Christmas Day, Day After Thanksgiving Day`},
		{settings{zone: "UTC", holidays: []string{"usa"}}, `holidays/0: there is no calendar "usa"; there are at, au, au-…, be, ca, ch, cz, de, de-…, dk, es, fr, gb, gr, hr, ie, it, jp, lt, lv, nl, no, nz, pl, se, si, us, za; or write a date, such as "2026-11-27 Day after Thanksgiving"`},
		{settings{zone: "UTC", holidays: []string{"2026-11-31"}}, `holidays/0: there is no date "2026-11-31"; write YYYY-MM-DD, or MM-DD for every year`},
		{settings{zone: "UTC", holidays: []string{"2026-11-30 " + strings.Repeat("x", 65)}}, `holidays/0: the name of a holiday has at most 64 characters and no line breaks`},
		{settings{zone: "UTC", holidays: []string{"2026-11-30 a\nb"}}, `holidays/0: the name of a holiday has at most 64 characters and no line breaks`},
		{settings{zone: "UTC", holidays: slices.Repeat([]string{"us"}, 101)}, `holidays: holidays: there can be 100, not 101`},
	} {
		if _, got := c.settings.compile(); !slices.Equal(got, []string{c.want}) {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), c.want)
		}
	}
	var none hours.Schedule
	var got []string
	none.Compile(func(path, _, format string, args ...any) { got = append(got, path+": "+fmt.Sprintf(format, args...)) })
	if want := []string{"zone: zone: hours need a time zone"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Spans are written as they were read, in order.
func TestSpansAsText(t *testing.T) {
	for text, want := range map[string]string{
		"closed":                     "closed",
		"09:00-17:30":                "09:00-17:30",
		"13:00-17:30,09:00 - 12:00":  "09:00-12:00, 13:00-17:30",
		"22:00-06:00":                "22:00-06:00",
		"00:00-24:00":                "00:00-24:00",
		"22:00-00:00":                "22:00-24:00",
		"09:00-12:00, 12:00-17:00":   "09:00-12:00, 12:00-17:00",
		"00:00-05:00, 20:00-05:00":   "00:00-05:00, 20:00-05:00",
		" 09:00-12:00 , 13:00-17:30": "09:00-12:00, 13:00-17:30",
	} {
		var s hours.Spans
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %s", text, err)
		} else if got := s.String(); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}
