package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/ratelimit"
)

// clock is set by hand.
type clock struct{ time.Time }

func newLimiter(period time.Duration) (*ratelimit.Limiter, *clock) {
	c := &clock{time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	return ratelimit.New(period, func() time.Time { return c.Time }), c
}

func TestANameHasSoManyAPeriod(t *testing.T) {
	l, clock := newLimiter(time.Minute)
	take := func(name string, wantLeft int, wantWait time.Duration) {
		t.Helper()
		if left, wait := l.Take(name, 3); left != wantLeft || wait != wantWait {
			t.Errorf("%s: %d left, wait %v; want %d, %v", name, left, wait, wantLeft, wantWait)
		}
	}
	for left := 2; left >= 0; left-- {
		take("a", left, 0)
	}
	take("a", 0, 20*time.Second)
	take("b", 2, 0)
	clock.Time = clock.Add(5 * time.Second)
	take("a", 0, 15*time.Second)
	clock.Time = clock.Add(15 * time.Second)
	take("a", 0, 0)
	take("a", 0, 20*time.Second)
	clock.Time = clock.Add(time.Hour)
	take("a", 2, 0)
}

// Whoever waits as long as was said gets one.
func TestTheWaitIsLongEnough(t *testing.T) {
	for _, limit := range []int{1, 7, 60, 1000} {
		l, clock := newLimiter(time.Second)
		for range 3 * limit {
			if _, wait := l.Take("a", limit); wait > 0 {
				clock.Time = clock.Add(wait)
				if _, again := l.Take("a", limit); again > 0 {
					t.Fatalf("of %d: %v after a wait of %v", limit, again, wait)
				}
			}
		}
	}
}

// More names than are remembered share what one has, and those that rest are forgotten.
func TestNamesAreBounded(t *testing.T) {
	const remembered = 50_000
	l, clock := newLimiter(time.Second)
	for i := range remembered {
		if _, wait := l.Take(fmt.Sprint(i), 1); wait > 0 {
			t.Fatalf("name %d waits %v", i, wait)
		}
	}
	if _, wait := l.Take("first of too many", 1); wait > 0 {
		t.Errorf("it waits %v", wait)
	}
	if _, wait := l.Take("second of too many", 1); wait != time.Second {
		t.Errorf("it waits %v", wait)
	}
	clock.Time = clock.Add(time.Second)
	for i := range 2 {
		if _, wait := l.Take(fmt.Sprint("after a rest ", i), 1); wait > 0 {
			t.Errorf("it waits %v", wait)
		}
	}
}

func TestAClientIsAnAddressOrANetworkOfIPv6(t *testing.T) {
	for remote, want := range map[string]struct{ address, network string }{
		"203.0.113.7:1000":          {"203.0.113.7", "203.0.113.7"},
		"[::ffff:203.0.113.7]:1000": {"203.0.113.7", "203.0.113.7"},
		"[2001:db8:0:1::1]:1000":    {"2001:db8:0:1::1", "2001:db8:0:1::/64"},
		"[fe80::1%eth0]:1000":       {"fe80::1%eth0", "fe80::/64"},
		"pipe":                      {"pipe", "pipe"},
	} {
		address := ratelimit.Address(remote)
		if network := ratelimit.Network(address); address != want.address || network != want.network {
			t.Errorf("%s: %q %q", remote, address, network)
		}
	}
	if got := ratelimit.Network("::ffff:203.0.113.7"); got != "203.0.113.7" {
		t.Errorf("IPv4 in IPv6: %q", got)
	}
}
