package call_test

import (
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

func TestLimitsRefuseAtTheBound(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	limits := call.Limits{Concurrency: 2, Hour: 3, Day: 5, Month: 7, Total: 9, Within: time.Hour, Of: call.OfBuyer}
	for _, c := range []struct {
		used call.Usage
		want string
	}{
		{call.Usage{}, ""},
		{call.Usage{Concurrency: 1, Hour: 2, Day: 4, Month: 6, Total: 8, Last: now.Add(-time.Hour)}, ""},
		{call.Usage{Concurrency: 2}, "concurrency: 2 of 2"},
		{call.Usage{Concurrency: 2, Hour: 3}, "cap_hour: 3 of 3"},
		{call.Usage{Day: 6}, "cap_day: 6 of 5"},
		{call.Usage{Month: 7}, "cap_month: 7 of 7"},
		{call.Usage{Total: 9}, "cap_total: 9 of 9"},
		{call.Usage{Last: now.Add(-time.Minute)}, "duplicate: connected with the buyer at 2026-11-01T11:59:00Z, within 1h"},
	} {
		got := ""
		if r := limits.Refuse(c.used, now); r != nil {
			got = r.String()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.used, got, c.want)
		}
	}
	if r := (call.Limits{}).Refuse(call.Usage{Concurrency: 1000, Hour: 1000, Last: now}, now); r != nil {
		t.Errorf("without limits: %s", r)
	}
}

func TestPeriodsBeginOnTheClockOfTheZone(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	utc := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		zone                 *time.Location
		at, hour, day, month string
	}{
		{nil, "2026-03-15T23:59:59Z", "2026-03-15T23:00:00Z", "2026-03-15T00:00:00Z", "2026-03-01T00:00:00Z"},
		{newYork, "2026-03-01T03:30:00Z", "2026-03-01T03:00:00Z", "2026-02-28T05:00:00Z", "2026-02-01T05:00:00Z"},
		// One o'clock comes twice on this day; each has a count of its own.
		{newYork, "2026-11-01T05:30:00Z", "2026-11-01T05:00:00Z", "2026-11-01T04:00:00Z", "2026-11-01T04:00:00Z"},
		{newYork, "2026-11-01T06:30:00Z", "2026-11-01T06:00:00Z", "2026-11-01T04:00:00Z", "2026-11-01T04:00:00Z"},
	} {
		hour, day, month := call.Limits{Zone: c.zone}.Periods(utc(c.at))
		if !hour.Equal(utc(c.hour)) || !day.Equal(utc(c.day)) || !month.Equal(utc(c.month)) {
			t.Errorf("%s: hour %s, day %s, month %s", c.at, hour, day, month)
		}
	}
}
