package hours

import (
	"cmp"
	"time"
)

// State is how a place is at a moment.
type State string

// The states.
const (
	Open    State = "open"
	Closed  State = "closed"
	Holiday State = "holiday" // the whole day long; a span of the evening before still holds
)

// Result is what holds at a moment.
type Result struct {
	State State

	schedule *Schedule
	unix     int64
}

// At says how it is at t. The schedule must have been compiled.
func (s *Schedule) At(t time.Time) Result {
	m := s.moment(t.Unix())
	return Result{State: m.state(), schedule: s, unix: t.Unix()}
}

// Next returns when the state changes next, in the schedule's zone; zero if it
// does not within 366 days.
func (r Result) Next() time.Time {
	return r.schedule.moment(r.unix).next(func(other State) bool { return other != r.State })
}

// Why tells what decided, in a few words: "Wed 12:00 in America/New_York is
// within 09:00-17:30".
func (r Result) Why() string {
	m := r.schedule.moment(r.unix)
	in := " in " + m.zone().String()
	at := m.local().Format("Mon 15:04") + in
	today := m.today
	switch r.State {
	case Holiday:
		return isoDay(m.day) + in + " is " + today.holiday
	case Open:
		if one, ok := m.yesterday.spans.at(m.minute + minutesPerDay); ok {
			return at + " is within " + one.String() + " of " + cmp.Or(m.yesterday.date, midnight(m.day-1).Format("Mon"))
		}
		one, _ := today.spans.at(m.minute)
		if today.date != "" {
			return at + " is within " + one.String() + " of " + today.date
		}
		return at + " is within " + one.String()
	}
	closed := at + " is closed"
	if today.date != "" {
		closed += " by " + today.date
	}
	opens := m.next(func(s State) bool { return s == Open })
	switch {
	case opens.IsZero():
		return closed + ", for a year at least"
	case opens.Sub(m.local()) < 6*24*time.Hour: // until then each weekday comes once
		return closed + " until " + opens.Format("Mon 15:04")
	}
	return closed + " until " + opens.Format("2006-01-02 15:04")
}

// moment is an instant as the wall clock of a schedule shows it, with the
// plans that matter to it.
type moment struct {
	*Schedule
	unix             int64
	offset           int // of the zone, in seconds east of UTC
	day, minute      int // since 1970-01-01, since midnight
	yesterday, today plan
}

// horizon is how far Next looks ahead, in seconds.
const horizon = 366 * secondsPerDay

func (s *Schedule) zone() *time.Location { return cmp.Or(s.Zone.loc, time.UTC) }

func (m *moment) local() time.Time { return time.Unix(m.unix, 0).In(m.zone()) }

func (s *Schedule) moment(unix int64) moment {
	m := moment{Schedule: s, unix: unix}
	_, m.offset = m.local().Zone()
	wall := unix + int64(m.offset)
	m.day = int(wall / secondsPerDay)
	if wall%secondsPerDay < 0 {
		m.day--
	}
	m.minute = int(wall-int64(m.day)*secondsPerDay) / 60
	m.yesterday, m.today = s.on(m.day-1), s.on(m.day)
	return m
}

func (m *moment) state() State {
	if _, ok := m.yesterday.spans.at(m.minute + minutesPerDay); ok {
		return Open
	}
	if m.today.holiday != "" {
		return Holiday
	}
	if _, ok := m.today.spans.at(m.minute); ok {
		return Open
	}
	return Closed
}

// next returns the first instant after m whose state is wanted; zero if none
// comes before the horizon. It goes from edge to edge of the wall clock's hours,
// anew from each jump of that clock.
func (m moment) next(wanted func(State) bool) time.Time {
	last := m.unix + horizon
	_, jump := m.local().ZoneBounds()
	for {
		edge := m.today.spans.after(m.minute, minutesPerDay)
		edge = m.yesterday.spans.after(m.minute+minutesPerDay, edge+minutesPerDay) - minutesPerDay
		unix := int64(m.day)*secondsPerDay + int64(edge)*60 - int64(m.offset)
		switch {
		case !jump.IsZero() && unix >= jump.Unix():
			unix = jump.Unix()
			m = m.moment(unix)
			_, jump = m.local().ZoneBounds()
		case edge < minutesPerDay:
			m.unix, m.minute = unix, edge
		default:
			m.unix, m.day, m.minute = unix, m.day+1, 0
			m.yesterday, m.today = m.today, m.on(m.day)
		}
		if unix > last {
			return time.Time{}
		}
		if wanted(m.state()) {
			return m.local()
		}
	}
}
