package main

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Marks come while the caller is connected, count from each connection anew, and end with
// it or with the control of the call.
func TestMarksAreToldWhileConnected(t *testing.T) {
	connected := func(target string) call.Event {
		return call.Event{Type: call.Connected, Target: target, Leg: "leg of " + target}
	}
	released := call.Event{Type: call.Released}
	type act struct {
		after time.Duration
		event call.Event // without a type: the call is another's from here on
	}
	for name, test := range map[string]struct {
		acts []act
		want []string
	}{
		"all":                  {[]act{{0, connected("bob")}, {2 * time.Minute, released}}, []string{"bob 5s at 5s", "bob 15s at 15s", "bob 30s at 30s", "bob 45s at 45s", "bob 1m0s at 1m0s"}},
		"released early":       {[]act{{0, connected("bob")}, {16 * time.Second, released}}, []string{"bob 5s at 5s", "bob 15s at 15s"}},
		"too short":            {[]act{{0, connected("bob")}, {4 * time.Second, released}}, nil},
		"two connections":      {[]act{{0, connected("bob")}, {6 * time.Second, released}, {time.Second, connected("alice")}, {20 * time.Second, released}}, []string{"bob 5s at 5s", "alice 5s at 12s", "alice 15s at 22s"}},
		"taken over meanwhile": {[]act{{0, connected("bob")}, {16 * time.Second, call.Event{}}}, []string{"bob 5s at 5s", "bob 15s at 15s"}},
		"taken over before":    {[]act{{0, call.Event{}}, {0, connected("bob")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var marks, passed []string
				m := &marker{record: func(e call.Event) {
					if e.Type != call.Marked {
						passed = append(passed, string(e.Type))
					} else if e.Leg != "leg of "+e.Target {
						t.Errorf("a mark of leg %q", e.Leg)
					} else {
						marks = append(marks, fmt.Sprint(e.Target, " ", time.Duration(e.Millis)*time.Millisecond, " at ", time.Since(began)))
					}
				}}
				var given []string
				for _, a := range test.acts {
					<-time.After(a.after)
					if a.event.Type == "" {
						m.stop()
						continue
					}
					given = append(given, string(a.event.Type))
					m.pass(a.event)
				}
				<-time.After(time.Hour)
				if !slices.Equal(marks, test.want) {
					t.Errorf("marks %q, not %q", marks, test.want)
				}
				if !slices.Equal(passed, given) {
					t.Errorf("of %v it passed on %v", given, passed)
				}
			})
		})
	}
}
