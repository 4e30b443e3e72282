package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// from lets somebody else be the caller of a call.
func from(number string, events []call.Event) []call.Event {
	events[0].Attrs["from"] = number
	return events
}

// callerSpelled wants inputs and their call to meet, in whatever form the trunk delivers
// the caller's number: one that waits, one while it lasts, and one after it.
func callerSpelled(t *testing.T, s store.Store) {
	j := newJournal(t, s, "n1")
	at := began
	for name, c := range map[string]struct {
		call, input string
		meet        bool
	}{
		"E.164":                             {"+13105550101", "+13105550101", true},
		"without +":                         {"13105550102", "+13105550102", true},
		"ten digits":                        {"3105550103", "+13105550103", true},
		"with 00":                           {"0013105550104", "+13105550104", true},
		"with 011":                          {"01113105550105", "+13105550105", true},
		"of another country":                {"+4552345006", "+4552345006", true},
		"of another country, without +":     {"4552345007", "+4552345007", true},
		"of another country, with 00":       {"004552345008", "+4552345008", true},
		"an extension":                      {"1001", "1001", true},
		"not that of another country":       {"+4552345009", "+14552345009", false},
		"not an extension with 00":          {"001002", "1002", false},
		"not ten digits that are no number": {"1105550110", "+11105550110", false},
	} {
		t.Run(name, func(t *testing.T) {
			at = at.Add(time.Minute)
			receive(t, s, waiting("waits for "+name, c.input, at.Add(-time.Second), time.Minute, tagging("a", "1")), "", store.Waiting)
			events := from(c.call, simple("acme", name, at))
			j.send(at, events[:2]...) // which nobody has joined
			bound, err := s.Join(t.Context(), "acme", name, "")
			if err != nil || (len(bound) == 1) != c.meet {
				t.Errorf("%q waited for the call (%v), want %t", idsOf(bound), err, c.meet)
			}
			meets := func(in store.Input, outcome store.Outcome) {
				t.Helper()
				in.Caller = c.input
				if c.meet {
					receive(t, s, in, name, outcome)
				} else if r, err := s.Receive(t.Context(), "acme", in); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %+v %v", in.ID, r, err)
				}
			}
			meets(input("while "+name, tagging("b", "2")), store.Passed)
			j.send(at, events[2:]...)
			past := input("after "+name, tagging("c", "3"))
			past.Since = events[0].Time
			meets(past, store.Applied)
		})
	}
}

// BindsMissed wants Conclude to bind what an Append and a Receive at the same moment did
// not see of each other. Part takes from every input its call, as if that had happened.
func BindsMissed(t *testing.T, s store.Store, part func() error) {
	now := time.Now()
	j := newJournal(t, s, "n1")
	for _, c := range []struct{ call, caller, input, number string }{
		{"E.164", "+13105550101", "in-1", "+13105550101"},
		{"ten digits", "3105550102", "in-2", "+13105550102"},
		{"with 00", "0013105550103", "in-3", "+13105550103"},
	} {
		j.send(now, from(c.caller, simple("acme", c.call, now))[:2]...)
		receive(t, s, waiting(c.input, c.number, now, time.Hour, tagging("state", "TX")), c.call, store.Passed)
	}
	j.send(now, from("+3105550104", simple("acme", "another country", now))[:2]...)
	receive(t, s, waiting("in-4", "+13105550104", now, time.Hour, tagging("state", "TX")), "", store.Waiting)
	if err := part(); err != nil {
		t.Fatal(err)
	}
	conclude(t, s, now, 0)
	join(t, s, "E.164", "", "in-1")
	join(t, s, "ten digits", "", "in-2")
	join(t, s, "with 00", "", "in-3")
	join(t, s, "another country", "")
}
