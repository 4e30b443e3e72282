package eslctl_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// step is one thing that the recorded server did to the call.
type step struct {
	verb, app, arg string
	waited         bool   // it waited for the application's end before it went on
	result         string // of the application, as the completion tells it
}

// recorded reads from a transcript what the server did on one connection, and
// how FreeSWITCH said that the call ended.
func recorded(t *testing.T, tr *esltest.Transcript, conn int) (steps []step, cause call.Cause) {
	t.Helper()
	open := map[string]int{} // executes that are not complete, by event-uuid
	for _, r := range tr.Records {
		if r.Note != "" || r.Conn != conn {
			continue
		}
		f, err := r.Frame()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case !r.Sent && f.Command() == "sendmsg" && f.Get("call-command") == "execute":
			arg := string(f.Body)
			if arg == "" {
				arg = f.Get("execute-app-arg")
			}
			open[f.Get("event-uuid")] = len(steps)
			steps = append(steps, step{verb: "execute", app: f.Get("execute-app-name"), arg: arg})
		case !r.Sent && f.Command() == "sendmsg" && f.Get("call-command") == "hangup":
			steps = append(steps, step{verb: "hangup", arg: f.Get("hangup-cause")})
		case !r.Sent && f.Command() == "exit":
			steps = append(steps, step{verb: "exit"})
		case r.Sent && f.Get("Content-Type") == "text/event-plain":
			ev, err := eslctl.ParseEvent(f.Body)
			if err != nil {
				t.Fatal(err)
			}
			i, ok := open[ev.Get("Application-UUID")]
			switch {
			case ev.Name() == "CHANNEL_EXECUTE_COMPLETE" && ok:
				steps[i].result = ev.Get("Application-Response")
				steps[i].waited = i == len(steps)-1
				if steps[i].app == "bridge" && ev.Var("originate_disposition") != "SUCCESS" {
					steps[i].result = ev.Var("originate_disposition")
				}
			case ev.Name() == "CHANNEL_HANGUP" && ev.Get("Unique-ID") == ev.Get("Channel-Call-UUID") && ev.Get("Call-Direction") == "inbound":
				cause = call.Cause(ev.Get("Hangup-Cause"))
			}
		}
	}
	return steps, cause
}

// Every recorded call goes through a leg that does what the recorded server
// did: each application must end as it did then, and so must the call.
func TestTranscriptsThroughTheLeg(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.esl*")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		if strings.Contains(file, "30_inbound") || strings.Contains(file, "30b_inbound") {
			continue // not calls: TestClient has them
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".esl"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { replayThroughLeg(t, file) })
		})
	}
}

func replayThroughLeg(t *testing.T, file string) {
	tr, err := esltest.OpenTranscript(file)
	if err != nil {
		t.Fatal(err)
	}
	conn := 0
	esltest.Replay(t, file, func(nc net.Conn) {
		conn++
		steps, cause := recorded(t, tr, conn)
		var end eslctl.End
		s := &eslctl.Server{
			Settings: eslctl.Settings{Engine: "flite", Voice: "slt", LastResort: "x"},
			Ended:    func(_ *eslctl.Leg, e eslctl.End) { end = e },
			Problem:  func(_ string, err error) { t.Errorf("connection %d: %v", conn, err) },
			Handler:  func(ctx context.Context, leg *eslctl.Leg) { follow(t, ctx, leg, steps) },
		}
		s.ServeConn(context.Background(), nc)
		if cause != "" && end.Cause != cause {
			t.Errorf("connection %d: the call ended by %q, recorded was %s", conn, end.Cause, cause)
		}
	})
}

func follow(t *testing.T, ctx context.Context, leg *eslctl.Leg, steps []step) {
	for _, s := range steps {
		switch s.verb {
		case "hangup":
			cause := call.Cause(s.arg)
			if !cause.Known() {
				cause = call.NormalClearing // as FreeSWITCH does with a name that it does not know
			}
			go leg.Hangup(ctx, cause)
			continue
		case "exit":
			leg.HandOver()
			return
		}
		if !s.waited {
			go leg.Execute(ctx, s.app, s.arg)
			synctest.Wait() // it was sent
			continue
		}
		got, err := leg.Execute(ctx, s.app, s.arg)
		if err == nil && s.app == "bridge" {
			if want := s.result; want != "_none_" && !strings.HasSuffix(got, want) || want == "_none_" && !strings.HasPrefix(got, "completed") {
				t.Errorf("bridge ended as %q, recorded was %q", got, want)
			}
		} else if err == nil && got != s.result {
			t.Errorf("%s ended with %q, recorded was %q", s.app, got, s.result)
		}
	}
	<-ctx.Done()
}
