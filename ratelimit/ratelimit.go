// Package ratelimit bounds how often clients may ask for something, and how many at once.
package ratelimit

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// Limiter lets each name do so much within a period: a bucket of that many tokens each,
// which is full again after one. Its methods are safe for concurrent use.
type Limiter struct {
	period  time.Duration
	now     func() time.Time
	mu      sync.Mutex
	buckets map[string]bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time // when it had them
}

// maxNames bounds what is remembered.
const maxNames = 50_000

// New returns a limiter on a clock.
func New(period time.Duration, now func() time.Time) *Limiter {
	return &Limiter{period: period, now: now, buckets: map[string]bucket{}}
}

// Take takes a token from the bucket of a name, which holds limit of them, at least one. It
// returns how many are left, and where there was none, how long it takes until there is one.
func (l *Limiter) Take(name string, limit int) (left int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, most := l.now(), float64(limit)
	b, known := l.buckets[name]
	if !known {
		l.sweep(now)
		if len(l.buckets) >= maxNames {
			name = "" // which all share that come now
			b, known = l.buckets[name]
		}
	}
	if !known {
		b = bucket{most, now}
	}
	b = bucket{min(most, b.tokens+float64(now.Sub(b.at))*most/float64(l.period)), now}
	if b.tokens < 1 {
		wait = time.Duration(math.Ceil((1 - b.tokens) * float64(l.period) / most))
	} else {
		b.tokens--
	}
	l.buckets[name] = b
	return int(b.tokens), wait
}

// sweep forgets the buckets that are full again, where there are many, once in a period.
func (l *Limiter) sweep(now time.Time) {
	if len(l.buckets) < maxNames || now.Sub(l.swept) < l.period {
		return
	}
	l.swept = now
	for name, b := range l.buckets {
		if now.Sub(b.at) >= l.period {
			delete(l.buckets, name)
		}
	}
}

// Address returns the address of HOST:PORT without the port.
func Address(remote string) string {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	return a.Addr().Unmap().String()
}

// Network returns what of an address counts as one client: of IPv6 a network of 64 bits.
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
}
