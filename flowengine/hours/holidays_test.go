package hours_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// daysOff returns the days of a year that an entry makes holidays, as MM-DD.
func daysOff(t *testing.T, entry string, year int) []string {
	t.Helper()
	s := compiled(t, settings{zone: "UTC", holidays: []string{entry}})
	var out []string
	for day := time.Date(year, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
		if s.At(day).State == hours.Holiday {
			out = append(out, day.Format("01-02"))
		}
	}
	return out
}

func TestCalendars(t *testing.T) {
	for _, c := range []struct {
		entry string
		year  int
		want  string
	}{
		// 4 July is a Saturday and observed on the day before.
		{"us", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25"},
		{"us", 2027, "01-01 01-18 02-15 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 12-25 12-31"},
		{"us", 2020, "01-01 01-20 02-17 05-25 07-03 07-04 09-07 10-12 11-11 11-26 12-25"}, // before Juneteenth
		{"us Thanksgiving Day", 2026, "11-26"},
		{"us Day After Thanksgiving Day", 2026, "11-27"},
		{"ca", 2026, "01-01 04-03 05-18 07-01 09-07 09-30 10-12 11-11 12-25 12-26 12-28"},
		{"ca Easter Monday", 2026, "04-06"},
		{"gb", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28"},
		{"gb", 2022, "01-01 01-03 04-15 04-18 05-02 06-02 06-03 08-29 12-25 12-26 12-27"},
		{"gb Spring Bank Holiday", 2022, "06-02"},
		{"ie", 2026, "01-01 02-02 03-17 04-06 05-04 06-01 08-03 10-26 12-25 12-26"},
		{"de", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26"},
		{"de-by", 2026, "01-01 01-06 04-03 04-06 05-01 05-14 05-25 06-04 10-03 11-01 12-25 12-26"},
		{"at", 2026, "01-01 01-06 04-06 05-01 05-14 05-25 06-04 08-15 10-26 11-01 12-08 12-25 12-26"},
		{"ch", 2026, "01-01 05-14 08-01 12-25"},
		{"ch Karfreitag", 2026, "04-03"},
		{"fr", 2026, "01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25"},
		{"be", 2026, "01-01 04-06 05-01 05-14 05-25 07-21 08-15 11-01 11-11 12-25"},
		{"nl", 2025, "01-01 04-21 04-26 04-27 05-29 06-09 12-25 12-26"},
		{"es", 2026, "01-01 01-06 04-03 05-01 08-15 10-12 11-01 12-06 12-08 12-25"},
		{"it", 2025, "01-01 01-06 04-21 04-25 05-01 06-02 08-15 11-01 12-08 12-25 12-26"},
		{"it", 2026, "01-01 01-06 04-06 04-25 05-01 06-02 08-15 10-04 11-01 12-08 12-25 12-26"},
		{"pl Wigilia Bożego Narodzenia", 2024, ""},
		{"pl Wigilia Bożego Narodzenia", 2025, "12-24"},
		{"se", 2026, "01-01 01-06 04-03 04-06 05-01 05-14 06-06 06-19 06-20 10-31 12-24 12-25 12-26 12-31"},
		{"no", 2026, "01-01 04-02 04-03 04-06 05-01 05-14 05-17 05-25 12-25 12-26"},
		{"dk", 2026, "01-01 04-02 04-03 04-06 05-14 05-25 12-25 12-26"},
		{"au", 2026, "01-01 01-26 04-03 04-06 04-25 12-25 12-26 12-28"},
		{"au-vic", 2026, "01-01 01-26 03-09 04-03 04-04 04-05 04-06 04-25 06-08 09-25 11-03 12-25 12-26 12-28"},
		{"nz", 2026, "01-01 01-02 02-06 04-03 04-06 04-25 04-27 06-01 07-10 10-26 12-25 12-26 12-28"},
		{"nz Matariki", 2052, "06-21"},
		{"nz Matariki", 2053, ""},
		{"2026-12-24/2027-01-01 Between the years", 2027, "01-01"},
		{"12-30/01-02", 2026, "01-01 01-02 12-30 12-31"},
		{"02-29", 2027, ""},
		{"02-29", 2028, "02-29"},
	} {
		if got := strings.Join(daysOff(t, c.entry, c.year), " "); got != c.want {
			t.Errorf("%s in %d:\ngot  %s\nwant %s", c.entry, c.year, got, c.want)
		}
	}
}

// Holidays are the same days wherever the host is.
func TestZoneOfTheHost(t *testing.T) {
	t.Parallel()
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"Pacific/Auckland", "America/Sao_Paulo"} {
		again := exec.Command(test, "-test.run=^TestCalendars$")
		again.Env = append(os.Environ(), "TZ="+zone)
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", zone, err, out)
		}
	}
}

// Every calendar has holidays in the first year and the last.
func TestEveryCalendar(t *testing.T) {
	codes := hours.Calendars()
	for _, code := range strings.Fields("us ca gb de fr nl es it at ch au nz ie se no dk pl be") {
		if !slices.Contains(codes, code) {
			t.Errorf("there is no calendar %s", code)
		}
	}
	for _, code := range codes {
		for _, year := range []int{1970, 2026, 2099} {
			if n := len(daysOff(t, code, year)); n < 3 || n > 30 {
				t.Errorf("%s has %d days off in %d", code, n, year)
			}
		}
	}
}
