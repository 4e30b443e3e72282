package capacity_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/capacity"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// start runs a node until the test ends.
func start(t testing.TB, name string, s capacity.Store) *capacity.Capacity {
	t.Helper()
	c := capacity.New(name, s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

func onPostgres(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// legs counts what runs at a target, as the target would.
type legs struct{ now, most atomic.Int64 }

func (l *legs) begin() {
	now := l.now.Add(1)
	for most := l.most.Load(); now > most && !l.most.CompareAndSwap(most, now); most = l.most.Load() {
	}
}

// Two nodes, 200 calls at once: a limit is never passed, and all of the room is used.
func TestTwoNodesAreOne(t *testing.T) {
	url := storetest.Database(t)
	a, b := onPostgres(t, url), onPostgres(t, url)
	nodes := []*capacity.Capacity{start(t, "a", a), start(t, "b", b)}
	for _, n := range nodes {
		n.Patience = 30 * time.Second // the machine of a test may be slow; the limits are what is tested
	}
	for _, limit := range []int{1, 7, 50} {
		for name, limits := range map[string]call.Limits{"concurrency": {Concurrency: limit}, "cap": {Total: limit}} {
			var running legs
			var connected atomic.Int64
			var wait sync.WaitGroup
			target := fmt.Sprint(name, limit)
			full := make(chan struct{}) // the first who are in stay until nobody else gets in
			var tried atomic.Int64
			for i := range 200 {
				wait.Go(func() {
					c := call.Claim{Org: "acme", Target: target, Call: fmt.Sprint(target, i), Leg: "leg", Node: "a", At: time.Now(), Limits: limits}
					n := nodes[i%2]
					admission := n.Reserve(t.Context(), c)
					if admission.Fallback != "" {
						t.Error(admission.Fallback)
					}
					if admission.Refused == nil {
						running.begin()
						connected.Add(1)
						n.Connected(c)
					}
					if tried.Add(1) == 200 {
						close(full)
					}
					if admission.Refused == nil {
						<-full
						running.now.Add(-1)
						n.Release(c)
					}
				})
			}
			wait.Wait()
			if got := running.most.Load(); got != int64(limit) {
				t.Errorf("%s: %d legs at once", target, got)
			}
			if got := connected.Load(); got != int64(limit) {
				t.Errorf("%s: %d connections", target, got)
			}
		}
	}
}

// PostgreSQL stops, or hangs, in the middle of two nodes' calls, and comes back: nobody
// waits for it, the limits hold throughout, and after all is over nothing is taken.
func TestPostgresIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: limits are not tested while PostgreSQL is lost")
	}
	pg := storetest.NewPostgres(t)
	url := pg.URL("hookswitch")
	stores := []*postgres.Store{onPostgres(t, url), onPostgres(t, url)}
	var nodes []*capacity.Capacity
	lost, back := make(chan int, 100), make(chan int, 100)
	for i, s := range stores {
		c := capacity.New(fmt.Sprint("n", i), s)
		c.Contact = func(err error) {
			if err != nil {
				lost <- i
			} else {
				back <- i
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		t.Cleanup(func() { cancel(); <-done })
		nodes = append(nodes, c)
	}
	limits := map[string]int{"one": 1, "seven": 7, "fifty": 50}
	running := map[string]*legs{"one": {}, "seven": {}, "fifty": {}}
	load, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	var alone, refused atomic.Int64
	for i := range 60 {
		wait.Go(func() {
			target := []string{"one", "seven", "fifty"}[i%3]
			n := nodes[i/3%2]
			for seq := 0; load.Err() == nil; seq++ {
				c := call.Claim{Org: "acme", Target: target, Call: fmt.Sprint(i, ".", seq), Leg: "leg", At: time.Now(), Limits: call.Limits{Concurrency: limits[target]}}
				a := n.Reserve(context.Background(), c)
				if a.Fallback != "" {
					alone.Add(1)
				}
				talk := time.NewTimer(time.Duration(20+i) * time.Millisecond)
				if a.Refused == nil {
					running[target].begin()
				} else {
					refused.Add(1)
				}
				select {
				case <-talk.C:
				case <-load.Done():
				}
				if a.Refused == nil {
					running[target].now.Add(-1)
					n.Release(c)
				}
			}
		})
	}
	both := func(what string, from chan int) {
		t.Helper()
		seen := map[int]bool{}
		for len(seen) < 2 {
			select {
			case i := <-from:
				seen[i] = true
			case <-time.After(time.Minute):
				t.Fatalf("not every node has %s the database", what)
			}
		}
	}
	for _, of := range []struct{ breaks, mends func() error }{{pg.Stop, pg.Start}, {pg.Hang, pg.Resume}} {
		if err := of.breaks(); err != nil {
			t.Fatal(err)
		}
		both("lost", lost)
		before := alone.Load()
		for alone.Load() < before+500 { // calls that are decided without it
			time.Sleep(time.Millisecond)
		}
		if err := of.mends(); err != nil {
			t.Fatal(err)
		}
		both("found", back)
	}
	stop()
	wait.Wait()
	for target, r := range running {
		if most := int(r.most.Load()); most > limits[target] || most == 0 {
			t.Errorf("%d legs at a target for %d", most, limits[target])
		}
	}
	t.Logf("%d calls decided without the database, %d refused", alone.Load(), refused.Load())
	var left []store.Idle
	for range 2000 {
		var err error
		if left, err = stores[0].Slots(t.Context(), 0, 10); err == nil && len(left) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("slots in use after all calls: %v", left)
}

func BenchmarkReserve(b *testing.B) {
	for engine, open := range map[string]func(b *testing.B) capacity.Store{
		"postgres": func(b *testing.B) capacity.Store { return onPostgres(b, storetest.Database(b)) },
		"sqlite": func(b *testing.B) capacity.Store {
			s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "hookswitch.db"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return s
		},
	} {
		b.Run(engine, func(b *testing.B) {
			c := start(b, "a", open(b))
			c.Patience = time.Minute
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				round := make([]time.Duration, 200)
				var wait sync.WaitGroup
				for j := range round {
					wait.Go(func() {
						claim := call.Claim{Org: "acme", Target: fmt.Sprint("t", j%20), Call: fmt.Sprint(i, ".", j), Leg: "leg", Caller: "15550100", At: time.Now(),
							Limits: call.Limits{Concurrency: 1000, Hour: 1_000_000, Within: time.Hour, Of: call.OfTarget}}
						began := time.Now()
						if a := c.Reserve(b.Context(), claim); a.Refused != nil || a.Fallback != "" {
							b.Errorf("%+v", a)
						}
						round[j] = time.Since(began)
						c.Release(claim)
					})
				}
				wait.Wait()
				took = append(took, round...)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
