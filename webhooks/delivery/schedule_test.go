package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// A message that nobody takes is tried eleven times in about three days, with the same
// id, and then given up.
func TestSchedule(t *testing.T) {
	virtually(t, func(t *testing.T) {
		w := run(t, newOutbox(), "a", receivers(func(_ context.Context, r call.Request) (call.Response, error) {
			return call.Response{Status: 500, Body: []byte("oh")}, nil
		}), named(endpoint{name: "crm"}))
		w.put(t, "msg_1", "", "crm")
		<-time.After(82 * time.Hour)
		w.stop()
		d := w.outbox.delivery(1)
		if d.State != store.GivenUp || len(d.Attempts) != len(schedule)+1 {
			t.Fatalf("%s after %d attempts", d.State, len(d.Attempts))
		}
		for i, a := range d.Attempts {
			if a.Try != i+1 || a.Response.Status != 500 || string(a.Response.Body) != "oh" || a.Request.Header[standard.ID] != "msg_1" || a.Request.Header[standard.Timestamp] != standard.Unix(a.At) {
				t.Errorf("attempt %d: %+v", i+1, a)
			}
			if i == 0 {
				continue
			}
			pause, want := a.At.Sub(d.Attempts[i-1].At), schedule[i-1]
			if pause < want*9/10 || pause > want*11/10+time.Second {
				t.Errorf("attempt %d after %s, want about %s", i+1, pause, want)
			}
		}
		if all := d.Attempts[10].At.Sub(d.Created); all < 64*time.Hour || all > 80*time.Hour {
			t.Errorf("%s in all", all)
		}
	})
}

func TestPausesHaveJitter(t *testing.T) {
	seen, now := map[time.Time]bool{}, time.Now()
	for range 20 {
		_, due := after(6, now, 0)
		seen[due] = true
	}
	if len(seen) < 15 {
		t.Errorf("%d pauses of 20 differ", len(seen))
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"120":                           2 * time.Minute,
		"-5":                            0,
		"soon":                          0,
		"86400":                         24 * time.Hour,
		"86401":                         24 * time.Hour,
		"18446744073709551615":          24 * time.Hour,
		"18446744073709551616":          0,
		"Thu, 01 Jan 2026 00:10:00 GMT": 10 * time.Minute,
		"Wed, 31 Dec 2025 00:10:00 GMT": 0,
		"Thu, 01 Jan 2099 00:10:00 GMT": 24 * time.Hour,
	} {
		if got := retryAfter(call.Response{Header: map[string]string{"Retry-After": text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// An endpoint that asks to be left alone is, by all that is for it for a minute, and by
// this message for as long as it asked.
func TestRetryAfterIsHonoured(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		began, tries := time.Now(), map[string][]time.Duration{}
		w := run(t, newOutbox(), "a", one(&mu, func(_ context.Context, r call.Request) (call.Response, error) {
			id := r.Header[standard.ID]
			if tries[id] = append(tries[id], time.Since(began).Truncate(time.Second)); id == "msg_1" && len(tries[id]) == 1 {
				return call.Response{Status: 429, Header: map[string]string{"Retry-After": "600"}}, nil
			}
			return call.Response{Status: 200}, nil
		}), named(endpoint{name: "crm"}))
		w.put(t, "msg_1", "", "crm")
		<-time.After(time.Second)
		w.put(t, "msg_2", "", "crm")
		<-time.After(time.Hour)
		w.stop()
		if first, second := tries["msg_1"], tries["msg_2"]; len(first) != 2 || first[1] < 600*time.Second || first[1] > 603*time.Second || len(second) != 1 || second[0] < time.Minute || second[0] > 63*time.Second {
			t.Errorf("attempts at %v", tries)
		}
	})
}

// 410 disables at once, is told to those that want to know, and there is a way back.
func TestGone(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		answer, sent := 410, map[string]int{}
		w := run(t, newOutbox(), "a", one(&mu, func(_ context.Context, r call.Request) (call.Response, error) {
			sent[r.URL+" "+r.Header[standard.ID]]++
			if strings.Contains(r.URL, "ops") {
				return call.Response{Status: 204}, nil
			}
			return call.Response{Status: answer}, nil
		}), named(endpoint{name: "crm"}, endpoint{name: "ops"}))
		for i := range 5 {
			w.put(t, fmt.Sprintf("msg_%d", i), "", "crm")
		}
		<-time.After(24 * time.Hour)
		if n := w.outbox.states("crm")[store.Pending]; n != 5 {
			t.Errorf("%d wait", n)
		}
		mu.Lock()
		if n := len(sent); n > 3 { // two were claimed at first
			t.Errorf("sent: %v", sent)
		}
		answer = 200
		mu.Unlock()
		if n := w.outbox.states("ops")[store.Delivered]; n != 1 {
			t.Errorf("%d announcements", n)
		}
		if err := w.outbox.Enable(t.Context(), org, "crm"); err != nil {
			t.Fatal(err)
		}
		w.Wake()
		<-time.After(2 * time.Minute)
		w.stop()
		if n := w.outbox.states("crm")[store.Delivered]; n != 5 {
			t.Errorf("%d delivered after it was enabled", n)
		}
		if want := []string{"crm disabled: it answered 410 Gone", "crm works: "}; !slices.Equal(w.told(), want) {
			t.Errorf("told %q", w.told())
		}
	})
}

// An endpoint that is enabled soon after its 410 is sent what waits at once.
func TestEnabledAgainAtOnce(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var mu sync.Mutex
		answer := 410
		w := run(t, newOutbox(), "a", one(&mu, func(context.Context, call.Request) (call.Response, error) {
			return call.Response{Status: answer}, nil
		}), named(endpoint{name: "crm"}))
		for i := range 5 {
			w.put(t, fmt.Sprintf("msg_%d", i), "", "crm")
		}
		<-time.After(3 * time.Second)
		mu.Lock()
		answer = 200
		mu.Unlock()
		if err := w.outbox.Enable(t.Context(), org, "crm"); err != nil {
			t.Fatal(err)
		}
		w.Wake()
		<-time.After(lease) // of what was claimed and not sent
		w.stop()
		if n := w.outbox.states("crm")[store.Delivered]; n != 5 {
			t.Errorf("%d delivered %s after it was enabled", n, lease)
		}
	})
}

// What waits for an endpoint that is disabled is dropped as well once it is no longer configured.
func TestDisabledAndNoLongerConfigured(t *testing.T) {
	virtually(t, func(t *testing.T) {
		w := run(t, newOutbox(), "a", status(410), named(endpoint{name: "crm"}))
		for i := range 5 {
			w.put(t, fmt.Sprintf("msg_%d", i), "", "crm")
		}
		<-time.After(time.Hour)
		if n := w.outbox.states("crm")[store.Pending]; n != 5 {
			t.Fatalf("%d wait", n)
		}
		w.Use(nil)
		<-time.After(20 * time.Minute)
		w.stop()
		if n := w.outbox.states("crm")[store.Dropped]; n != 5 {
			t.Errorf("%d dropped", n)
		}
		if want := []string{"crm disabled: it answered 410 Gone", "crm gone: it is no longer configured: what was for it is dropped"}; !slices.Equal(w.told(), want) {
			t.Errorf("told %q", w.told())
		}
	})
}

// Three days of failures disable an endpoint, if there were at least twenty.
func TestLongFailureDisables(t *testing.T) {
	for messages, disabled := range map[int]bool{1: false, 3: true} {
		virtually(t, func(t *testing.T) {
			w := run(t, newOutbox(), "a", receivers(func(_ context.Context, r call.Request) (call.Response, error) {
				if strings.Contains(r.URL, "ops") {
					return call.Response{Status: 204}, nil
				}
				return call.Response{}, errors.New("connection refused")
			}), named(endpoint{name: "crm"}, endpoint{name: "ops"}))
			began := time.Now()
			for i := range messages {
				w.put(t, fmt.Sprintf("msg_%d", i), "", "crm")
			}
			<-time.After(73 * time.Hour)
			w.stop()
			l := w.outbox.lane(store.LaneName{Org: org, Endpoint: "crm"})
			if (l.Disabled != nil) != disabled {
				t.Fatalf("%d messages: disabled %v", messages, l.Disabled)
			}
			if !disabled {
				return
			}
			if at := l.Disabled.Sub(began); at < 72*time.Hour || at > 72*time.Hour+2*time.Minute {
				t.Errorf("after %s", at)
			}
			if n := w.outbox.states("ops")[store.Delivered]; n != 1 {
				t.Errorf("%d announcements", n)
			}
			if told := w.told(); len(told) != 2 || told[0] != "crm fails: connection refused" || !strings.HasPrefix(told[1], "crm disabled: every attempt since") {
				t.Errorf("told %q", told)
			}
		})
	}
}
