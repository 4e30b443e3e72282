package eslctl_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// world is a simulated switch whose calls are handled by a server in virtual
// time.
type world struct {
	*esltest.Switch
	server *eslctl.Server

	mu     sync.Mutex
	events []call.Event
	ends   []eslctl.End
	faults []string
}

// inWorld runs f with a world in which every call is handled by handle.
func inWorld(t *testing.T, handle func(ctx context.Context, leg *eslctl.Leg), f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{Switch: esltest.NewSwitch()}
		w.Dialplan = esltest.Dialplan("node:8084", "node:8085", 60)
		w.server = &eslctl.Server{
			Settings: eslctl.Settings{Engine: "flite", Voice: "slt", Profile: "external", LastResort: esltest.LastResort},
			Handler: func(ctx context.Context, leg *eslctl.Leg) {
				leg.Notify(w.note)
				handle(ctx, leg)
			},
			Ended: func(_ *eslctl.Leg, end eslctl.End) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.ends = append(w.ends, end)
			},
			Problem: func(peer string, err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.faults = append(w.faults, err.Error())
			},
		}
		w.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
			theirs, ours := net.Pipe()
			go w.server.ServeConn(context.WithoutCancel(ctx), ours)
			return theirs, nil
		}
		defer w.Close()
		f(w)
	})
}

func (w *world) note(e call.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// told returns what the switch reported, in short.
func (w *world) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var s []string
	for _, e := range w.events {
		line := string(e.Type)
		if e.Target != "" {
			line += " " + e.Target
		}
		if e.Cause != "" {
			line += " " + string(e.Cause)
		}
		s = append(s, line)
	}
	return strings.Join(s, ", ")
}

// place makes a call and returns its result once everybody knows its end.
func (w *world) place(who esltest.Caller) esltest.Result {
	if who.To == "" {
		who.From, who.To = "+15550111", "+15550100"
	}
	k := w.Call(who)
	<-k.Done()
	synctest.Wait()
	return k.Result()
}

func checkpoint(leg *eslctl.Leg) string {
	return call.Checkpoint{Epoch: leg.Epoch(), Node: "n1", Payload: "abc"}.String()
}

func prompt(t *testing.T, s string) call.Prompt {
	t.Helper()
	p, err := call.ParsePrompt(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dial returns an attempt at all of the numbers at once.
func dial(leg *eslctl.Leg, attempt int, numbers ...string) call.Bridge {
	b := call.Bridge{Ring: 20 * time.Second}
	for i, n := range numbers {
		b.Legs = append(b.Legs, call.BridgeLeg{UUID: call.LegUUID(leg.Call().ID, attempt, i), Target: "t" + n,
			Address: call.Address{Number: n, Gateway: "carrier"}, CallerID: "+15550111"})
	}
	return b
}

func TestLegReadsTheCall(t *testing.T) {
	var got call.Call
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		got = leg.Call()
		leg.Hangup(ctx, call.UserBusy)
	}, func(w *world) {
		r := w.place(esltest.Caller{From: "+15550111", Name: `Zoë "Zed" O'Neil, 50% \n`, To: "+15550100",
			Headers: map[string]string{"X-Campaign": "summer"}})
		if r.Cause != call.UserBusy || r.Status != 486 || r.Answered {
			t.Errorf("the caller got %+v", r)
		}
		if got.ID != r.UUID || got.Number != "+15550100" || got.Caller.Number != "+15550111" || !strings.Contains(got.Caller.Name, "Zoë") ||
			got.Answered || got.Headers["X-Campaign"] != "summer" || got.Started.IsZero() {
			t.Errorf("read %+v", got)
		}
		if len(w.ends) != 1 || !w.ends[0].Complete || w.ends[0].Cause != call.UserBusy || w.ends[0].By != "switch" {
			t.Errorf("ends %+v", w.ends)
		}
	})
}

func TestPlay(t *testing.T) {
	var said, missing error
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg)) // which also names the engine that speaks
		leg.Answer(ctx)
		said = leg.Play(ctx, prompt(t, "say:It's 5 o'clock; {really}"))
		missing = leg.Play(ctx, prompt(t, "/nowhere/missing.wav"))
	}, func(w *world) {
		w.Files = map[string]esltest.Sound{"/nowhere/missing.wav": {Missing: true}}
		r := w.place(esltest.Caller{})
		if said != nil {
			t.Errorf("saying: %v", said)
		}
		if missing == nil || !strings.Contains(missing.Error(), "FILE NOT FOUND") {
			t.Errorf("a missing file: %v", missing)
		}
		if len(r.Heard) == 0 || strings.ContainsAny(r.Heard[0].What, "{}'\"$") {
			t.Errorf("heard %+v", r.Heard)
		}
		if r.Cause != call.NormalClearing { // the handler returned with the call up
			t.Errorf("cause %s", r.Cause)
		}
	})
}

func TestGather(t *testing.T) {
	var got []call.Digits
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		leg.Answer(ctx)
		menu := call.Gather{Prompt: prompt(t, "say:Press one, it's easy"), Min: 1, Max: 1, Timeout: 3 * time.Second, Between: time.Second}
		zip := call.Gather{Prompt: prompt(t, "say:Your code"), Min: 5, Max: 5, Timeout: 3 * time.Second, Between: 2 * time.Second, Terminators: "#"}
		for _, g := range []call.Gather{menu, menu, zip, zip} {
			d, err := leg.Gather(ctx, g)
			if err != nil {
				t.Error(err)
			}
			got = append(got, d)
		}
	}, func(w *world) {
		w.place(esltest.Caller{Script: []esltest.Act{
			esltest.Press("#").WhenPlaying("Press one").After(time.Second),
			esltest.Press("90210").WhenPlaying("Your code").After(2 * time.Second),
			esltest.Press("12#").WhenPlaying("Your code").After(3 * time.Second),
		}})
		values := []string{got[0].Value, got[1].Value, got[2].Value, got[3].Value}
		if want := []string{"#", "", "90210", "12"}; !slices.Equal(values, want) {
			t.Errorf("digits %q, want %q", values, want)
		}
		if got[3].Terminator != "#" {
			t.Errorf("terminator %q", got[3].Terminator)
		}
	})
}

func TestBridgeOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		callees map[string]esltest.Callee
		change  func(*call.Bridge)
		outcome call.Outcome
		cause   call.Cause
		told    string
	}{
		"answered": {callees: map[string]esltest.Callee{"1": esltest.Answers(2*time.Second, 30*time.Second)},
			outcome: call.Completed, cause: call.NormalClearing,
			told: "target.ringing t1, call.answered, call.connected t1, call.released t1 NORMAL_CLEARING"},
		"busy":     {callees: map[string]esltest.Callee{"1": esltest.Busy()}, outcome: call.Busy, cause: call.UserBusy},
		"rejected": {callees: map[string]esltest.Callee{"1": esltest.Rejects()}, outcome: call.Undone, cause: call.CallRejected},
		"no answer": {callees: map[string]esltest.Callee{"1": esltest.RingsForever()}, outcome: call.Unheard, cause: call.NoAnswer,
			told: "target.ringing t1"},
		"first of two": {callees: map[string]esltest.Callee{"1": esltest.RingsForever(), "2": esltest.Answers(time.Second, 5*time.Second)},
			outcome: call.Completed, cause: call.NormalClearing},
		"confirmed": {callees: map[string]esltest.Callee{"1": esltest.Answers(time.Second, 20*time.Second).Pressing("1", 4*time.Second)},
			change: func(b *call.Bridge) {
				b.Confirm = call.Confirm{Key: "1", Prompt: call.Prompt{Kind: call.Say, Text: "Press 1"}, Timeout: 10 * time.Second}
			},
			outcome: call.Completed, cause: call.NormalClearing},
		"never confirmed": {callees: map[string]esltest.Callee{"1": esltest.Answers(time.Second, 0)},
			change: func(b *call.Bridge) {
				b.Confirm = call.Confirm{Key: "1", Prompt: call.Prompt{Kind: call.Say, Text: "Press 1"}, Timeout: 10 * time.Second}
			},
			outcome: call.Unheard, cause: call.AllottedTimeout, told: "target.ringing t1"},
		"too long": {callees: map[string]esltest.Callee{"1": esltest.Answers(time.Second, time.Hour)},
			change:  func(b *call.Bridge) { b.MaxLength = time.Minute },
			outcome: call.Completed, cause: call.AllottedTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			var result call.BridgeResult
			var joined []string
			var after error
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Save(ctx, checkpoint(leg))
				var numbers []string
				for n := range c.callees {
					numbers = append(numbers, n)
				}
				slices.Sort(numbers)
				b := dial(leg, 1, numbers...)
				if c.change != nil {
					c.change(&b)
				}
				b.Joined = func(leg string) { joined = append(joined, leg) }
				var err error
				if result, err = leg.Bridge(ctx, b, checkpoint(leg)); err != nil {
					t.Error(err)
				}
				after = leg.Save(ctx, checkpoint(leg))
			}, func(w *world) {
				for n, callee := range c.callees {
					w.SetCallee(n, callee)
				}
				w.place(esltest.Caller{})
				if result.Outcome != c.outcome || result.Cause != c.cause {
					t.Errorf("result %+v, want %s by %s", result, c.outcome, c.cause)
				}
				if after != nil {
					t.Errorf("the call after it: %v", after)
				}
				if got := strings.Join(joined, ","); got != result.Winner {
					t.Errorf("said to be connected: %q, of whom %q is", got, result.Winner)
				}
				if told := w.told(); c.told != "" && told != c.told {
					t.Errorf("told %s\nwant %s", told, c.told)
				}
			})
		})
	}
}

// A caller who was not answered gets the response that follows from the cause, whatever a
// callee has answered before.
func TestResponseIsThatOfTheCause(t *testing.T) {
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		if _, err := leg.Bridge(ctx, dial(leg, 1, "1"), checkpoint(leg)); err != nil {
			t.Error(err)
		}
		leg.Hangup(ctx, call.TemporaryFailure)
	}, func(w *world) {
		w.SetCallee("1", esltest.Busy())
		if r := w.place(esltest.Caller{}); r.Status != 503 {
			t.Errorf("the caller of a busy target got %d, want 503", r.Status)
		}
	})
}

// Of every leg that was dialled it is told under which Call-ID, and what it is billed:
// from its answer, not from when it was connected.
func TestLegsAreTheirOwnCalls(t *testing.T) {
	for name, c := range map[string]struct {
		callee esltest.Callee
		caller esltest.Caller
		last   call.Type
		billed string
	}{
		"the callee hangs up": {callee: esltest.Answers(time.Second, 26*time.Second).Pressing("1", 4*time.Second), last: call.Released, billed: "30000"},
		"the caller hangs up": {callee: esltest.Answers(time.Second, 0).Pressing("1", 4*time.Second), last: call.Released, billed: "9000",
			caller: esltest.Caller{From: "+15550111", To: "+15550100", Script: []esltest.Act{esltest.HangUp().After(10 * time.Second)}}},
		"never confirmed": {callee: esltest.Answers(time.Second, 0), billed: "20000"},
		"busy":            {callee: esltest.Busy()},
	} {
		t.Run(name, func(t *testing.T) {
			var result call.BridgeResult
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Save(ctx, checkpoint(leg))
				b := dial(leg, 1, "1")
				b.Confirm = call.Confirm{Key: "1", Prompt: call.Prompt{Kind: call.Say, Text: "Press 1"}, Timeout: 10 * time.Second}
				result, _ = leg.Bridge(ctx, b, checkpoint(leg))
			}, func(w *world) {
				w.SetCallee("1", c.callee)
				w.place(c.caller)
				var got map[string]string
				if c.last == "" {
					if len(result.Legs) != 1 {
						t.Fatalf("result %+v, want one leg that failed", result)
					}
					got = result.Legs[0].Attrs()
				}
				for _, e := range w.events {
					if e.Type == c.last {
						got = e.Attrs
					}
					if id := e.Attrs["sip_call_id"]; e.Type == call.TargetRinging && !strings.HasSuffix(id, "@127.0.0.1") {
						t.Errorf("ringing with Call-ID %q", id)
					}
				}
				if got["billed"] != c.billed || !strings.HasSuffix(got["sip_call_id"], "@127.0.0.1") {
					t.Errorf("told %v, want %s ms billed and a Call-ID", got, c.billed)
				}
			})
		})
	}
}

// A caller who hangs up does not keep from anybody what became of those who were dialled.
func TestLegsOfACallerWhoHangsUp(t *testing.T) {
	for name, c := range map[string]struct {
		callee esltest.Callee
		others map[string]call.Cause // of the attempt, besides the busy one
	}{
		"while they ring":       {esltest.RingsForever(), map[string]call.Cause{"t2": call.OriginatorCancel, "t3": call.OriginatorCancel}},
		"when one has taken it": {esltest.Answers(time.Second, 0), map[string]call.Cause{"t3": call.LoseRace}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Answer(ctx)
				leg.Bridge(ctx, dial(leg, 1, "1", "2", "3"), checkpoint(leg))
			}, func(w *world) {
				w.SetCallee("1", esltest.Busy())
				w.SetCallee("2", c.callee)
				w.SetCallee("3", esltest.RingsForever())
				w.place(esltest.Caller{Script: []esltest.Act{esltest.HangUp().After(10 * time.Second)}})
				want := maps.Clone(c.others)
				want["t1"] = call.UserBusy
				got := map[string]call.Cause{}
				for _, e := range w.events {
					if e.Type == call.TargetFailed {
						if _, twice := got[e.Target]; twice {
							t.Errorf("%s failed twice", e.Target)
						}
						got[e.Target] = e.Cause
					}
				}
				if !maps.Equal(got, want) {
					t.Errorf("failed: %v, want %v", got, want)
				}
			})
		})
	}
}

func TestCallerHangsUpInEveryVerb(t *testing.T) {
	verbs := map[string]func(ctx context.Context, leg *eslctl.Leg) error{
		"play": func(ctx context.Context, leg *eslctl.Leg) error {
			return leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(60000,0,440)"})
		},
		"gather": func(ctx context.Context, leg *eslctl.Leg) error {
			_, err := leg.Gather(ctx, call.Gather{Min: 1, Max: 1, Timeout: time.Minute, Between: time.Second})
			return err
		},
		"ringing": func(ctx context.Context, leg *eslctl.Leg) error {
			_, err := leg.Bridge(ctx, dial(leg, 1, "2"), checkpoint(leg))
			return err
		},
		"bridged": func(ctx context.Context, leg *eslctl.Leg) error {
			_, err := leg.Bridge(ctx, dial(leg, 1, "3"), checkpoint(leg))
			return err
		},
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			var got, then error
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Answer(ctx)
				got = verb(ctx, leg)
				then = leg.Save(ctx, checkpoint(leg))
			}, func(w *world) {
				w.SetCallee("2", esltest.RingsForever())
				w.SetCallee("3", esltest.Answers(time.Second, 0))
				w.place(esltest.Caller{Script: []esltest.Act{esltest.HangUp().After(10 * time.Second)}})
				for _, err := range []error{got, then} {
					var h *call.HungUp
					if !errors.As(err, &h) || h.Cause != call.NormalClearing {
						t.Errorf("error %v, want the hangup", err)
					}
				}
				if len(w.ends) != 1 || w.ends[0].By != "caller" {
					t.Errorf("ends %+v", w.ends)
				}
				switch told := w.told(); name {
				case "ringing":
					if !strings.HasSuffix(told, "target.failed t2 ORIGINATOR_CANCEL") {
						t.Errorf("told %s", told)
					}
				case "bridged":
					if !strings.HasSuffix(told, "call.released t3 NORMAL_CLEARING") {
						t.Errorf("told %s", told)
					}
				}
			})
		})
	}
}

// The connection dies in the middle of a bridge; the next one learns what
// became of the attempt, and of one that was never begun.
func TestTakeoverLearnsTheResult(t *testing.T) {
	var last []call.BridgeResult
	var begun []bool
	var taken []string
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		r, ok := leg.LastBridge()
		last, begun, taken = append(last, r), append(begun, ok), append(taken, leg.Taken())
		leg.Save(ctx, checkpoint(leg))
		switch leg.Epoch() {
		case 1:
			go leg.Bridge(ctx, dial(leg, 1, "1"), checkpoint(leg))
			<-time.After(5 * time.Second) // virtual
			leg.HandOver()
		case 2:
			leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(1000,0,440)"})
		}
	}, func(w *world) {
		w.SetCallee("1", esltest.Answers(time.Second, time.Minute))
		r := w.place(esltest.Caller{})
		if !slices.Equal(begun, []bool{false, true}) {
			t.Fatalf("attempts begun before the takeover: %v", begun)
		}
		// Nobody watched: from its beginning until the takeover, so never less than it was.
		if c := last[1].Connected; c < time.Minute || c > time.Minute+time.Second {
			t.Errorf("connected for %v, want a minute and a little", c)
		}
		if last[1].Outcome != call.Completed || last[1].Winner != call.LegUUID(r.UUID, 1, 0) {
			t.Errorf("learnt %+v", last[1])
		}
		if taken[0] != "" || call.EpochOf(taken[1]) != 1 {
			t.Errorf("checkpoints found: %q", taken)
		}
		if d := w.Dials("1"); len(d) != 1 || d[0].Ended.Sub(d[0].Answered) < time.Minute-time.Second {
			t.Errorf("the bridge was disturbed: %+v", d)
		}
	})
}

// A caller who is answered hears the music at once, one who is not when somebody
// rings.
func TestMusicInsteadOfRinging(t *testing.T) {
	for _, answered := range []bool{true, false} {
		inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
			leg.Save(ctx, checkpoint(leg))
			if answered {
				leg.Answer(ctx)
			}
			b := dial(leg, 1, "1")
			b.Ringback = call.Prompt{Kind: call.Stream, Text: "hold"}
			leg.Bridge(ctx, b, checkpoint(leg))
			b = dial(leg, 2, "1") // without it
			leg.Bridge(ctx, b, checkpoint(leg))
		}, func(w *world) {
			w.SetCallee("1", esltest.Callee{Ring: 5 * time.Second, Refuse: 486, Quiet: answered})
			r := w.place(esltest.Caller{})
			sounds := heard(r, "local_stream://hold")
			if len(sounds) != 1 || sounds[0].For != 5*time.Second || sounds[0].At != w.Dials("1")[0].At {
				t.Errorf("answered %v: heard %+v", answered, sounds)
			}
		})
	}
}

func TestLastResort(t *testing.T) {
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.LastResort(ctx, "it's broken; ${system(id)}")
	}, func(w *world) {
		if r := w.place(esltest.Caller{}); r.Cause != call.TemporaryFailure {
			t.Errorf("ended by %s", r.Cause)
		}
		if len(w.ends) != 1 || w.ends[0].Cause != call.TemporaryFailure {
			t.Errorf("ends %+v", w.ends)
		}
	})
}

func TestPanicCostsOneCall(t *testing.T) {
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		if leg.Call().Caller.Number == "+1" {
			panic("a fault of ours")
		}
		leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(9000,0,440)"})
	}, func(w *world) {
		other := w.Call(esltest.Caller{From: "+2", To: "+15550100"})
		bad := w.Call(esltest.Caller{From: "+1", To: "+15550100"})
		<-bad.Done()
		<-other.Done()
		synctest.Wait()
		if c := bad.Result().Cause; c != call.TemporaryFailure {
			t.Errorf("the call that panicked ended by %s", c)
		}
		if c := other.Result().Cause; c != call.NormalClearing {
			t.Errorf("the other call ended by %s", c)
		}
		if len(w.faults) != 1 || !strings.Contains(w.faults[0], "a fault of ours") {
			t.Errorf("problems %q", w.faults)
		}
	})
}
