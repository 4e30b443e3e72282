package portal

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what is asked of the API.
type Limits struct {
	PerKey     int           // requests a minute with one key; as many at once after a rest
	PerAddress int           // requests a minute from one address, or from one IPv6 network of 64 bits
	AtOnce     int           // requests under way, of all
	Heavy      int           // of these, those that check a configuration or stream an export
	Time       time.Duration // that a request may take
}

// DefaultLimits are those of a server.
var DefaultLimits = Limits{PerKey: 1200, PerAddress: 2400, AtOnce: 128, Heavy: 4, Time: 15 * time.Second}

func (l Limits) orDefault() Limits {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	d := DefaultLimits
	set(&l.PerKey, d.PerKey)
	set(&l.PerAddress, d.PerAddress)
	set(&l.AtOnce, d.AtOnce)
	set(&l.Heavy, d.Heavy)
	if l.Time == 0 {
		l.Time = d.Time
	}
	return l
}

// maxNames bounds what is remembered of keys and addresses.
const maxNames = 50_000

// limiter lets each name do so much a minute: a bucket of that many tokens each, which
// fills up again within a minute.
type limiter struct {
	now     func() time.Time
	most    float64 // tokens in a full bucket
	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when it had them
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	return &limiter{now: now, most: float64(perMinute), buckets: map[string]bucket{}}
}

// take takes a token. It returns how many are left, and where there was none, how long it
// takes until there is one.
func (l *limiter) take(name string) (left int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.buckets[name]
	if !known {
		if len(l.buckets) >= maxNames {
			l.sweep(now)
		}
		if len(l.buckets) >= maxNames {
			name = "" // which all share that come now
			b, known = l.buckets[name]
		}
	}
	if !known {
		b = bucket{l.most, now}
	}
	b = bucket{l.filled(b, now), now}
	if b.tokens < 1 {
		wait = time.Duration((1 - b.tokens) / l.most * float64(time.Minute))
	} else {
		b.tokens--
	}
	l.buckets[name] = b
	return int(b.tokens), max(wait, 0)
}

func (l *limiter) filled(b bucket, now time.Time) float64 {
	return min(l.most, b.tokens+now.Sub(b.at).Minutes()*l.most)
}

// sweep forgets the buckets that are full.
func (l *limiter) sweep(now time.Time) {
	for name, b := range l.buckets {
		if l.filled(b, now) >= l.most {
			delete(l.buckets, name)
		}
	}
}

// tell sets the header fields that say what is left (draft-ietf-httpapi-ratelimit-headers).
func (l *limiter) tell(set func(name, value string), policy string, left int, wait time.Duration) {
	set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=60`, policy, int(l.most)))
	set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, policy, left, seconds(wait)))
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// network returns what of an address counts as one client.
func network(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	if a = a.Unmap(); a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}

// address returns the address of HOST:PORT without the port.
func address(remote string) string {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	return a.Addr().Unmap().String()
}
