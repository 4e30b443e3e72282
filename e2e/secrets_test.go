//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// secret asks for eight digits as a node would.
func secret(h *held) call.Gather {
	return call.Gather{Prompt: h.prompt("tone:%(3000,0,440)"), Min: 8, Max: 8, Timeout: 5 * time.Second, Between: 3 * time.Second,
		Terminators: "#", Secret: true}
}

// Of the switch's events two hold the digits, and must: the end of what gathered
// them, and the beginning of the command that wipes them out.
func mayHold(e event) bool {
	return e.name() == "CHANNEL_EXECUTE_COMPLETE" && e.get("Application") == "play_and_get_digits" ||
		e.name() == "CHANNEL_EXECUTE" && e.get("Application") == "unset"
}

// traces returns where the digits are found besides: events of the switch, and
// files of its log and its records.
func (v *verbs) traces(t *testing.T, all *control, digits string) (found []string) {
	t.Helper()
	all.mu.Lock()
	for _, e := range all.events {
		for name, value := range e.header {
			if strings.Contains(value, digits) && !mayHold(e) {
				found = append(found, fmt.Sprintf("%s %s: %s", e.name(), e.get("Application"), name))
			}
		}
		if e.name() == "DTMF" {
			found = append(found, "DTMF "+e.get("DTMF-Digit"))
		}
	}
	all.mu.Unlock()
	err := filepath.WalkDir(filepath.Join(v.sw.dir, "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.SplitSeq(string(text), "\n") {
			if strings.Contains(line, digits) || strings.Contains(line, "DTMF") {
				found = append(found, filepath.Base(path)+": "+line[:min(len(line), 200)])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFactsOfSecrets(t *testing.T) {
	t.Parallel()
	for _, fact := range []struct {
		name string
		f    func(t *testing.T, h *held)
		held bool // the digits were gathered, so that two events hold them
	}{
		{"gathered", func(t *testing.T, h *held) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, "98765432") }()
			d, err := h.leg.Gather(h.ctx, secret(h))
			h.check(err)
			if d.Value != "98765432" {
				t.Errorf("gathered %q", d.Value)
			}
			h.check(h.a.press(h.ctx, "#")) // what comes after it is no business of the log either
			h.check(h.leg.Wait(h.ctx, 500*time.Millisecond, call.Prompt{}))
			h.check(h.leg.Play(h.ctx, h.prompt("tone:%(100,0,440)")))
		}, true},
		{"the caller hangs up just then", func(t *testing.T, h *held) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, "98765432"); h.a.hangup() }()
			h.leg.Gather(h.ctx, secret(h))
		}, true},
		{"the caller hangs up in the middle", func(t *testing.T, h *held) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, "9876543"); h.a.hangup() }()
			_, err := h.leg.Gather(h.ctx, secret(h))
			h.hungUp(err)
		}, true},
		{"we are dead when they are there", func(t *testing.T, h *held) {
			go func() {
				ctx := within(t, time.Minute)
				h.a.awaitSound(ctx, 10)
				h.a.press(ctx, "9876543")
				h.leg.HandOver()
				h.a.press(ctx, "2")
			}()
			h.leg.Gather(h.ctx, secret(h))
			h.done()
			next := h.verbs.next(t, h.a)
			next.check(next.leg.Play(next.ctx, next.prompt("tone:%(100,0,440)")))
		}, false},
	} {
		t.Run(fact.name, func(t *testing.T) {
			t.Parallel()
			v := newVerbs(t, "") // as it is shipped
			ctx := within(t, 2*time.Minute)
			all, err := v.sw.watch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer all.close()
			if _, err := all.command(ctx, "event plain ALL"); err != nil {
				t.Fatal(err)
			}
			h := v.place(t, true)
			fact.f(t, h)
			h.a.hangup()
			ended, err := all.await(ctx, "the end", func(e event) bool { return e.name() == "CHANNEL_DESTROY" })
			if err != nil {
				t.Fatal(err)
			}
			s := &stand{sw: v.sw}
			s.cdr(&one{T: t, ctx: ctx, c: &control{vars: ended}})
			for _, where := range v.traces(t, all, "987654") {
				t.Error(where)
			}
			all.mu.Lock()
			holds := slices.ContainsFunc(all.events, func(e event) bool { return strings.Contains(e.value("hookswitch_digits"), "987654") })
			all.mu.Unlock()
			if fact.held && !holds {
				t.Error("no event held the digits: were they pressed?")
			}
		})
	}
}

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
		third := h.verbs.next(t, h.a)
		t.Logf("a third connection, epoch %d", third.leg.Epoch())
		<-played
	})
}

func TestFactsOfRingback(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "debug")
	tone := filepath.Join(v.sw.dir, "music", "tone.wav")
	for _, answered := range []bool{true, false} {
		for _, music := range []string{tone, "music:hold", "tone:%(200,100,440)"} {
			t.Run(fmt.Sprintf("%s, answered %v", filepath.Base(music), answered), func(t *testing.T) {
				h := v.place(t, answered)
				b := call.Bridge{Ring: 5 * time.Second, Ringback: h.prompt(music), Legs: []call.BridgeLeg{{UUID: call.LegUUID(h.leg.Call().ID, 1, 0), Target: "t",
					Address: call.Address{Number: "7001", Gateway: "carrier"}}}}
				before := h.a.heardSoFar()
				ctx, cancel := context.WithCancel(h.ctx)
				defer cancel()
				began := time.Now()
				var first time.Duration
				go func() {
					if h.a.awaitSound(ctx, 1) == nil {
						first = time.Since(began)
					}
				}()
				r, err := h.leg.Bridge(h.ctx, b, call.Checkpoint{Epoch: 1, Node: "n1"}.String())
				h.check(err)
				t.Logf("%v after %v: heard %d packets, first after %v, gap %v, responses %v", r.Cause, time.Since(began), h.a.heardSoFar()-before, first, h.a.silence(), h.a.codes())
				if r.Cause != call.NoAnswer {
					t.Errorf("cause %s", r.Cause)
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
			t.Logf("watched %+v, unwatched %+v", watched, r)
			if !begun || r.Outcome != call.Completed || r.Cause != c.cause || watched.Cause != c.cause {
				t.Errorf("watched %+v, unwatched %+v %v", watched, r, begun)
			}
			between(t, "connected", r.Connected, 900*time.Millisecond, 5*time.Second)
		})
	}
}
