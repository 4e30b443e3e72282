package kills

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store/storetest"
)

// outage is how long the database is away, each time.
const outage = time.Minute

// A database that is gone, and one that does not answer, cost no call and no event:
// new calls are routed meanwhile, and the log has all of it in the end.
func TestCallsOutlastTheDatabase(t *testing.T) {
	long(t, "a database that is away for minutes is not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	pg := storetest.NewPostgres(t)
	w := newWorld(t, 8*time.Minute)
	w.database = pg.URL("hookswitch")
	w.forgiven = []string{"call log lacks events"}
	a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	w.open(60, b, a)
	a.start()
	b.start()
	const population = 200
	disperse := w.crowd(population)
	w.moments.wait(w.ctx, 5000)
	for _, away := range []struct {
		how        string
		begin, end func() error
	}{{"stopped", pg.Stop, pg.Start}, {"hanging", pg.Hang, pg.Resume}} {
		must(t, away.begin())
		before := w.over()
		w.during(t, outage)
		if routed := w.over() - before; routed < population {
			t.Errorf("%s: only %d calls began and ended while the database was away", away.how, routed)
		}
		waiting := a.metric("hookswitch_journal_bytes_waiting") + b.metric("hookswitch_journal_bytes_waiting")
		must(t, away.end())
		took := w.caughtUp()
		t.Logf("database %s for %v: %.0f KB waited, drained after %v", away.how, outage, waiting/1024, took.Round(10*time.Millisecond))
		if waiting == 0 {
			t.Errorf("%s: nothing waited, so the database was not away", away.how)
		}
	}
	disperse()
	w.settle()
	records := w.check(nil)
	w.drained()
	w.checkLog(records)
	t.Logf("%d calls", len(records))
}

// over counts the calls that are over.
func (w *world) over() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.calls) - len(w.live)
}

// A server that dies at any moment while its calls go on at the other leaves a log in
// which nothing is missing or twice.
func TestLogOutlivesFiftyKills(t *testing.T) {
	long(t, "the call log under fifty kills is not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	const population, kills = 100, 50
	w := newWorld(t, 8*time.Minute)
	w.database = storetest.NewPostgres(t).URL("hookswitch")
	a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	w.open(60, a, b)
	a.start()
	b.start()
	disperse := w.crowd(population)
	r := rand.New(rand.NewPCG(w.seed, population))
	var all []caught
	for i := range kills {
		dies := []*node{a, b}[i%2]
		w.moments.wait(w.ctx, 1+r.IntN(1000))
		all = append(all, w.kill(dies)...)
		w.moments.wait(w.ctx, 1+r.IntN(400))
		dies.start()
		if w.ctx.Err() != nil {
			w.fatalf("the kills take too long")
		}
	}
	disperse()
	w.settle()
	records := w.check(all)
	w.drained()
	w.checkLog(records)
	t.Logf("%d calls, %d of them caught by a kill", len(records), len(all))
}

// A server that dies while the database has its batch and does not answer: whether the
// batch is taken in later or not, the next process neither loses nor doubles it.
func TestServerDiesBeforeTheDatabaseAnswers(t *testing.T) {
	long(t, "servers that die under batches without an answer are not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	const kills = 10
	pg := storetest.NewPostgres(t)
	w := newWorld(t, 4*time.Minute)
	w.database = pg.URL("hookswitch")
	a := w.newNode("a", program, "10s")
	w.open(60, a)
	a.start()
	disperse := w.crowd(50)
	r := rand.New(rand.NewPCG(w.seed, kills))
	var all []caught
	for range kills {
		w.moments.wait(w.ctx, 500+r.IntN(500))
		must(t, pg.Hang())
		w.moments.wait(w.ctx, 1+r.IntN(100))
		all = append(all, w.kill(a)...)
		must(t, pg.Resume())
		a.start()
	}
	disperse()
	w.settle()
	records := w.check(all)
	w.drained()
	w.checkLog(records)
	t.Logf("%d calls, %d of them caught by a kill", len(records), len(all))
}
