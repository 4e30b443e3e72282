//go:build freeswitch

package e2e

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
)

// verbs is a switch whose calls are given to the test as legs of eslctl.
type verbs struct {
	*testing.T
	phone *phone
	sw    *freeswitch
	legs  chan *held
}

// held is a call in the hands of a test.
type held struct {
	*testing.T
	*verbs
	ctx  context.Context
	leg  *eslctl.Leg
	a    *sipCall
	let  chan struct{} // closed when the test is done with the leg
	once sync.Once

	mu   sync.Mutex
	told []call.Event
}

func newVerbs(t *testing.T, logLevel string) *verbs {
	v := &verbs{T: t, legs: make(chan *held, 10)}
	var err error
	if v.phone, err = newPhone(callee); err != nil {
		t.Fatal(err)
	}
	listening := make(chan struct{})
	server := &eslctl.Server{
		Address: "127.0.0.1:0", Takeover: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Settings:  eslctl.Settings{Engine: "flite", Voice: "slt", Profile: "external", LastResort: "hookswitch-last-resort"},
		Listening: func() { close(listening) },
		Ended:     func(*eslctl.Leg, eslctl.End) {},
		Problem:   func(peer string, err error) { t.Errorf("%s: %v", peer, err) },
		Handler: func(ctx context.Context, leg *eslctl.Leg) {
			h := &held{verbs: v, ctx: ctx, leg: leg, let: make(chan struct{})}
			leg.Notify(func(e call.Event) {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.told = append(h.told, e)
			})
			v.legs <- h
			<-h.let
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	<-listening
	nodes, takeover := server.Addresses()
	if v.sw, err = startSwitch(within(t, 3*time.Minute), freeswitchBinary, confDir, switchOptions{
		nodes: nodes, takeover: takeover, callees: v.phone.addr, logLevel: logLevel}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.sw.stop()
		cancel()
		<-served
		v.phone.close()
		if !t.Failed() {
			os.RemoveAll(v.sw.dir)
		}
	})
	return v
}

// place makes a call and takes control of it.
func (v *verbs) place(t *testing.T, answer bool) *held {
	t.Helper()
	a, err := v.phone.call(v.sw.sip, "+15550001", factCaller)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.hangup)
	h := v.next(t, a)
	if answer {
		h.check(h.leg.Answer(h.ctx))
	}
	return h
}

// next takes the next connection of the call.
func (v *verbs) next(t *testing.T, a *sipCall) *held {
	t.Helper()
	select {
	case h := <-v.legs:
		h.T, h.a = t, a
		t.Cleanup(h.done)
		h.check(h.leg.Save(h.ctx, call.Checkpoint{Epoch: h.leg.Epoch(), Node: "n1"}.String()))
		return h
	case <-time.After(40 * time.Second):
		t.Fatal("no connection from FreeSWITCH")
		return nil
	}
}

// done lets the handler return.
func (h *held) done() { h.once.Do(func() { close(h.let) }) }

// lose ends the connection as our death would, and takes the next one.
func (h *held) lose() *held {
	h.T.Helper()
	h.leg.HandOver()
	h.done()
	return h.verbs.next(h.T, h.a)
}

func (h *held) check(err error) {
	h.T.Helper()
	if err != nil {
		h.T.Fatal(err)
	}
}

func (h *held) hungUp(err error) {
	h.T.Helper()
	if c := (*call.HungUp)(nil); !errors.As(err, &c) {
		h.T.Errorf("ended with %v, not with the hangup", err)
	}
}

func (h *held) prompt(s string) call.Prompt {
	h.T.Helper()
	p, err := call.ParsePrompt(s)
	h.check(err)
	return p
}

// file is where something may be recorded, and how long it is.
func (h *held) file(name string) (path string, length func() time.Duration) {
	path = filepath.Join(h.sw.dir, "recordings", name)
	return path, func() time.Duration {
		info, err := os.Stat(path)
		if err != nil {
			return -1
		}
		return time.Duration(info.Size()-44) * time.Second / 16000
	}
}

// troubles are the faults that Notify was told.
func (h *held) troubles() (why []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.told {
		if e.Type == call.FlowError {
			why = append(why, e.Why)
		}
	}
	return why
}

func between(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s: %v, want %v to %v", what, got, least, most)
	}
}

// took is how long f takes.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func TestFactsOfHolding(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	tone := filepath.Join(v.sw.dir, "music", "tone.wav")
	for _, fact := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"waiting in silence, before the answer too, ends with the call", func(t *testing.T) {
			for _, answer := range []bool{false, true} {
				h := v.place(t, answer)
				between(t, "waited", took(func() { h.check(h.leg.Wait(h.ctx, time.Second, call.Prompt{})) }), time.Second, 3*time.Second)
				time.AfterFunc(500*time.Millisecond, h.a.hangup)
				between(t, "until the hangup", took(func() { h.hungUp(h.leg.Wait(h.ctx, time.Hour, call.Prompt{})) }),
					500*time.Millisecond, 5*time.Second)
			}
		}},
		{"digits of a wait are lost", func(t *testing.T) {
			h := v.place(t, true)
			go h.a.press(h.ctx, "12")
			h.check(h.leg.Wait(h.ctx, 1500*time.Millisecond, call.Prompt{}))
			d, err := h.leg.Gather(h.ctx, call.Gather{Min: 1, Max: 1, Timeout: time.Second, Between: time.Second})
			h.check(err)
			if d.Value != "" {
				t.Errorf("gathered %q", d.Value)
			}
		}},
		{"music goes on and stops when it is to", func(t *testing.T) {
			h := v.place(t, true)
			for music, least := range map[string]int{"tone:%(200,0,440)": 170, tone: 150, "music:hold": 100, "say:Please hold on for a moment": 60} {
				before := h.a.heardSoFar()
				between(t, music, took(func() { h.check(h.leg.Wait(h.ctx, 4*time.Second, h.prompt(music))) }), 4*time.Second, 7*time.Second)
				if n := h.a.heardSoFar() - before; n < least {
					t.Errorf("%s: heard in %d packets of 200, want %d", music, n, least)
				}
			}
			if why := h.troubles(); len(why) > 0 {
				t.Errorf("troubles %q", why)
			}
		}},
		{"music that is not there leaves silence", func(t *testing.T) {
			h := v.place(t, true)
			for _, music := range []string{"/nowhere/x.wav", "music:nobody"} {
				between(t, music, took(func() { h.check(h.leg.Wait(h.ctx, 2*time.Second, h.prompt(music))) }), 2*time.Second, 5*time.Second)
			}
			if why := h.troubles(); len(why) != 2 || !strings.Contains(why[1], "FILE NOT FOUND") {
				t.Errorf("troubles %q", why)
			}
		}},
		{"200 short ones: none hangs, none cuts what follows", func(t *testing.T) {
			h := v.place(t, true)
			var worst time.Duration
			for i := range 200 {
				d := time.Duration(i%40) * time.Millisecond
				music := []string{"tone:%(200,0,440)", tone, "music:hold", "say:One moment"}[i%4]
				got := took(func() { h.check(h.leg.Wait(h.ctx, d, h.prompt(music))) })
				worst = max(worst, got-d)
				if i%10 == 0 {
					between(t, "the prompt after it", took(func() { h.check(h.leg.Play(h.ctx, h.prompt("tone:%(500,0,440)"))) }),
						450*time.Millisecond, 5*time.Second)
				}
			}
			between(t, "the slowest stop", worst, 0, 2*time.Second)
		}},
		{"a panic of what runs meanwhile leaves the call in order", func(t *testing.T) {
			h := v.place(t, true)
			func() {
				defer func() {
					if v := recover(); v == nil || !strings.Contains(v.(string), "a fault of ours") {
						t.Errorf("recovered %v", v)
					}
				}()
				h.leg.While(h.ctx, h.prompt("music:hold"), func(context.Context) { panic("a fault of ours") })
			}()
			h.check(h.leg.Play(h.ctx, h.prompt("tone:%(100,0,440)")))
		}},
	} {
		t.Run(fact.name, fact.f)
	}
}
