package eslctl_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
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

func TestTransfer(t *testing.T) {
	t.Run("away", func(t *testing.T) {
		inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
			leg.Save(ctx, checkpoint(leg))
			for _, bad := range []string{"", "a b", "-both", "9000 XML x"} {
				if err := leg.Transfer(ctx, call.Extension{Number: bad}); err == nil {
					t.Errorf("transferred to %q", bad)
				}
			}
			if err := leg.Transfer(ctx, call.Extension{Number: "attendant", Context: "desk"}); err != nil {
				t.Error(err)
			}
		}, func(w *world) {
			w.Extensions = map[string][]esltest.Action{"attendant": {{App: "answer"}, {App: "sleep", Data: "5000"}, {App: "hangup", Data: "USER_BUSY"}}}
			r := w.place(esltest.Caller{})
			if r.Cause != call.UserBusy || r.Ended.Sub(r.Started) != 5*time.Second {
				t.Errorf("result %+v", r)
			}
			if len(w.ends) != 1 || w.ends[0].Cause != call.UserBusy || !w.ends[0].Complete {
				t.Errorf("ends %+v", w.ends)
			}
		})
	})
	// The first connection notices the second, and neither disturbs it nor tells
	// the end of its call.
	t.Run("and back", func(t *testing.T) {
		var numbers []string
		var epochs []int
		inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
			numbers, epochs = append(numbers, leg.Call().Number), append(epochs, leg.Epoch())
			leg.Save(ctx, checkpoint(leg))
			if leg.Epoch() == 1 {
				leg.Transfer(ctx, call.Extension{Number: "+15550199"})
				return
			}
			leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(1000,0,440)"})
			leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(60000,0,440)"})
		}, func(w *world) {
			r := w.place(esltest.Caller{})
			if !slices.Equal(numbers, []string{"+15550100", "+15550199"}) || !slices.Equal(epochs, []int{1, 2}) {
				t.Errorf("numbers %q, epochs %v", numbers, epochs)
			}
			if r.Ended.Sub(r.Started) < time.Minute {
				t.Errorf("the call ended after %v", r.Ended.Sub(r.Started))
			}
			known := 0
			for _, e := range w.ends {
				if e.Known {
					known++
				}
			}
			if len(w.ends) != 2 || known != 1 {
				t.Errorf("ends %+v", w.ends)
			}
		})
	})
}

// everything collects all events of a simulated switch.
type everything struct {
	mu     sync.Mutex
	events []eslctl.Event
}

func watchAll(t *testing.T, sw *esltest.Switch) *everything {
	here, there := net.Pipe()
	sw.ServeConn(there)
	all := &everything{}
	ready := make(chan struct{}, 10)
	go func() {
		r := eslctl.NewReader(here)
		for {
			f, err := r.Read()
			if err != nil {
				return
			}
			if f.Get("Content-Type") != "text/event-plain" {
				ready <- struct{}{}
				continue
			}
			ev, err := eslctl.ParseEvent(f.Body)
			if err != nil {
				t.Error(err)
			}
			all.mu.Lock()
			all.events = append(all.events, ev.Clone())
			all.mu.Unlock()
		}
	}()
	<-ready // auth/request
	for _, cmd := range []string{"auth ClueCon", "event plain ALL"} {
		here.Write([]byte(cmd + "\n\n"))
		<-ready
	}
	return all
}

// Secret digits are in no record, however the call goes on.
func TestSecretDigits(t *testing.T) {
	const digits = "98765432"
	for name, c := range map[string]struct {
		script []esltest.Act
		lost   bool // the connection, while they are pressed
		value  string
	}{
		"gathered": {script: []esltest.Act{esltest.Press(digits).WhenPlaying("440"), esltest.Press("55").After(time.Second)}, value: digits},
		"hung up":  {script: []esltest.Act{esltest.Press(digits[:6]).WhenPlaying("440"), esltest.HangUp().After(time.Second)}},
		"lost":     {script: []esltest.Act{esltest.Press(digits[:6]).WhenPlaying("440")}, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var got call.Digits
			inWorld(t, func(ctx context.Context, leg *eslctl.Leg) {
				leg.Save(ctx, checkpoint(leg))
				leg.Answer(ctx)
				if leg.Epoch() > 1 {
					return
				}
				if c.lost {
					go func() {
						<-time.After(2 * time.Second) // virtual
						leg.HandOver()
					}()
				}
				got, _ = leg.Gather(ctx, call.Gather{Prompt: call.Prompt{Kind: call.Tone, Text: "%(5000,0,440)"}, Min: 8, Max: 8,
					Timeout: 5 * time.Second, Between: 3 * time.Second, Terminators: "#", Secret: true})
				leg.Wait(ctx, 3*time.Second, call.Prompt{})
				leg.Save(ctx, checkpoint(leg))
			}, func(w *world) {
				w.CDRDir = dir
				all := watchAll(t, w.Switch)
				r := w.place(esltest.Caller{Script: c.script})
				synctest.Wait()
				if got.Value != c.value {
					t.Errorf("gathered %q", got.Value)
				}
				all.mu.Lock()
				defer all.mu.Unlock()
				held := 0
				for _, ev := range all.events {
					app := ev.Name() + " " + ev.Get("Application")
					may := app == "CHANNEL_EXECUTE_COMPLETE play_and_get_digits" || app == "CHANNEL_EXECUTE unset"
					for name, value := range ev.All() {
						if strings.Contains(value, digits[:6]) {
							held++
							if !may {
								t.Errorf("%s: %s", app, name)
							}
						}
					}
					if ev.Name() == "DTMF" {
						t.Errorf("DTMF %s", ev.Get("DTMF-Digit"))
					}
				}
				if held == 0 {
					t.Error("no event held the digits at all")
				}
				cdr, err := os.ReadFile(filepath.Join(dir, r.UUID+".cdr.json"))
				if err != nil || bytes.Contains(cdr, []byte(digits[:6])) {
					t.Errorf("CDR: %v %s", err, cdr)
				}
			})
		})
	}
}
