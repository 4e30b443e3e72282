//go:build freeswitch

package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

func TestFactsOfGivingAway(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	t.Run("to an extension that is not ours", func(t *testing.T) {
		h := v.place(t, false)
		h.check(h.leg.Transfer(h.ctx, call.Extension{Number: "hookswitch-last-resort"}))
		h.done()
		h.check(h.a.awaitEnd(within(t, 20*time.Second)))
		if codes := h.a.codes(); codes[len(codes)-1] != 503 {
			t.Errorf("responses %v, want 503", codes)
		}
		<-h.leg.Ended()
		if end := h.leg.End(); !end.Complete || end.Cause != call.TemporaryFailure {
			t.Errorf("end %+v", end)
		}
	})
	t.Run("and back to us", func(t *testing.T) {
		h := v.place(t, true)
		first := h.leg
		h.check(first.Transfer(h.ctx, call.Extension{Number: "+15550099"}))
		h.done()
		h = h.verbs.next(t, h.a)
		if is := h.leg.Call(); is.Number != "+15550099" || h.leg.Epoch() != 2 || call.EpochOf(h.leg.Taken()) != 1 {
			t.Errorf("call %+v, epoch %d, taken %q", is, h.leg.Epoch(), h.leg.Taken())
		}
		h.check(h.leg.Play(h.ctx, h.prompt("tone:%(1000,0,440)")))
		select {
		case <-first.Context().Done():
		case <-within(t, 10*time.Second).Done():
			t.Error("the first connection still believes in itself")
		}
		if first.Successor() != "n1" || first.End().Known {
			t.Errorf("successor %q, end %+v", first.Successor(), first.End())
		}
		// Nothing disturbs the second one.
		h.check(h.leg.Wait(h.ctx, 2*time.Second, call.Prompt{}))
		h.check(h.leg.Play(h.ctx, h.prompt("tone:%(300,0,440)")))
		h.hungUp(h.leg.Hangup(h.ctx, call.NormalClearing))
		select {
		case again := <-v.legs:
			t.Errorf("a third connection, epoch %d", again.leg.Epoch())
			again.done()
		case <-h.leg.Ended():
		}
	})
	t.Run("the end of the first connection breaks off the second", func(t *testing.T) {
		// Why Leg.superseded leaves it open.
		h := v.place(t, true)
		first := h.leg
		h.check(first.Transfer(h.ctx, call.Extension{Number: "+15550099"}))
		h.done()
		h = h.verbs.next(t, h.a)
		played := make(chan error, 1)
		go func() { played <- h.leg.Play(h.ctx, h.prompt("tone:%(20000,0,440)")) }()
		h.check(h.a.awaitSound(h.ctx, 20))
		first.HandOver()
		if third := h.verbs.next(t, h.a); third.leg.Epoch() != 3 {
			t.Errorf("the third connection has epoch %d", third.leg.Epoch())
		}
		<-played
	})
}

func TestFactsOfRingback(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	tone := filepath.Join(v.sw.dir, "music", "tone.wav")
	for _, c := range []struct {
		name   string
		answer bool
		callee string
	}{{"answered caller, callee that does not even ring", true, "7010"}, {"unanswered caller, callee that rings", false, "7001"}} {
		for _, music := range []string{tone, "music:hold", "tone:%(200,100,440)"} {
			t.Run(c.name+", "+filepath.Base(music), func(t *testing.T) {
				h := v.place(t, c.answer)
				b := call.Bridge{Ring: 5 * time.Second, Ringback: h.prompt(music), Legs: []call.BridgeLeg{{UUID: call.LegUUID(h.leg.Call().ID, 1, 0), Target: "t",
					Address: call.Address{Number: c.callee, Gateway: "carrier"}}}}
				before := h.a.heardSoFar()
				r, err := h.leg.Bridge(h.ctx, b, call.Checkpoint{Epoch: 1, Node: "n1"}.String())
				h.check(err)
				if r.Cause != call.NoAnswer {
					t.Errorf("cause %s", r.Cause)
				}
				// Of 4 to 5 s; a sound of one second would be 50.
				if n := h.a.heardSoFar() - before; n < 110 {
					t.Errorf("heard in %d packets", n)
				}
				if !c.answer && !slices.Contains(h.a.codes(), 183) {
					t.Errorf("responses %v", h.a.codes())
				}
			})
		}
	}
}

func TestFactsOfUnwatchedBridges(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	bridge := func(t *testing.T, number string, max time.Duration) (*held, chan call.BridgeResult) {
		h := v.place(t, true)
		h.a.sing(true)
		b := call.Bridge{Ring: 10 * time.Second, MaxLength: max, Legs: []call.BridgeLeg{{UUID: call.LegUUID(h.leg.Call().ID, 1, 0), Target: "t",
			Address: call.Address{Number: number, Gateway: "carrier"}}}}
		result := make(chan call.BridgeResult, 1)
		go func() {
			r, _ := h.leg.Bridge(h.ctx, b, call.Checkpoint{Epoch: 1, Node: "n1"}.String())
			result <- r
		}()
		return h, result
	}
	for _, c := range []struct {
		name, number string
		max          time.Duration
		cause        call.Cause
	}{{"the callee hangs up", "7006", 0, call.NormalClearing}, {"the longest time", "7002", 3 * time.Second, call.AllottedTimeout}} {
		t.Run(c.name, func(t *testing.T) {
			_, result := bridge(t, c.number, c.max)
			watched := <-result
			h, _ := bridge(t, c.number, c.max)
			h.check(h.a.awaitSound(h.ctx, 20))
			h = h.lose()
			r, begun := h.leg.LastBridge()
			if !begun || r.Outcome != call.Completed || r.Cause != c.cause || watched.Cause != c.cause {
				t.Errorf("watched %+v, unwatched %+v %v", watched, r, begun)
			}
			between(t, "connected", r.Connected, 900*time.Millisecond, 5*time.Second)
		})
	}
}

func TestFactsOfResponses(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	for _, c := range []struct {
		name     string
		override string // what the leg says of sip_ignore_remote_cause; empty: as it leaves it
		sip      int
	}{{"of the cause", "", 503}, {"of the callee", "false", 486}} {
		t.Run(c.name, func(t *testing.T) {
			h := v.place(t, false)
			b := call.Bridge{Ring: 10 * time.Second, Legs: []call.BridgeLeg{{UUID: call.LegUUID(h.leg.Call().ID, 1, 0), Target: "t",
				Address: call.Address{Number: "7486", Gateway: "carrier"}}}}
			r, err := h.leg.Bridge(h.ctx, b, call.Checkpoint{Epoch: h.leg.Epoch(), Node: "n1"}.String())
			h.check(err)
			if r.Cause != call.UserBusy {
				t.Errorf("cause %s", r.Cause)
			}
			if c.override != "" {
				_, err := v.sw.api(h.ctx, "uuid_setvar "+h.leg.Call().ID+" sip_ignore_remote_cause "+c.override)
				h.check(err)
			}
			h.hungUp(h.leg.Hangup(h.ctx, call.TemporaryFailure))
			h.check(h.a.awaitEnd(within(t, 20*time.Second)))
			if codes := h.a.codes(); codes[len(codes)-1] != c.sip {
				t.Errorf("responses %v, want %d in the end", codes, c.sip)
			}
		})
	}
}
