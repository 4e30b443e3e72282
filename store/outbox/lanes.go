package outbox

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Due is an endpoint that something waits for.
type Due struct {
	Lane  store.LaneName
	First time.Duration // until its first delivery is due; 0: it is
}

// Share is what a claim takes of an endpoint.
type Share struct {
	Lane store.LaneName
	Take int
	more bool // there was room for more
}

// again is when deliveries are looked at again that are leased, or behind one that is.
const again = time.Second

// longest bounds Claimed.Next.
const longest = time.Hour

// Shares divides what a claim may take among the endpoints that have something due and
// room, each in its turn, and returns when something else is due.
func Shares(c store.Claiming, lanes []Due) (shares []Share, next time.Duration) {
	next = longest
	for _, l := range lanes {
		room := c.Lanes[l.Lane] - c.Busy[l.Lane]
		if room <= 0 {
			continue
		}
		if l.First > 0 {
			next = min(next, l.First)
			continue
		}
		shares = append(shares, Share{Lane: l.Lane, Take: room})
	}
	rand.Shuffle(len(shares), func(i, j int) { shares[i], shares[j] = shares[j], shares[i] })
	if len(shares) > c.Limit {
		shares, next = shares[:max(0, c.Limit)], 0
	}
	for i := range shares {
		s := &shares[i]
		if each := c.Limit / len(shares); s.Take > each {
			s.Take, s.more = each, true
		}
	}
	return shares, next
}

// Next is when to ask again after a claim that took these, given when something else is
// due; and it lists the endpoints of which nothing could be taken.
func Next(shares []Share, taken []store.Delivery, next time.Duration) (time.Duration, []store.LaneName) {
	counts := make(map[store.LaneName]int, len(shares))
	for i := range taken {
		counts[store.LaneName{Org: taken[i].Org, Endpoint: taken[i].Endpoint}]++
	}
	var none []store.LaneName
	for _, s := range shares {
		switch n := counts[s.Lane]; {
		case n == 0:
			none, next = append(none, s.Lane), min(next, again)
		case n == s.Take && s.more:
			next = 0
		case n < s.Take:
			next = min(next, again)
		}
	}
	return max(0, next), none
}

// Window is how many deliveries of an endpoint a claim looks at to take some.
func Window(take int) int { return 4*take + 100 }

// Health is what attempts say of an endpoint.
type Health struct {
	Lane    store.LaneName
	Worked  bool       // at least once
	Failing *time.Time // since when, after that
}

// Healths sums up attempts by endpoint.
func Healths(attempts []store.Attempt) []Health {
	attempts = slices.Clone(attempts)
	slices.SortFunc(attempts, func(a, b store.Attempt) int { return a.At.Compare(b.At) })
	var all []Health
	index := make(map[store.LaneName]int)
	for i := range attempts {
		a := &attempts[i]
		if a.State == store.Dropped {
			continue
		}
		lane := store.LaneName{Org: a.Org, Endpoint: a.Endpoint}
		at, known := index[lane]
		if !known {
			at = len(all)
			index[lane], all = at, append(all, Health{Lane: lane})
		}
		h := &all[at]
		if a.State == store.Delivered {
			h.Worked, h.Failing = true, nil
		} else if h.Failing == nil {
			h.Failing = &a.At
		}
	}
	slices.SortFunc(all, func(a, b Health) int { return compareLanes(a.Lane, b.Lane) })
	return all
}

// Exchange returns an HTTP request or response as it is kept.
func Exchange(h store.HTTP) []byte {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // it has nothing that is not JSON
	}
	return text
}

// compareLanes orders endpoints by organization and name.
func compareLanes(a, b store.LaneName) int {
	return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.Endpoint, b.Endpoint))
}
