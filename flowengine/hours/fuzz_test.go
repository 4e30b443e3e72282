package hours_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// FuzzSpans: what is read is written so that it is read again, and an error is
// one line.
func FuzzSpans(f *testing.F) {
	for _, s := range []string{"closed", "09:00-17:30", "09:00-12:00, 13:00-17:30", "22:00-06:00", "00:00-24:00", "24:00-00:00",
		"25:00-26:00", "9:00-17:00", "-", ",", "22:00-06:00,23:00-01:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again hours.Spans
		if err := s.UnmarshalText([]byte(text)); err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("error %q is not one line", err)
			}
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again.String() != s.String() {
			t.Errorf("%q is written %q, which is read as %q: %v", text, s, again, err)
		}
	})
}

// FuzzSchedule: whatever compiles answers for any time, the state differs at
// Next, and there is a reason.
func FuzzSchedule(f *testing.F) {
	f.Add("America/New_York", "mon-fri", "09:00-17:30", "12-24/01-02", "closed", "us", int64(1_800_000_000))
	f.Add("Pacific/Apia", "fri", "22:00-06:00", "2011-12-30", "00:00-24:00", "2011-12-31 x", int64(1_325_239_200))
	f.Add("Africa/Monrovia", "sat-sun", "00:00-24:00", "02-29", "22:00-22:01", "gb Boxing Day", int64(63_593_070))
	f.Add("Australia/Lord_Howe", "sun", "01:45-02:15", "1970-01-01/2099-12-31", "00:00-24:00", "de-by", int64(-1<<40))
	f.Fuzz(func(t *testing.T, zone, days, spans, dates, dateSpans, holiday string, unix int64) {
		s, problems := settings{zone: zone, week: map[string]string{days: spans},
			dates: map[string]string{dates: dateSpans}, holidays: []string{holiday}}.compile()
		if len(problems) > 0 {
			return
		}
		at := time.Unix(unix, 0)
		r := s.At(at)
		if r.State != hours.Open && r.State != hours.Closed && r.State != hours.Holiday || r.Why() == "" {
			t.Errorf("at %s: %q, %q", at, r.State, r.Why())
		}
		next := r.Next()
		if next.IsZero() {
			return
		}
		if !next.After(at) || s.At(next).State == r.State || s.At(next.Add(-time.Second)).State != r.State {
			t.Errorf("at %s: %s until %s", at, r.State, next)
		}
	})
}
