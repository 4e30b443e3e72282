//go:build freeswitch

package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// TestCDRsOfLegs compares the record of a call with what its callees saw.
func TestCDRsOfLegs(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	check := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// record returns a call's record. Its B legs must have been sent as the phone got them.
	record := func(t *testing.T, ctx context.Context, a *sipCall, callees ...*sipCall) *store.Call {
		t.Helper()
		c := store.Project(l.finish(t, ctx, a))
		checkLegs(t, c, a, callees...)
		return c
	}

	l.Run("busy, rejected, answered", func(t *testing.T) {
		ctx := within(t, 40*time.Second)
		a := l.call(t, "+15550002")
		a.sing(true)
		check(t, a.awaitEnd(ctx))
		var callees []*sipCall
		for _, number := range []string{"7486", "7603", "7006"} {
			b, err := l.phone.awaitIncoming(ctx, number, a.from)
			check(t, err)
			callees = append(callees, b)
		}
		c := record(t, ctx, a, callees...)
		for i, want := range []struct {
			cause call.Cause
			q850  int
		}{{call.UserBusy, 17}, {call.CallRejected, 21}, {call.NormalClearing, 16}} {
			leg := c.Legs[i+1]
			if leg.Cause != want.cause || leg.Q850 != want.q850 || leg.Ended == nil || (leg.Billed > 0) != (i == 2) {
				t.Errorf("leg %d: %+v, want %s", i+1, leg, want.cause)
			}
		}
		if won := c.Legs[3]; won.Connected == nil || c.Target != won.Target {
			t.Errorf("connected with %q at %v", c.Target, won.Connected)
		}
		near(t, "billed to the last leg", c.Legs[3].Billed, c.Talked.Duration())
	})
	for _, who := range []string{"callee", "caller"} {
		l.Run("whispered to, and the "+who+" hangs up", func(t *testing.T) {
			ctx := within(t, 40*time.Second)
			a := l.call(t, "+15550010")
			b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
			check(t, err)
			b.answer()
			answered := time.Now()
			check(t, b.awaitSound(ctx, 20))
			check(t, a.awaitSound(ctx, 20))
			if who == "callee" {
				b.hangup()
			} else {
				a.hangup()
			}
			check(t, b.awaitEnd(ctx))
			lasted := time.Since(answered)
			c := record(t, ctx, a, b)
			near(t, "billed to the callee", c.Legs[1].Billed, lasted)
			if c.Talked >= c.Legs[1].Billed {
				t.Errorf("talked for %v of %v, want less by the whisper", c.Talked.Duration(), c.Legs[1].Billed.Duration())
			}
		})
	}
	for _, who := range []string{"callee", "caller"} {
		l.Run("two ring, one answers, the "+who+" hangs up", func(t *testing.T) {
			ctx := within(t, 40*time.Second)
			a := l.call(t, "+15550007")
			a.sing(true)
			loser, err := l.phone.awaitIncoming(ctx, "7001", a.from)
			check(t, err)
			check(t, loser.awaitEnd(ctx))
			if who == "caller" {
				check(t, a.awaitSound(ctx, 20))
				a.hangup()
			}
			check(t, a.awaitEnd(ctx))
			events := l.finish(t, ctx, a)
			c := store.Project(events)
			failed := slices.IndexFunc(events, func(e call.Event) bool { return e.Type == call.TargetFailed && e.Target == "t7001" })
			lost := slices.IndexFunc(c.Legs, func(l store.Leg) bool { return l.Target == "t7001" })
			if failed < 0 || lost < 0 {
				t.Fatalf("nothing is told of t7001:%s", timeline(events))
			}
			if leg := c.Legs[lost]; leg.Cause != call.LoseRace || leg.SIPCallID != loser.id || leg.Billed != 0 || leg.Ended == nil || !leg.Ended.Before(*c.Ended) {
				t.Errorf("the leg that lost: %+v", leg)
			}
		})
	}
}
