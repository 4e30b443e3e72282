//go:build freeswitch

package e2e

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// pair is a lane of two servers on one PostgreSQL, of which the first takes every call
// while it lives.
func pair(t *testing.T) (*lane, store.Store) {
	t.Helper()
	l := newLaneOf(t, laneOptions{switches: 1, servers: 2, flows: flows(t, "campaigns.yaml"), database: storetest.Database(t)})
	return l, l.servers[0].openStore(t, within(t, 2*time.Minute))
}

// takenOver waits until the second server has taken a call over.
func (l *lane) takenOver(t *testing.T, ctx context.Context, a *sipCall) {
	t.Helper()
	_, err := l.awaitEvent(ctx, a, "takeover", func(e call.Event) bool { return e.Type == call.Resumed && e.Node == "node2" })
	if err != nil {
		t.Fatal(err)
	}
}

// heardRinging waits until the server has told that the target rings.
func (l *lane) heardRinging(t *testing.T, ctx context.Context, a *sipCall) {
	t.Helper()
	if _, err := l.awaitEvent(ctx, a, "ringing", func(e call.Event) bool { return e.Type == call.TargetRinging }); err != nil {
		t.Fatal(err)
	}
}

// awaitFree waits until no slot is in use, and returns how long that took.
func awaitFree(t *testing.T, ctx context.Context, db store.Store) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		used, err := db.Slots(ctx, store.IdleQuery{Limit: 10})
		if err == nil && len(used) == 0 {
			return time.Since(began)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("slots are in use still: %+v, %v", used, err)
		}
	}
}

// The server that dialled is killed while two people talk. Their target stays taken for
// calls through the other server, and is free as soon as they have hung up.
func TestSlotOfADeadServer(t *testing.T) {
	t.Parallel()
	l, db := pair(t)
	for _, who := range []string{"caller", "callee"} {
		l.Run("the "+who+" hangs up", func(t *testing.T) {
			ctx := within(t, time.Minute)
			a := l.call(t, "+15550206")
			b := l.connect(t, ctx, a, "7010")
			l.servers[0].kill()

			second := l.call(t, "+15550206")
			c := l.record(t, ctx, db, "acme", second, store.Complete)
			checkLegs(t, c, second)
			checkWhyNot(t, c, map[string]string{"t7010-single": "concurrency: 1 of 1"})
			if c.Node != "node2" {
				t.Errorf("the second call was on %s", c.Node)
			}
			if used, err := db.Slots(ctx, store.IdleQuery{Limit: 10}); err != nil || len(used) != 1 || a.hasEnded() || b.hasEnded() {
				t.Fatalf("slots %+v, %v; ended: caller %v, callee %v", used, err, a.hasEnded(), b.hasEnded())
			}

			if who == "caller" {
				a.hangup()
			} else {
				b.hangup()
			}
			bound, cancel := context.WithTimeout(ctx, 5*time.Second) // a sweep would need 30 s
			defer cancel()
			t.Logf("the %s hung up: the slot was free after %v", who, awaitFree(t, bound, db))
			third := l.call(t, "+15550206")
			l.connect(t, ctx, third, "7010").hangup()
			checkDialled(t, l.record(t, ctx, db, "acme", third, store.Complete), leg{"t7010-single", call.NormalClearing, 16})

			l.must(l.servers[0].start(ctx, ""))
			c = l.record(t, ctx, db, "acme", a, store.Complete)
			checkLegs(t, c, a, b)
			checkDialled(t, c, leg{"t7010-single", call.NormalClearing, 16})
		})
	}
}

// A server that is killed in the middle of a plan is followed by another one, which goes
// on with the order that was chosen and dials nobody twice. The record lacks what only the dead
// one knew until it is back, and nothing then.
func TestPlanOfADeadServer(t *testing.T) {
	t.Parallel()
	l, db := pair(t)
	for _, c := range []struct {
		name string
		play func(t *testing.T, ctx context.Context, a *sipCall) // kills the first server, and hangs up in the end
		legs []leg
		why  map[string]string
	}{
		{"while the first target rings", func(t *testing.T, ctx context.Context, a *sipCall) {
			first := l.callees(t, ctx, a, "7010")[0]
			first.ring()
			l.heardRinging(t, ctx, a)
			l.servers[0].kill()
			first.refuse(486)
			l.takenOver(t, ctx, a)
			l.connect(t, ctx, a, "7011").hangup()
		}, []leg{{"t7010", call.UserBusy, 17}, {"t7011", call.NormalClearing, 16}}, map[string]string{"t7006": "not_reached: t7011 took the call"}},
		{"while the second target talks", func(t *testing.T, ctx context.Context, a *sipCall) {
			l.callees(t, ctx, a, "7010")[0].refuse(603)
			second := l.connect(t, ctx, a, "7011")
			l.servers[0].kill()
			second.hangup()
			l.takenOver(t, ctx, a)
		}, []leg{{"t7010", call.CallRejected, 21}, {"t7011", call.NormalClearing, 16}}, map[string]string{"t7006": "not_reached: t7011 took the call"}},
		{"while the first target rings, and the caller gives up", func(t *testing.T, ctx context.Context, a *sipCall) {
			l.callees(t, ctx, a, "7010")[0].ring()
			l.heardRinging(t, ctx, a)
			l.servers[0].kill()
			a.hangup()
		}, []leg{{"t7010", call.OriginatorCancel, 487}}, nil},
		{"while the first target rings, who answers, and the caller hangs up", func(t *testing.T, ctx context.Context, a *sipCall) {
			first := l.callees(t, ctx, a, "7010")[0]
			first.ring()
			l.heardRinging(t, ctx, a)
			l.servers[0].kill()
			first.answer()
			a.sing(true)
			if err := errors.Join(a.awaitSound(ctx, 50), first.awaitSound(ctx, 50)); err != nil {
				t.Fatal(err)
			}
			a.hangup()
		}, []leg{{"t7010", call.NormalClearing, 16}}, nil},
		{"while the second target talks, and the caller hangs up", func(t *testing.T, ctx context.Context, a *sipCall) {
			l.callees(t, ctx, a, "7010")[0].refuse(603)
			l.connect(t, ctx, a, "7011")
			l.servers[0].kill()
			a.hangup()
		}, []leg{{"t7010", call.CallRejected, 21}, {"t7011", call.NormalClearing, 16}}, nil},
	} {
		l.Run(c.name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			a := l.call(t, "+15550205")
			c.play(t, ctx, a)
			if err := a.awaitEnd(ctx); err != nil {
				t.Fatal(err)
			}
			if c.why != nil { // the second server tells of the end
				l.record(t, ctx, db, "acme", a, store.Settling)
			}
			l.must(l.servers[0].start(ctx, ""))
			r := l.record(t, ctx, db, "acme", a, store.Complete)
			checkLegs(t, r, a, slices.Concat(l.incomingFrom("7010", a.from), l.incomingFrom("7011", a.from))...)
			checkDialled(t, r, c.legs...)
			why := map[string]string{"t7006-closed": "closed: "}
			for target, reason := range c.why {
				why[target] = reason
			}
			checkWhyNot(t, r, why)
			if r.Campaign != "by-hand" || r.Mode != "routing_plan" {
				t.Errorf("campaign %q in mode %q", r.Campaign, r.Mode)
			}
			last := r.Legs[len(r.Legs)-1]
			if met := last.Connected != nil; met != (r.Target == last.Target) || met != (r.Talked > 0) || met != (last.Cause == call.NormalClearing) {
				t.Errorf("connected %q for %v; the last leg: %+v", r.Target, r.Talked.Duration(), last)
			}
		})
	}
}
