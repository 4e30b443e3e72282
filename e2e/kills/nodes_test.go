package kills

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

func TestTwoNodesInTurn(t *testing.T) {
	long(t, "two nodes that die in turn are not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	w := newWorld(t, 3*time.Minute)
	a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	w.open(60, a, b)
	a.start()
	b.start()

	const population = 40
	disperse := w.crowd(population)
	r := rand.New(rand.NewPCG(w.seed, population))
	var all []caught
	for i := range 10 {
		first, second := a, b
		if i%2 == 1 {
			first, second = b, a
		}
		w.moments.wait(w.ctx, 1+r.IntN(600))
		all = append(all, w.kill(first)...)
		w.moments.wait(w.ctx, 1+r.IntN(400))
		if i%5 == 4 { // both at once
			all = append(all, w.kill(second)...)
			for _, k := range w.present()[:3] {
				k.HangUp()
			}
			w.moments.wait(w.ctx, 1+r.IntN(50))
			second.start()
		}
		first.start()
	}
	disperse()
	w.settle()
	records := w.check(all)

	moved, told := 0, 0
	for id, rec := range records {
		i := slices.IndexFunc(rec.events, func(e call.Event) bool { return e.Type == call.Ended })
		if i < 0 {
			continue
		}
		for _, n := range w.nodes {
			h := w.diary[n]
			h.mu.Lock()
			last, known := h.last[id]
			h.mu.Unlock()
			if !known || n.name == rec.events[i].Node {
				continue
			}
			moved++
			if last != call.Taken {
				t.Errorf("call %s ended at %s, the last word of %s is %s", id, rec.events[i].Node, n.name, last)
			} else {
				told++
			}
		}
	}
	t.Logf("%d calls, %d of them moved between the servers", len(w.calls), moved)
	if told < 10 {
		t.Error("too few calls moved for this to be a test")
	}
}

// A server that is asked to end takes no new calls, and brings its calls to
// their end.
func TestDrainedServerLeavesNewCallsToTheNext(t *testing.T) {
	t.Parallel()
	program, err := shipped()
	must(t, err)
	w := newWorld(t, time.Minute)
	a, b := w.newNode("a", program, "1m"), w.newNode("b", program, "1m")
	w.open(60, a, b)
	a.start()
	b.start()
	menu := w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("1").WhenPlaying("Welcome").After(2500 * time.Millisecond)}})
	talk := w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("2").WhenPlaying("Welcome"), esltest.HangUp().When(esltest.Bridged).After(20 * time.Second)}})
	w.diary[a].until("nobody talks", func(h *history) bool { return h.last[talk.UUID] == call.Connected })
	w.drain(a)
	fresh := w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("5").WhenPlaying("Welcome")}})
	for _, k := range []*esltest.Call{menu, talk, fresh} {
		w.finish(k)
	}
	<-a.exited
	if !a.state.Success() {
		t.Errorf("the drained server ended with %v", a.state)
	}
	w.settle()
	w.check(nil)
	for _, k := range []*esltest.Call{menu, talk} {
		if r := k.Result(); !slices.Equal(r.Sockets, []string{a.fresh}) {
			t.Errorf("a call of before was controlled by %q, want only %s", r.Sockets, a.fresh)
		}
	}
	if r := fresh.Result(); !slices.Equal(r.Sockets, []string{b.fresh}) {
		t.Errorf("the new call was controlled by %q, want only %s", r.Sockets, b.fresh)
	}
	if len(talk.Result().Talked) != 1 || len(menu.Result().Talked) != 1 {
		t.Errorf("talked: %+v, %+v", talk.Result().Talked, menu.Result().Talked)
	}
}

// What is left when the time is over goes on at the next server.
func TestDrainedServerHandsOver(t *testing.T) {
	t.Parallel()
	program, err := shipped()
	must(t, err)
	w := newWorld(t, time.Minute)
	a, b := w.newNode("a", program, "500ms"), w.newNode("b", program, "1m")
	w.open(60, a, b)
	a.start()
	var menus, talks []*esltest.Call
	for range 5 {
		menus = append(menus, w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("9").WhenPlaying("Welcome").After(2900 * time.Millisecond)}}))
		talks = append(talks, w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("2").WhenPlaying("Welcome"), esltest.HangUp().When(esltest.Bridged).After(25 * time.Second)}}))
	}
	rings := w.place(esltest.Caller{Script: []esltest.Act{esltest.Press("1").WhenPlaying("Welcome")}})
	for _, k := range talks {
		w.diary[a].until("nobody talks", func(h *history) bool { return h.last[k.UUID] == call.Connected })
	}
	b.start()
	// These hear the menu for the first time as it is to be left.
	for range 5 {
		menus = append(menus, w.place(esltest.Caller{}))
	}
	for _, k := range menus[5:] {
		w.diary[a].until("no menu", func(h *history) bool { return h.last[k.UUID] != "" })
	}
	w.drain(a)
	<-a.exited
	at := time.Now()
	if !a.state.Success() {
		t.Errorf("the drained server ended with %v", a.state)
	}
	var all []caught
	for _, k := range w.present() {
		if r := k.Result(); r.Cause == "" {
			all = append(all, caught{k, at, at, len(r.Sockets), isBridged(r), false})
		}
	}
	for _, k := range w.present() {
		w.finish(k)
	}
	a.start() // to say what it knows
	w.settle()
	records := w.check(all)
	for _, k := range talks {
		if r := k.Result(); len(r.Talked) != 1 || r.Talked[0].For < 25*time.Second/speed || r.By != "caller" {
			t.Errorf("a bridge was disturbed: %+v", r)
			w.history(k.UUID)
		}
	}
	for _, k := range menus[5:] {
		onB := slices.ContainsFunc(records[k.UUID].events, func(e call.Event) bool {
			return e.Type == call.Resumed && e.Node == "b" && e.Step == "menu"
		})
		bye := slices.ContainsFunc(records[k.UUID].events, func(e call.Event) bool { return e.Step == "bye" && e.Node == "b" })
		if !onB || !bye {
			t.Errorf("a menu did not go on at the next server")
			w.history(k.UUID)
		}
	}
	if len(rings.Result().Talked) != 1 {
		t.Errorf("who was dialled for was not connected: %+v", rings.Result())
		w.history(rings.UUID)
	}
}
