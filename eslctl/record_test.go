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

func TestMessage(t *testing.T) {
	for name, c := range map[string]struct {
		script []esltest.Act
		least  time.Duration
		most   time.Duration
		key    string
		hungUp bool
	}{
		"ended by a key": {script: []esltest.Act{esltest.Speak(4 * time.Second), esltest.Press("1").After(time.Second), esltest.Press("#").After(time.Second)},
			least: 2 * time.Second, most: 2 * time.Second, key: "#"},
		"ended by silence": {script: []esltest.Act{esltest.Speak(4 * time.Second)}, least: 4 * time.Second, most: 4 * time.Second},
		"of nothing":       {},
		"too long":         {script: []esltest.Act{esltest.Speak(time.Minute)}, least: 20 * time.Second, most: 21 * time.Second},
		"ended by the hangup": {script: []esltest.Act{esltest.Speak(4 * time.Second), esltest.HangUp().After(5 * time.Second)},
			least: 5 * time.Second, most: 5 * time.Second, hungUp: true},
	} {
		t.Run(name, func(t *testing.T) {
			var got call.MessageResult
			var err error
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Save(ctx, checkpoint(leg))
				leg.Answer(ctx)
				got, err = leg.Message(ctx, call.Message{Path: "/messages/1.wav", Max: 20 * time.Second, Silence: 3 * time.Second, Terminators: "#"})
				// No key ends what comes after it.
				if err := leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(3000,0,440)"}); err != nil && !c.hungUp {
					t.Error(err)
				}
			}, func(w *world) {
				r := w.place(esltest.Caller{Script: append(c.script, esltest.Press("#").WhenPlaying("%(3000").After(time.Second))})
				if got.Length < c.least || got.Length > c.most || got.Terminator != c.key {
					t.Errorf("result %+v, want %v to %v by %q", got, c.least, c.most, c.key)
				}
				if h := (*call.HungUp)(nil); errors.As(err, &h) != c.hungUp {
					t.Errorf("error %v", err)
				}
				if sounds := heard(r, "%(3000"); !c.hungUp && (len(sounds) != 1 || sounds[0].For != 3*time.Second) {
					t.Errorf("heard %+v", sounds)
				}
			})
		})
	}
}

// With nobody in control the switch goes on recording, and whoever takes the
// call over asks for the message again and has its result, once.
func TestMessageOutlivesTheConnection(t *testing.T) {
	var results []call.MessageResult
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		leg.Answer(ctx)
		m := call.Message{Path: "/messages/1.wav", Max: time.Minute, Silence: 3 * time.Second}
		if leg.Epoch() == 1 {
			go func() {
				<-time.After(2 * time.Second) // virtual
				leg.HandOver()
			}()
			if _, err := leg.Message(ctx, m); !errors.Is(err, call.ErrLost) {
				t.Errorf("error %v", err)
			}
			return
		}
		for range 2 {
			r, err := leg.Message(ctx, m)
			if err != nil {
				t.Error(err)
			}
			results = append(results, r)
		}
	}, func(w *world) {
		r := w.place(esltest.Caller{Script: []esltest.Act{esltest.Speak(5 * time.Second)}})
		if len(results) != 2 || results[0].Length != 5*time.Second || results[1].Length != 0 {
			t.Errorf("results %+v", results)
		}
		if r.Cause != call.NormalClearing || len(r.Sockets) != 2 {
			t.Errorf("the call ended by %s after %d connections", r.Cause, len(r.Sockets))
		}
	})
}

func TestRecording(t *testing.T) {
	var unwritable, message, strange error
	inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
		leg.Save(ctx, checkpoint(leg))
		leg.Answer(ctx)
		for _, do := range []call.Recording{call.StopRecording, call.StartRecording, call.StartRecording, call.PauseRecording, call.ResumeRecording} {
			if err := leg.Recording(ctx, do, "/calls/1.wav"); err != nil {
				t.Errorf("%s: %v", do, err)
			}
		}
		unwritable = leg.Recording(ctx, call.StartRecording, "/full/1.wav")
		_, message = leg.Message(ctx, call.Message{Path: "/full/2.wav", Max: time.Minute})
		strange = leg.Recording(ctx, call.StartRecording, "/calls/a b.wav")
		leg.Wait(ctx, 3*time.Second, call.Prompt{})
		// A dial's own recording, of nothing but the dial.
		b := dial(leg, 1, "7")
		b.Record = "/calls/1-1.wav"
		if _, err := leg.Bridge(ctx, b, checkpoint(leg)); err != nil {
			t.Error(err)
		}
		leg.Recording(ctx, call.StopRecording, "/calls/1.wav")
	}, func(w *world) {
		w.Files = map[string]esltest.Sound{"/full/1.wav": {Missing: true}, "/full/2.wav": {Missing: true}}
		w.SetCallee("7", esltest.Answers(time.Second, 4*time.Second))
		k := w.Call(esltest.Caller{From: "+1", To: "+2"})
		<-k.Done()
		if ms := k.Variable("record_ms"); ms != "8000" { // 3 s, and a dial of 5 s
			t.Errorf("the call was recorded for %s ms", ms)
		}
		for _, err := range []error{unwritable, message} {
			if err == nil || !strings.Contains(err.Error(), "uri-failure") {
				t.Errorf("into what cannot be written: %v", err)
			}
		}
		if strange == nil || !strings.Contains(strange.Error(), "without spaces") {
			t.Errorf("a path with a space: %v", strange)
		}
	})
}
