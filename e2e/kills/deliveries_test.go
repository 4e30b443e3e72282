package kills

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
	"github.com/hookswitch/hookswitch/webhooks/events"
)

// steps are those of a delivery: the points where the server dies by itself, and the moments
// of the receiver at which it is killed.
var steps = []string{
	"outbox.before", "outbox.after", "claim.before", "claim.after", "request.before", accepted, sent, answered,
	"request.after", "finish.before", "finish.after", anywhere,
}

const anywhere = "anywhere"

// soon is the longest that may pass until what a dead server had under way is sent again.
const soon = 35 * time.Second

// A server that is killed at each step of a delivery, again and again, loses no message; and
// what comes twice is the same, with the same id.
func TestDeliveriesOutliveKillsAtEachStep(t *testing.T) {
	long(t, "servers that die at each step of a delivery are not tested")
	t.Parallel()
	const rounds = 17 // 204 kills
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			killDeliveries(t, database, rounds*len(steps))
		})
	}
}

func killDeliveries(t *testing.T, database string, kills int) {
	program, err := crashpoints()
	must(t, err)
	w := newWorld(t, 10*time.Minute)
	if database == "postgres" {
		w.database = storetest.NewPostgres(t).URL("hookswitch")
	}
	to := w.newReceiver()
	a := w.newNode("a", program, "10s")
	w.open(60, a)
	a.start()
	to.learn()
	began := time.Now()

	disperse := w.crowd(20)
	r := rand.New(rand.NewPCG(w.seed, uint64(kills)))
	w.kill(a)
	for i := range kills {
		step, nth := steps[i%len(steps)], 1+r.IntN(2)
		switch step {
		case accepted, sent, answered:
			a.start("HOOKSWITCH_CRASH_AT=")
			to.set(a, step, nth)
		case anywhere:
			a.start("HOOKSWITCH_CRASH_AT=")
			w.moments.wait(w.ctx, 1+r.IntN(300))
			w.kill(a)
		default:
			a.start(fmt.Sprintf("HOOKSWITCH_CRASH_AT=%s:%d", step, nth+r.IntN(3)))
		}
		select {
		case <-a.exited:
		case <-w.ctx.Done():
			w.fatalf("nothing dies at %s", step)
		}
	}
	killed := time.Since(began)
	a.start()
	disperse()
	w.settle()
	records := w.check(nil)
	w.drained()
	deliveries := to.check(records)
	arrivals, again, longest := to.repeated()
	t.Logf("%d calls, %d kills in %v, all delivered after %v: %d deliveries in %d attempts; %d came again, at most %v after the attempt before",
		len(records), kills, killed.Round(time.Second), time.Since(began).Round(time.Second), deliveries, arrivals, again, longest.Round(time.Millisecond))
	if again < kills/len(steps) {
		t.Error("hardly anything came twice, so this is no test")
	}
	if longest > soon {
		t.Errorf("something was sent again only %v after the attempt before, want at most %v", longest, soon)
	}
}

// repeated counts the attempts that came, and those that another one with the same message
// had come before; longest is between such two.
func (r *receiver) repeated() (arrivals, again int, longest time.Duration) {
	last := map[telling]time.Time{}
	all := r.came()
	for _, a := range all {
		if at, ok := last[a.telling]; ok {
			again++
			longest = max(longest, a.at.Sub(at))
		}
		last[a.telling] = a.at
	}
	return len(all), again, longest
}

// check waits until all is delivered, and holds it against what the log has: all that is to be
// told of the calls has come, signed, and in order. It returns how many deliveries there are.
func (r *receiver) check(records map[string]*record) int {
	w := r.w
	w.t.Helper()
	db := w.log()
	defer db.Close()
	wanted := r.wanted(db, records)
	made := r.delivered(db)
	came := map[telling]int{} // the place of the first that came
	taken := map[telling]int{}
	all := r.came()
	for i, a := range all {
		if _, ok := came[a.telling]; !ok {
			came[a.telling] = i
		}
		if _, ok := taken[a.telling]; a.taken && !ok {
			taken[a.telling] = i
		}
	}
	var wrong []string
	for is, typ := range wanted {
		if _, ok := came[is]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s %s for %s never came", typ, is.id, is.endpoint))
		}
	}
	type lane struct{ endpoint, call string }
	before := map[lane]telling{}
	known := map[telling]bool{}
	for _, d := range made {
		is := telling{d.Endpoint, d.Message.ID}
		known[is] = true
		_, ok := taken[is]
		if !ok || d.State != store.Delivered {
			wrong = append(wrong, fmt.Sprintf("delivery %d, %s %s for %s, is %s and was taken: %t", d.N, d.Message.Type, is.id, is.endpoint, d.State, ok))
			continue
		}
		of := lane{d.Endpoint, d.Message.Call}
		if earlier, ok := before[of]; ok && of.call != "" {
			began := all[came[earlier]].at
			if came[is] < taken[earlier] && all[came[is]].at.Sub(began) < store.Hold-time.Second {
				wrong = append(wrong, fmt.Sprintf("%s of call %s came %v after %s, which was not taken", is.id, of.call, all[came[is]].at.Sub(began), earlier.id))
			}
		}
		before[of] = is
	}
	for is := range came {
		if !known[is] {
			wrong = append(wrong, fmt.Sprintf("%s came to %s and is not in the outbox", is.id, is.endpoint))
		}
	}
	wrong = append(wrong, r.faults...)
	if len(wrong) > 0 {
		w.t.Errorf("%d deliveries are wrong:\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
		w.tell()
	}
	return len(made)
}

// wanted returns the types of what the endpoints want to hear of the calls, as their records
// are when all of them are whole.
func (r *receiver) wanted(db store.Store, records map[string]*record) map[telling]string {
	w := r.w
	publisher := events.Publisher{
		Organization: func(string) events.Organization { return audience{} },
		Problem:      func(_, _ string, err error) { w.t.Error(err) },
	}
	all := map[telling]string{}
	for id := range records {
		var c *store.Call
		w.eventually("call "+id+" is not whole in the log", func() (met bool) {
			var err error
			c, err = db.Call(w.ctx, organization, id)
			must(w.t, err)
			return c.State == store.Complete
		})
		for _, m := range publisher.Publish(c, c.Events) {
			for _, to := range m.To {
				all[telling{to, m.ID}] = m.Type
			}
		}
	}
	return all
}

// delivered returns all deliveries that there are, in the order in which they were made,
// when none waits.
func (r *receiver) delivered(db store.Store) (all []store.Delivery) {
	w := r.w
	w.eventually("something is still to be delivered", func() bool {
		lanes, err := db.Lanes(w.ctx, organization)
		must(w.t, err)
		return !slices.ContainsFunc(lanes, func(l store.Lane) bool { return l.Pending > 0 })
	})
	for q := (store.DeliveryQuery{Limit: 1000}); ; {
		page, err := db.Deliveries(w.ctx, organization, q)
		must(w.t, err)
		all = append(all, page.Deliveries...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b store.Delivery) int { return cmp.Compare(a.N, b.N) })
	return all
}

// eventually waits until something is true of the database.
func (w *world) eventually(what string, met func() bool) {
	for !met() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-w.ctx.Done():
			w.fatalf("%s", what)
		}
	}
}

// audience is the endpoints of the receiver.
type audience struct{}

func (audience) Hearing(typ string) (hearing []events.Endpoint) {
	for name, wants := range endpoints {
		if slices.ContainsFunc(wants, func(w string) bool {
			return w == typ || strings.HasSuffix(w, "*") && strings.HasPrefix(typ, strings.TrimSuffix(w, "*"))
		}) {
			hearing = append(hearing, unfiltered(name))
		}
	}
	return hearing
}

func (audience) Tag(_, value string) (any, bool) { return value, true }

// unfiltered is an endpoint by its name.
type unfiltered string

func (u unfiltered) Name() string { return string(u) }

func (unfiltered) Wants(func() (*flowengine.EventVariables, error)) (bool, error) { return true, nil }

// A server dies with deliveries under way and does not come back: when its leases have ended
// another one makes them.
func TestAnotherServerDeliversWhatADeadOneHad(t *testing.T) {
	long(t, "deliveries of a server that does not come back are not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	w := newWorld(t, 4*time.Minute)
	w.database = storetest.NewPostgres(t).URL("hookswitch")
	to := w.newReceiver()
	a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	w.open(60, a, b)
	a.start()
	to.learn()
	to.set(a, sent, 3)
	disperse := w.crowd(10)
	select {
	case <-a.exited:
	case <-w.ctx.Done():
		w.fatalf("nothing was under way")
	}
	died := time.Now()
	held := to.came()
	b.start()
	limited, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	again := map[telling]time.Duration{} // after which it came again
	if !to.until(limited, func(all []arrival) bool {
		for _, a := range all[len(held):] {
			if _, known := again[a.telling]; !known && slices.ContainsFunc(held, func(h arrival) bool { return h.telling == a.telling }) {
				again[a.telling] = a.at.Sub(died)
			}
		}
		return len(again) == len(held)
	}) {
		w.fatalf("%d deliveries were under way, %d of them came again", len(held), len(again))
	}
	longest := slices.Max(slices.Collect(maps.Values(again)))
	t.Logf("%d deliveries were under way; the last of them came again %v after the server died", len(held), longest.Round(time.Millisecond))
	if longest > soon {
		t.Errorf("it came again only after %v, want at most %v", longest, soon)
	}
	a.start()
	disperse()
	w.settle()
	records := w.check(nil)
	w.drained()
	to.check(records)
}
