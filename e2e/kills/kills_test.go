package kills

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// caller makes up somebody who calls.
func caller(r *rand.Rand) esltest.Caller {
	keys := [...]string{"1", "1", "2", "2", "3", "3", "4", "5", "9", ""}
	who := esltest.Caller{}
	ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
	if key := keys[r.IntN(len(keys))]; key != "" {
		who.Script = append(who.Script, esltest.Press(key).WhenPlaying("Welcome").After(ms(2500)))
	}
	switch r.IntN(10) {
	case 0: // leaves at any moment, early ones are likely
		who.Patience = time.Millisecond + ms(1+r.IntN(30_000))
	case 1:
		who.Script = append(who.Script, esltest.HangUp().When(esltest.Ringing).After(ms(2000)))
	case 2:
		who.Script = append(who.Script, esltest.HangUp().WhenPlaying("Nobody is there").After(ms(1000)))
	case 3, 4:
		who.Script = append(who.Script, esltest.HangUp().When(esltest.Bridged).After(ms(20_000)))
	default:
		who.Patience = 30*time.Second + ms(20_000)
	}
	if who.Patience == 0 {
		who.Patience = 50 * time.Second
	}
	return who
}

// crowd keeps so many calls going, each slot with callers of its own seed. What
// it returns lets the last ones finish.
func (w *world) crowd(population int) (disperse func()) {
	var stop atomic.Bool
	var slots sync.WaitGroup
	for i := range population {
		r := rand.New(rand.NewPCG(w.seed, uint64(i)))
		slots.Go(func() {
			for !stop.Load() {
				w.finish(w.place(caller(r)))
			}
		})
	}
	return func() {
		stop.Store(true)
		slots.Wait()
	}
}

func TestFiftyKillsUnderTwoHundredCalls(t *testing.T) {
	long(t, "servers killed at random moments under 200 calls are not tested")
	program, err := shipped()
	must(t, err)
	const population, kills = 200, 50
	w := newWorld(t, 5*time.Minute)
	a := w.newNode("a", program, "10s")
	w.open(60, a)
	a.start()
	began := time.Now()

	disperse := w.crowd(population)
	r := rand.New(rand.NewPCG(w.seed, population))
	var all []caught
	unwatched := 0
	for range kills {
		w.moments.wait(w.ctx, 1+r.IntN(1000))
		all = append(all, w.kill(a)...)
		present := w.present()
		for range r.IntN(5) {
			if len(present) > 0 {
				unwatched++
				present[r.IntN(len(present))].HangUp()
			}
		}
		w.moments.wait(w.ctx, 1+r.IntN(120)) // in vain: nobody listens
		a.start()
		if w.ctx.Err() != nil {
			w.fatalf("the kills take too long")
		}
	}
	killed := time.Since(began)
	disperse()
	w.settle()
	records := w.check(all)

	bridged, menu, resumed := 0, 0, 0
	for _, c := range all {
		if c.bridged {
			bridged++
		}
		if c.menu {
			menu++
		}
	}
	sources := map[string]int{}
	for _, rec := range records {
		for _, e := range rec.events {
			switch e.Type {
			case call.Resumed:
				resumed++
			case call.Ended:
				sources[e.Attrs["source"]]++
			}
		}
	}
	t.Logf("%d calls, %d kills in %v, all over after %v; at a kill %d calls were bridged and %d in the menu; %d takeovers, %d hung up while nobody listened; ends by source %v",
		len(w.calls), kills, killed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), bridged, menu, resumed, unwatched, sources)
	if bridged < kills || menu < kills || resumed < kills {
		t.Error("too little was going on for this to be a test")
	}
}
