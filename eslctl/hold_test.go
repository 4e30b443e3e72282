package eslctl_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// heard says which of the sounds that a caller heard contain the text.
func heard(r esltest.Result, text string) (sounds []esltest.Heard) {
	for _, h := range r.Heard {
		if strings.Contains(h.What, text) {
			sounds = append(sounds, h)
		}
	}
	return sounds
}

func TestWait(t *testing.T) {
	for name, music := range map[string]call.Prompt{
		"silence": {},
		"tone":    {Kind: call.Tone, Text: "%(200,0,440)"},
		"file":    {Kind: call.File, Text: "/music/two.wav"}, // of two seconds
		"stream":  {Kind: call.Stream, Text: "hold"},
		"speech":  {Kind: call.Say, Text: "Please hold on"},
	} {
		t.Run(name, func(t *testing.T) {
			var took, after time.Duration
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Save(ctx, checkpoint(leg))
				began := time.Now()
				if err := leg.Wait(ctx, 7*time.Second, music); err != nil {
					t.Error(err)
				}
				took = time.Since(began)
				// Nothing of the end of the music is left for the next prompt.
				leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(1000,0,640)"})
				after = time.Since(began) - took
			}, func(w *world) {
				r := w.place(esltest.Caller{})
				if took != 7*time.Second || after != time.Second {
					t.Errorf("waited %v, then %v", took, after)
				}
				if rounds := len(heard(r, "/music/two.wav")); name == "file" && rounds != 4 {
					t.Errorf("the file was heard %d times", rounds)
				}
				if name == "stream" && len(heard(r, "local_stream://hold")) != 1 {
					t.Errorf("heard %+v", r.Heard)
				}
				if told := w.told(); told != "" {
					t.Errorf("told %s", told)
				}
			})
		})
	}
}

// A break that comes before the music has begun is lost, and repeated.
func TestMusicStopsThoughItHasNotBegun(t *testing.T) {
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		for i := range 50 {
			began := time.Now()
			f := func(context.Context) { <-time.After(time.Duration(i) * time.Millisecond) }
			if err := leg.While(ctx, call.Prompt{Kind: call.Stream, Text: "hold"}, f); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("after %d ms the music stopped in %v", i, took)
			}
		}
	}, func(w *world) {
		w.Latency = 20 * time.Millisecond
		w.place(esltest.Caller{})
	})
}

func TestMusicIsNoReasonToFail(t *testing.T) {
	var result string
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		err := leg.While(ctx, call.Prompt{Kind: call.File, Text: "/music/missing.wav"}, func(context.Context) {
			<-time.After(5 * time.Second)
			result = "there"
		})
		if err != nil {
			t.Error(err)
		}
	}, func(w *world) {
		r := w.place(esltest.Caller{})
		if result != "there" || r.Ended.Sub(r.Started) != 5*time.Second {
			t.Errorf("result %q after %v", result, r.Ended.Sub(r.Started))
		}
		if told := w.told(); told != "call.answered, flow.error" && told != "flow.error" {
			t.Errorf("told %s", told)
		}
	})
}

func TestPanicOfWhatRunsMeanwhile(t *testing.T) {
	var got any
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		func() {
			defer func() { got = recover() }()
			leg.While(ctx, call.Prompt{Kind: call.Stream, Text: "hold"}, func(context.Context) { panic("a fault of ours") })
		}()
		if err := leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(1000,0,440)"}); err != nil {
			t.Error(err)
		}
	}, func(w *world) {
		w.place(esltest.Caller{})
		if text, _ := got.(string); !strings.Contains(text, "a fault of ours") || !strings.Contains(text, "hold_test.go") {
			t.Errorf("recovered %v", got)
		}
	})
}

// What runs meanwhile is told of the caller's hangup, and waited for.
func TestHangupWhileSomethingRuns(t *testing.T) {
	for _, music := range []call.Prompt{{}, {Kind: call.Stream, Text: "hold"}} {
		var got, seen error
		inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
			leg.Save(ctx, checkpoint(leg))
			got = leg.While(ctx, music, func(ctx context.Context) {
				<-ctx.Done()
				seen = context.Cause(ctx)
			})
		}, func(w *world) {
			w.place(esltest.Caller{Script: []esltest.Act{esltest.HangUp().After(3 * time.Second)}})
			for _, err := range []error{got, seen} {
				if h := (*call.HungUp)(nil); !errors.As(err, &h) {
					t.Errorf("%v, want the hangup", err)
				}
			}
		})
	}
}
