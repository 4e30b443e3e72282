//go:build freeswitch

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// callee is how the phone behaves when it is called: the number says it.
func callee(in *sipCall) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	in.sing(true)
	switch in.number {
	case "7486":
		in.ring()
		in.refuse(486)
	case "7603":
		in.refuse(603)
	case "7001": // rings for ever
		in.ring()
	case "7002": // answers and talks until somebody hangs up
		in.ring()
		in.answer()
	case "7004": // presses 1 as soon as it is told something
		in.ring()
		in.answer()
		if in.awaitSound(ctx, 20) == nil && in.press(ctx, "1") == nil {
			in.hangupAfterTalk(ctx)
		}
	case "7005": // presses another key, then gives up
		in.answer()
		if in.awaitSound(ctx, 20) == nil && in.press(ctx, "2") == nil && in.awaitSound(ctx, 20) == nil {
			in.hangup()
		}
	case "7006": // answers, talks for a second, hangs up
		in.ring()
		in.answer()
		in.hangupAfterTalk(ctx)
	case "7010", "7011": // are driven by the test
	default:
		in.refuse(404)
	}
}

// hangupAfterTalk hangs up when a second of the caller's voice was heard.
func (c *sipCall) hangupAfterTalk(ctx context.Context) {
	if c.awaitSound(ctx, 50) == nil {
		c.hangup()
	}
}

// finish waits for the end of a call and returns its events.
func (l *lane) finish(t *testing.T, ctx context.Context, a *sipCall) []call.Event {
	t.Helper()
	if err := a.awaitEnd(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.awaitEvent(ctx, a, "end", func(e call.Event) bool { return e.Type == call.Ended }); err != nil {
		t.Fatal(err)
	}
	events, err := l.events()
	if err != nil {
		t.Fatal(err)
	}
	return events[a.from]
}

func wantExits(t *testing.T, events []call.Event, want string) {
	t.Helper()
	if got := exits(events); got != want {
		t.Errorf("the call went through %q, want %q; all of it:%s", got, want, timeline(events))
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	run := func(name string, f func(t *testing.T, ctx context.Context)) {
		// One after the other: what a callee heard and said must belong to one call.
		l.Run(name, func(t *testing.T) { f(t, within(t, 40*time.Second)) })
	}
	check := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	run("menu by telephone events", func(t *testing.T, ctx context.Context) {
		for _, key := range []string{"2", "#", "*"} {
			a := l.call(t, "+15550001")
			check(t, a.awaitSound(ctx, 10))
			check(t, a.press(ctx, key))
			wantExits(t, l.finish(t, ctx, a), "choose/"+key+" bye/")
		}
	})
	run("menu without a key", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550001")
		check(t, a.awaitSound(ctx, 10))
		for _, key := range []string{"9", "8", "7"} {
			check(t, a.press(ctx, key))
			if key != "7" {
				check(t, a.awaitSound(ctx, 25)) // half a second on, this is the next try
			}
		}
		wantExits(t, l.finish(t, ctx, a), "choose/invalid bye/")
	})
	run("busy, rejected, answered", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550002")
		a.sing(true)
		check(t, a.awaitSound(ctx, 10))
		events := l.finish(t, ctx, a)
		wantExits(t, events, "hello/next sales/completed bye/")
		var failed []string
		for _, e := range events {
			if e.Type == call.TargetFailed {
				failed = append(failed, e.Target+" "+string(e.Cause))
			}
		}
		if want := []string{"t7486 USER_BUSY", "t7603 CALL_REJECTED"}; !slices.Equal(failed, want) {
			t.Errorf("failed: %q, want %q", failed, want)
		}
		if count(events, call.Connected) != 1 || count(events, call.Released) != 1 {
			t.Errorf("connected and released once, not%s", timeline(events))
		}
	})
	run("no answer", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550003")
		check(t, a.awaitCode(ctx, 180))
		wantExits(t, l.finish(t, ctx, a), "sales/no_answer sorry/")
		if codes := a.codes(); codes[len(codes)-1] != 480 {
			t.Errorf("responses %v, want 480 at the end", codes)
		}
	})
	run("early media, then answered", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550004")
		b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
		check(t, err)
		b.early()
		check(t, a.awaitSound(ctx, 50))
		if slices.Contains(a.codes(), 200) {
			t.Errorf("the caller was answered before the callee: %v", a.codes())
		}
		b.answer()
		check(t, a.awaitAnswer(ctx))
		check(t, a.awaitSound(ctx, 20))
		b.hangup()
		wantExits(t, l.finish(t, ctx, a), "sales/completed bye/")
	})
	run("early media, never answered", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550004")
		b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
		check(t, err)
		b.early()
		check(t, a.awaitSound(ctx, 50))
		wantExits(t, l.finish(t, ctx, a), "sales/no_answer sorry/")
	})
	run("press 1: no, then yes", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550005")
		a.sing(true)
		check(t, a.awaitSound(ctx, 10))
		events := l.finish(t, ctx, a)
		wantExits(t, events, "sales/completed bye/")
		if count(events, call.Connected) != 1 {
			t.Errorf("connected once, not%s", timeline(events))
		}
	})
	run("refused by a branch", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550006")
		wantExits(t, l.finish(t, ctx, a), "who/known busy/")
		if codes := a.codes(); codes[len(codes)-1] != 486 {
			t.Errorf("responses %v, want 486 at the end", codes)
		}
	})
	run("two ring, one answers", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550007")
		a.sing(true)
		loser, err := l.phone.awaitIncoming(ctx, "7001", a.from)
		check(t, err)
		check(t, loser.awaitEnd(ctx))
		wantExits(t, l.finish(t, ctx, a), "sales/completed bye/")
	})
	run("recorded", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550008")
		a.sing(true)
		l.finish(t, ctx, a)
		var sizes []int64
		filepath.WalkDir(filepath.Join(l.switches[0].dir, "recordings"), func(path string, d os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".wav") {
				if info, err := d.Info(); err == nil {
					sizes = append(sizes, info.Size())
				}
			}
			return nil
		})
		// A second of two people in 16 bit samples, 8000 a second.
		if len(sizes) != 1 || sizes[0] < 10000 {
			t.Errorf("recordings of %v bytes, want one of a second", sizes)
		}
	})
	run("longest call", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550009")
		b, err := l.phone.awaitIncoming(ctx, "7002", a.from)
		check(t, err)
		check(t, a.awaitAnswer(ctx))
		began := time.Now()
		check(t, b.awaitEnd(ctx))
		if d := time.Since(began); d < 2*time.Second || d > 4500*time.Millisecond {
			t.Errorf("connected for %v, want 3s within the switch's whole seconds", d)
		}
		wantExits(t, l.finish(t, ctx, a), "sales/completed after/next bye/")
	})
	run("whisper", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15550010")
		b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
		check(t, err)
		b.answer()
		// The caller is silent: what the callee hears can only be the whisper.
		check(t, b.awaitSound(ctx, 20))
		check(t, a.awaitSound(ctx, 20)) // the callee talks all the time, but is heard only now
		b.hangup()
		wantExits(t, l.finish(t, ctx, a), "sales/completed bye/")
	})
	run("round robin", func(t *testing.T, ctx context.Context) {
		first := map[string]int{}
		for range 4 {
			a := l.call(t, "+15550012")
			a.sing(true)
			for _, e := range l.finish(t, ctx, a) {
				if e.Type == call.TargetDialed {
					first[e.Target]++
					break
				}
			}
		}
		if first["t7006"] != 2 || first["t7004"] != 2 {
			t.Errorf("dialled first: %v, want two each", first)
		}
	})
	run("unknown number", func(t *testing.T, ctx context.Context) {
		a := l.call(t, "+15559999")
		check(t, a.awaitEnd(ctx))
		if codes := a.codes(); codes[len(codes)-1] != 404 {
			t.Errorf("responses %v, want 404 at the end", codes)
		}
		l.finish(t, ctx, a)
	})
	run("calls show", func(t *testing.T, ctx context.Context) {
		events, err := l.events()
		check(t, err)
		id := events[l.calls[0].from][0].Call
		out, err := exec.CommandContext(ctx, serverBinary, "calls", "show", id, "-o", "json", "--journal", l.servers[0].journal()).Output()
		if err != nil || strings.Count(string(out), `"call.ended"`) != 1 {
			t.Errorf("calls show %s: %v\n%s", id, err, out)
		}
	})
}

// TestHangups has the caller hang up in every state of a call.
func TestHangups(t *testing.T) {
	t.Parallel()
	l := newLane(t, 1, 1)
	for _, state := range states {
		l.Run(state.name, func(t *testing.T) {
			ctx := within(t, 40*time.Second)
			a := l.call(t, state.number)
			b, err := state.reach(ctx, l, a)
			if err != nil {
				t.Fatal(err)
			}
			a.hangup()
			l.finish(t, ctx, a)
			if b != nil {
				if err := b.awaitEnd(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A state is a moment of a call that can be reached and held: B is its callee,
// if it has one.
type state struct {
	name   string
	number string
	reach  func(ctx context.Context, l *lane, a *sipCall) (b *sipCall, err error)
}

var states = []state{
	{"menu", "+15550001", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		return nil, a.awaitSound(ctx, 10)
	}},
	{"ringing", "+15550013", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		return l.ringing(ctx, a, false)
	}},
	{"ringing, caller not answered", "+15550011", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		return l.ringing(ctx, a, false)
	}},
	{"bridged", "+15550013", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		return l.ringing(ctx, a, true)
	}},
	{"early media", "+15550004", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
		if err != nil {
			return nil, err
		}
		b.early()
		return b, a.awaitSound(ctx, 20)
	}},
	{"play after the bridge", "+15550013", func(ctx context.Context, l *lane, a *sipCall) (*sipCall, error) {
		b, err := l.ringing(ctx, a, true)
		if err != nil {
			return nil, err
		}
		b.hangup()
		if err := b.awaitEnd(ctx); err != nil {
			return nil, err
		}
		return nil, a.awaitSound(ctx, 20)
	}},
}

// ringing waits for the callee of a by-hand call and lets it ring, or answer.
func (l *lane) ringing(ctx context.Context, a *sipCall, answer bool) (*sipCall, error) {
	b, err := l.phone.awaitIncoming(ctx, "7010", a.from)
	if err != nil {
		return nil, err
	}
	b.ring()
	if !answer {
		return b, nil
	}
	b.answer()
	if err := a.awaitAnswer(ctx); err != nil {
		return nil, err
	}
	a.sing(true)
	if err := b.awaitSound(ctx, 20); err != nil {
		return nil, err
	}
	return b, nil
}
