package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// BenchOutbox measures the outbox of an engine, by the delivery.
func BenchOutbox(b *testing.B, open func(testing.TB) store.Store) {
	for _, endpoints := range []int{20, 1000} {
		b.Run(fmt.Sprintf("publish=%d", endpoints), func(b *testing.B) {
			s := open(b)
			benchPublish(b, s, endpoints, b.N)
		})
		b.Run(fmt.Sprintf("claim+finish=%d", endpoints), func(b *testing.B) {
			s := open(b)
			lanes := benchPublish(b, s, endpoints, b.N)
			b.ResetTimer()
			var claims, finishes []time.Duration
			for done := 0; done < b.N; {
				began := time.Now()
				got := benchClaim(b, s, lanes)
				claims = append(claims, time.Since(began))
				attempts := make([]store.Attempt, len(got))
				for i, d := range got {
					attempts[i] = ended(d, "n1", 200)
				}
				began = time.Now()
				if _, err := s.Finish(b.Context(), attempts); err != nil {
					b.Fatal(err)
				}
				finishes = append(finishes, time.Since(began))
				done += len(got)
			}
			b.StopTimer()
			report(b, "claim", claims)
			report(b, "finish", finishes)
		})
		b.Run(fmt.Sprintf("idle=%d", endpoints), func(b *testing.B) {
			s := open(b)
			lanes := lanesOfBench(endpoints)
			b.ResetTimer()
			for b.Loop() {
				benchClaim(b, s, lanes)
			}
		})
	}
}

// report tells the median, the 99th percentile and the longest of durations, in ms.
func report(b *testing.B, what string, all []time.Duration) {
	slices.Sort(all)
	for name, d := range map[string]time.Duration{"p50": all[len(all)/2], "p99": all[len(all)*99/100], "max": all[len(all)-1]} {
		b.ReportMetric(float64(d.Microseconds())/1000, what+"-"+name+"-ms")
	}
}

func lanesOfBench(n int) map[store.LaneName]int {
	lanes := make(map[store.LaneName]int)
	for i := range n {
		lanes[store.LaneName{Org: fmt.Sprint("org", i%10), Endpoint: fmt.Sprint("e", i)}] = 20
	}
	return lanes
}

func benchClaim(b *testing.B, s store.Store, lanes map[store.LaneName]int) []store.Delivery {
	b.Helper()
	got, err := s.Claim(context.Background(), store.Claiming{Node: "n1", Lease: time.Minute, Lanes: lanes, Limit: 500})
	if err != nil {
		b.Fatal(err)
	}
	return got.Deliveries
}

// spread has a call tell one of many endpoints of each of its events.
type spread struct{ endpoints int }

func (p spread) Publish(c *store.Call, news []call.Event) (all []store.Message) {
	for _, e := range news {
		n, _ := strconv.Atoi(c.ID)
		all = append(all, store.Message{Org: c.Org, ID: fmt.Sprintf("msg_%032d.%d", n, e.Seq), Call: c.ID, Type: string(e.Type), Time: e.Time, Body: make([]byte, 560),
			To: []string{fmt.Sprint("e", n%p.endpoints)}})
	}
	return all
}

// benchPublish takes in calls of four events until there are that many deliveries.
func benchPublish(b *testing.B, s store.Store, endpoints, deliveries int) map[store.LaneName]int {
	b.Helper()
	s.Publish(spread{endpoints})
	j := newJournal(b, s, "n1")
	for n := 0; n < deliveries; {
		var events []call.Event
		for range 100 {
			events = append(events, simple(fmt.Sprint("org", n/4%10), fmt.Sprint(n/4), time.Now())...)
			n += 4
		}
		j.send(time.Now(), events...)
	}
	return lanesOfBench(endpoints)
}
