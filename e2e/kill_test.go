//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// kills is how often the server is killed in each state.
const kills = 20

// goOn brings a call from its state to its end, as if nothing had happened, and
// returns how long a call in a menu or a prompt waited for it.
func goOn(ctx context.Context, state state, l *lane, a, b *sipCall) (waited time.Duration, err error) {
	began := time.Now()
	if b != nil {
		if b.hasEnded() || a.hasEnded() {
			return 0, fmt.Errorf("%s: disturbed by the kill: caller ended %v, callee ended %v", state.name, a.hasEnded(), b.hasEnded())
		}
		b.answer() // nothing if it has
		if err := a.awaitAnswer(ctx); err != nil {
			return 0, err
		}
		if err := a.awaitSound(ctx, 20); err != nil {
			return 0, err
		}
		if a.hasEnded() || b.hasEnded() {
			return 0, fmt.Errorf("%s: ended: caller %v, callee %v", state.name, a.hasEnded(), b.hasEnded())
		}
		b.hangup()
		if err := b.awaitEnd(ctx); err != nil {
			return 0, err
		}
		began = time.Now()
	}
	switch state.number {
	case "+15550001":
		if err := a.awaitSound(ctx, 5); err != nil {
			return 0, err
		}
		waited = time.Since(began)
		if err := a.press(ctx, "2"); err != nil {
			return 0, err
		}
		return waited, a.awaitEnd(ctx)
	case "+15550013":
		if err := a.awaitSound(ctx, 5); err != nil {
			return 0, err
		}
		waited = time.Since(began)
		a.hangup()
		return waited, a.awaitEnd(ctx)
	}
	return 0, a.awaitEnd(ctx)
}

// TestKill kills the server while calls are in every state, at once.
func TestKill(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	worst := map[string]time.Duration{}
	for round := range kills {
		ctx := within(t, 40*time.Second)
		var wg sync.WaitGroup
		errs := make([]error, len(states))
		calls := make([][2]*sipCall, len(states))
		for i, state := range states {
			a := l.call(t, state.number)
			wg.Go(func() {
				b, err := state.reach(ctx, l, a)
				calls[i], errs[i] = [2]*sipCall{a, b}, err
			})
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Fatalf("round %d: %s was not reached: %v", round, states[i].name, err)
			}
		}
		l.servers[0].kill()
		l.must(l.servers[0].start(ctx, ""))
		waits := make([]time.Duration, len(states))
		for i, state := range states {
			wg.Go(func() { waits[i], errs[i] = goOn(ctx, state, l, calls[i][0], calls[i][1]) })
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("round %d: %s: %v", round, states[i].name, err)
			}
			worst[states[i].name] = max(worst[states[i].name], waits[i])
		}
	}
	t.Logf("%d kills in each state; longest wait after the restart: %v", kills, worst)
	if worst["menu"] > time.Second {
		t.Errorf("a call in a menu waited %v for its restarted server, more than 1s", worst["menu"])
	}
}

// TestCrash has the server die at exact points of a call, and be started again
// at once as a supervisor would.
func TestCrash(t *testing.T) {
	for _, point := range []string{"accept", "connect", "save.before", "save.after", "save.before:2", "save.after:2",
		"bridge.before", "bridge.committed", "bridge.sent", "bridge.done", "bridge.before:2", "bridge.committed:2", "bridge.sent:2", "bridge.done:2"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, 1, 1)
			for round := range kills {
				ctx := within(t, 40*time.Second)
				l.servers[0].kill()
				l.must(l.servers[0].start(ctx, point))
				if err := l.crashOnce(t, ctx); err != nil {
					t.Errorf("round %d: %v\n%v", round, err, l.calls[len(l.calls)-1].history())
				}
			}
		})
	}
}

// crashOnce places a call through menu, busy target and answering target on a
// server that will die on the way.
func (l *lane) crashOnce(t *testing.T, ctx context.Context) error {
	s := l.servers[0]
	dead := s.dead()
	restarted := make(chan error, 1)
	go func() {
		select {
		case <-dead:
			restarted <- s.start(ctx, "")
		case <-ctx.Done():
			restarted <- fmt.Errorf("the server did not die: %w", ctx.Err())
		}
	}()
	a := l.call(t, "+15550001")
	b, err := l.choose(ctx, a)
	if err != nil {
		return err
	}
	b.ring()
	b.answer()
	if err := a.awaitSound(ctx, 20); err != nil {
		return err
	}
	if a.hasEnded() || b.hasEnded() {
		return fmt.Errorf("not connected: caller %v, callee %v", a.codes(), b.codes())
	}
	b.hangup()
	if err := <-restarted; err != nil {
		return err
	}
	if err := a.awaitEnd(ctx); err != nil {
		return err
	}
	if _, err := l.awaitEvent(ctx, a, "end", func(e call.Event) bool { return e.Type == call.Ended }); err != nil {
		return err
	}
	all, err := l.events()
	if err != nil {
		return err
	}
	events := all[a.from]
	if n := count(events, call.Ended); n != 1 {
		return fmt.Errorf("%d ends:%s", n, timeline(events))
	}
	if n := len(l.incomingFrom("7486", a.from)); n != 1 {
		return fmt.Errorf("the busy target was dialled %d times:%s", n, timeline(events))
	}
	return nil
}

// choose presses 1 whenever the menu is heard, until the callee is called.
func (l *lane) choose(ctx context.Context, a *sipCall) (*sipCall, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		// Half a second of the tone after a key means that the menu began again.
		for a.awaitSound(ctx, 25) == nil && a.press(ctx, "1") == nil {
		}
	}()
	return l.phone.awaitIncoming(ctx, "7010", a.from)
}

func (l *lane) incomingFrom(number, from string) (calls []*sipCall) {
	for _, c := range l.phone.incoming(number) {
		if c.from == from {
			calls = append(calls, c)
		}
	}
	return calls
}

// TestNobody has callers and callees hang up while no server is there.
func TestNobody(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	ctx := within(t, time.Minute)
	var wg sync.WaitGroup
	for _, state := range states {
		a := l.call(t, state.number)
		wg.Go(func() {
			if _, err := state.reach(ctx, l, a); err != nil {
				t.Errorf("%s: %v", state.name, err)
			}
		})
	}
	wg.Wait()
	l.servers[0].kill()
	for _, a := range l.calls {
		a.hangup()
	}
	for _, a := range l.calls {
		if err := a.awaitEnd(ctx); err != nil {
			t.Error(err)
		}
	}
	l.must(l.switches[0].awaitEmpty(ctx))
	l.must(l.servers[0].start(ctx, ""))
	// settleUp waits for one end of each.
}

// TestTwoServers kills each of two servers in turn under a call.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 2)
	ctx := within(t, time.Minute)
	a := l.call(t, "+15550001")
	l.must(a.awaitSound(ctx, 10))
	a.silence()
	for i := range 6 {
		s := l.servers[i%2]
		s.kill()
		_, err := l.awaitEvent(ctx, a, "takeover", func(e call.Event) bool { return e.Type == call.Resumed && e.Epoch == i+2 })
		l.must(err)
		l.must(a.awaitSound(ctx, 5))
		l.must(s.start(ctx, ""))
	}
	t.Logf("the longest silence until the other server went on: %v", a.silence())
	l.must(a.press(ctx, "2"))
	wantExits(t, l.finish(t, ctx, a), "choose/2 bye/")
}

// TestTwoSwitches has one server control calls of two switches.
func TestTwoSwitches(t *testing.T) {
	t.Parallel()
	l := newLane(t, 2, 1)
	ctx := within(t, time.Minute)
	var calls []*sipCall
	for i := range 6 {
		calls = append(calls, l.callVia(t, l.switches[i%2], "+15550001"))
	}
	for _, a := range calls {
		l.must(a.awaitAnswer(ctx))
	}
	l.servers[0].kill()
	l.must(l.servers[0].start(ctx, ""))
	for _, a := range calls {
		l.must(a.awaitSound(ctx, 10))
		l.must(a.press(ctx, "2"))
		wantExits(t, l.finish(t, ctx, a), "choose/2 bye/")
	}
}

// TestLastResort has calls wait for servers that never come.
func TestLastResort(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	l.servers[0].kill()
	ctx := within(t, time.Minute)
	began := time.Now()
	a := l.call(t, "+15550001")
	l.must(a.awaitCode(ctx, 180))
	if d := time.Since(began); d > time.Second {
		t.Errorf("the caller heard nothing for %v", d)
	}
	gone := l.call(t, "+15550001")
	l.must(gone.awaitCode(ctx, 180))
	gone.hangup()
	l.must(gone.awaitEnd(ctx))
	l.must(a.awaitEnd(ctx))
	if d := time.Since(began); d < 29*time.Second || d > 35*time.Second {
		t.Errorf("the last resort came after %v, want 30s", d)
	}
	if codes := a.codes(); codes[len(codes)-1] != 503 {
		t.Errorf("responses %v, want 503 at the end", codes)
	}
	l.calls = nil // no server knew of them
}
