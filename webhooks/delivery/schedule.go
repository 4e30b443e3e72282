package delivery

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// schedule is how long after an attempt that failed the next one is made; about three
// days in all.
var schedule = []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 20 * time.Hour}

// jitter is the part by which a pause may be longer or shorter, so that what failed
// together does not come back together.
const jitter = 0.1

// longestAsked bounds what an endpoint may ask for with Retry-After.
const longestAsked = 24 * time.Hour

// after says what follows the attempt number try when it has failed: given up, or due
// again. The endpoint may have asked for a longer pause.
func after(try int, end time.Time, asked time.Duration) (store.DeliveryState, time.Time) {
	if try > len(schedule) {
		return store.GivenUp, time.Time{}
	}
	pause := time.Duration(float64(schedule[max(try, 1)-1]) * (1 - jitter + 2*jitter*rand.Float64()))
	return store.Pending, end.Add(max(pause, asked))
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110, section 10.2.3).
func retryAfter(answer call.Response, now time.Time) time.Duration {
	text := answer.Header["Retry-After"]
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(n, uint64(longestAsked/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestAsked)
}
