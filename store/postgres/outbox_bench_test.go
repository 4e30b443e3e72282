package postgres_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func BenchmarkOutbox(b *testing.B) { storetest.BenchOutbox(b, open) }

// BenchmarkClaimOfAMillion measures claims where a million deliveries wait for a thousand
// endpoints: evenly; nine tenths of them for one; and with a table of which 95 % is dead and
// was not cleaned up.
func BenchmarkClaimOfAMillion(b *testing.B) {
	const fill = `
INSERT INTO messages (org, id, call, type, time, body) SELECT 'acme', 'm' || i, 'c' || i / 4, 'call.ended', now(), '{}' FROM generate_series(1, %d) AS i;
INSERT INTO outbox (org, n, endpoint, message, call, type, resent, created, due)
SELECT 'acme', nextval('delivery_numbers'), 'e' || CASE WHEN i %% 10 < %d THEN 0 ELSE i / 4 %% 1000 END, 'm' || i, 'c' || i / 4, 'call.ended', false, now(), now() FROM generate_series(1, %[1]d) AS i;`
	for _, c := range []struct {
		name, sql string
	}{
		{"even", fmt.Sprintf(fill, 1_000_000, 0)},
		{"one", fmt.Sprintf(fill, 1_000_000, 9)},
		{"dead", "ALTER TABLE outbox SET (autovacuum_enabled = off);" + fmt.Sprintf(fill, 1_000_000, 0) + "DELETE FROM outbox WHERE n % 80 > 3"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, db := beside(b, "")
			if _, err := db.PgConn().Exec(b.Context(), c.sql).ReadAll(); err != nil {
				b.Fatal(err)
			}
			lanes := make(map[store.LaneName]int)
			for i := range 1000 {
				lanes[store.LaneName{Org: "acme", Endpoint: fmt.Sprint("e", i)}] = 20
			}
			var all []time.Duration
			for b.Loop() {
				began := time.Now()
				got, err := s.Claim(b.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: lanes, Limit: 200})
				if err != nil || len(got.Deliveries) == 0 {
					b.Fatalf("%d deliveries, %v", len(got.Deliveries), err)
				}
				all = append(all, time.Since(began))
				b.StopTimer()
				attempts := make([]store.Attempt, len(got.Deliveries))
				for i, d := range got.Deliveries {
					attempts[i] = store.Attempt{Lease: d.Lease, Endpoint: d.Endpoint, Try: 1, Node: "n1", At: time.Now(), Response: store.HTTP{Status: 200}, State: store.Delivered}
				}
				if _, err := s.Finish(b.Context(), attempts); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(all[0].Microseconds())/1000, "min-ms")
		})
	}
}
