package portal

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/ratelimit"
)

// Limits bound what is asked of the API.
type Limits struct {
	PerKey     int           // requests a minute with one key; as many at once after a rest
	PerAddress int           // requests a minute from one address, or from one IPv6 network of 64 bits
	AtOnce     int           // requests under way, of all; half of them of one organization
	Heavy      int           // of these, those that check or change a configuration; likewise
	Exports    int           // of these, those that stream an export; likewise
	Time       time.Duration // that a request may take
}

// DefaultLimits are those of a server.
var DefaultLimits = Limits{PerKey: 1200, PerAddress: 2400, AtOnce: 128, Heavy: 4, Exports: 4, Time: 15 * time.Second}

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
	set(&l.Exports, d.Exports)
	if l.Time == 0 {
		l.Time = d.Time
	}
	return l
}

// shared is room of which an organization may have half.
func shared(all int) *ratelimit.Room { return ratelimit.NewRoom(all, (all+1)/2) }

// tell sets the header fields that say what is left of a limit (draft-ietf-httpapi-ratelimit-headers).
func tell(h http.Header, policy string, limit, left int, wait time.Duration) {
	h.Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=60`, policy, limit))
	h.Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, policy, left, seconds(wait)))
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
