package esltest_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

func TestDialplanIsTheOneThatIsShipped(t *testing.T) {
	data, err := os.ReadFile("../../freeswitch-conf/fragments/dialplan/00_hookswitch.xml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Set []struct {
			Data string `xml:"data,attr"`
		} `xml:"X-PRE-PROCESS"`
		Extensions []struct {
			Name    string `xml:"name,attr"`
			Actions []struct {
				App  string `xml:"application,attr"`
				Data string `xml:"data,attr"`
			} `xml:"condition>action"`
		} `xml:"extension"`
	}
	if err := xml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var globals []string
	for _, s := range file.Set {
		name, value, _ := strings.Cut(s.Data, "=")
		globals = append(globals, "$${"+name+"}", value)
	}
	var want []esltest.Action
	for _, a := range file.Extensions[0].Actions {
		want = append(want, esltest.Action{App: a.App, Data: strings.NewReplacer(globals...).Replace(a.Data)})
	}
	if got := esltest.Dialplan("127.0.0.1:8084", "127.0.0.1:8085", 60); !slices.Equal(got, want) {
		t.Errorf("the dialplan differs from freeswitch-conf's:\n%v\n%v", got, want)
	}
	if file.Extensions[1].Name != esltest.LastResort {
		t.Errorf("last resort %q", file.Extensions[1].Name)
	}
}

func TestHostListIsTriedInOrderAndRunsOut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.Dialplan = esltest.Dialplan("n1:8090|n2|n3:1/path", "", 2)
		var tried []string
		w.Dial = func(_ context.Context, address string) (net.Conn, error) {
			tried = append(tried, address)
			return nil, net.ErrClosed
		}
		r := result(w.Call(ann()))
		if r.Cause != call.TemporaryFailure || r.Status != 503 || r.Ended.Sub(r.Started) != time.Second || r.By != "switch" {
			t.Errorf("result %+v", r)
		}
		if want := []string{"n1:8090", "n2:8090", "n3:1", "n1:8090", "n2:8090", "n3:1"}; !slices.Equal(tried, want) {
			t.Errorf("tried %q, want %q", tried, want)
		}
	})
}

// What no transcript shows of the loss of a socket was seen on 1.11.1.
func TestLossBeforeConnect(t *testing.T) {
	for _, resume := range []bool{true, false} {
		t.Run(fmt.Sprintf("socket_resume=%v", resume), func(t *testing.T) {
			inWorld(t, func(w *world) {
				if !resume {
					w.Dialplan = []esltest.Action{{App: "socket", Data: "n1:8084 async full"}, {App: "socket", Data: "n1:8084 async full"}}
				}
				k := w.Call(ann())
				w.server().drop()
				if resume {
					w.server().connect().say("api uuid_kill " + k.UUID)
					return
				}
				select {
				case <-w.next:
					t.Error("the call is not stuck in park")
				case <-k.Done():
					t.Error("the call is not stuck in park, it ended")
				case <-time.After(24 * time.Hour):
				}
				k.HangUp()
				if r := result(k); r.Cause != call.OriginatorCancel || r.Status != 487 {
					t.Errorf("result %+v", r)
				}
			})
		})
	}
}

func TestResumeTurnedOffInTheQueueStrandsTheCall(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.Call(ann())
		s := w.server().connect()
		s.run("answer", "")
		s.queue("playback", "tone_stream://%(60000,0,440)", true)
		s.queue("set", "socket_resume=false", true)
		s.drop()
		select {
		case <-w.next:
			t.Error("the dialplan went on")
		case <-k.Done():
			t.Error("the call ended")
		case <-time.After(24 * time.Hour):
		}
		if heard := k.Result().Heard; len(heard) != 1 || heard[0].For > time.Second {
			t.Errorf("heard %+v", heard)
		}
		k.HangUp()
		if r := result(k); r.Cause != call.NormalClearing || r.By != "caller" {
			t.Errorf("result %+v", r)
		}
	})
}

func TestResumeTurnedOffByTheAPIIsSafe(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.Call(ann())
		s := w.server().connect()
		s.run("answer", "")
		s.queue("playback", "tone_stream://%(3000,0,440)", true)
		if got := s.say("api uuid_setvar " + k.UUID + " socket_resume false"); got != "+OK\n" {
			t.Errorf("setvar: %q", got)
		}
		began := time.Now()
		s.drop()
		s = w.server().connect()
		if took := time.Since(began); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("the next server came after %v", took)
		}
		if s.vars.Get("Answer-State") != "answered" || s.vars.Var("socket_resume") != "true" || s.vars.Var("playback_ms") != "3000" {
			t.Errorf("second connect reply %v %v", s.vars.Get("Answer-State"), s.vars.Var("playback_ms"))
		}
		s.say("api uuid_kill " + k.UUID)
	})
}

func TestLossWhileRingingAndBridgedLeavesTheBridge(t *testing.T) {
	inWorld(t, func(w *world) {
		w.SetCallee("2001", esltest.Answers(5*time.Second, 10*time.Second))
		k := w.Call(ann())
		s := w.server().connect()
		s.run("answer", "")
		s.say("api uuid_setvar_multi " + k.UUID + " socket_resume=false;continue_on_fail=true;x=")
		s.queue("bridge", "[origination_uuid=b-leg]sofia/gateway/carrier/2001", true)
		s.await("CHANNEL_PROGRESS", nil)
		s.drop()
		s = w.server().connect()
		if s.vars.Var("originate_disposition") != "SUCCESS" || s.vars.Var("bridge_uuid") != "b-leg" || s.vars.Var("bridge_hangup_cause") != "NORMAL_CLEARING" {
			t.Errorf("the second server does not learn of the bridge: %q", s.vars.Var("originate_disposition"))
		}
		s.say("api uuid_kill " + k.UUID)
		if r := result(k); len(r.Talked) != 1 || r.Talked[0].For != 10*time.Second || r.Talked[0].To != "2001" {
			t.Errorf("talked %+v", r.Talked)
		}
	})
}

func TestClosingTransferredCallEndsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.Call(ann())
		s := w.server().connect()
		s.say("api uuid_setvar " + k.UUID + " socket_resume false")
		if got := s.say("api uuid_transfer " + k.UUID + " " + esltest.LastResort + " XML public"); got != "+OK\n" {
			t.Errorf("transfer: %q", got)
		}
		if r := result(k); r.Cause != call.TemporaryFailure || r.Status != 503 {
			t.Errorf("result %+v", r)
		}
	})
}

func TestLegUUIDInUseIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.SetCallee("2001", esltest.RingsForever())
		w.SetCallee("2002", esltest.Answers(0, 0))
		first := w.Call(ann())
		a := w.server().connect()
		a.queue("bridge", "[origination_uuid=same]sofia/gateway/carrier/2001", true)
		a.await("CHANNEL_PROGRESS", nil)
		second := w.Call(ann())
		b := w.server().connect()
		b.run("set", "continue_on_fail=true")
		ev := b.run("bridge", "[origination_uuid=same]sofia/gateway/carrier/2002")
		if got := ev.Var("originate_disposition"); got != "DESTINATION_OUT_OF_ORDER" {
			t.Errorf("disposition %s", got)
		}
		if len(w.Dials("2001")) != 1 || len(w.Dials("2002")) != 0 {
			t.Errorf("dials %v %v", w.Dials("2001"), w.Dials("2002"))
		}
		a.say("api uuid_kill " + first.UUID)
		b.say("api uuid_kill " + second.UUID)
	})
}

func TestCallerActs(t *testing.T) {
	long := "tone_stream://%(30000,0,440)"
	for name, c := range map[string]struct {
		script []esltest.Act
		answer bool
		app    [2]string
		cause  call.Cause
		after  time.Duration
	}{
		"hangs up while hearing": {[]esltest.Act{esltest.HangUp().WhenPlaying("tone").After(2 * time.Second)}, true,
			[2]string{"playback", long}, call.NormalClearing, 2 * time.Second},
		"cancels": {[]esltest.Act{esltest.HangUp().After(time.Second)}, false,
			[2]string{"sleep", "5000"}, call.OriginatorCancel, time.Second},
		"hangs up while it rings": {[]esltest.Act{esltest.HangUp().When(esltest.Ringing)}, true,
			[2]string{"bridge", "sofia/gateway/carrier/2001"}, call.NormalClearing, 0},
		"hangs up when connected": {[]esltest.Act{esltest.HangUp().When(esltest.Bridged).After(time.Second)}, true,
			[2]string{"bridge", "sofia/gateway/carrier/2002"}, call.NormalClearing, 2 * time.Second},
		"hangs up when left": {[]esltest.Act{esltest.HangUp().When(esltest.Released).After(time.Second)}, true,
			[2]string{"bridge", "sofia/gateway/carrier/2003"}, call.NormalClearing, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.SetCallee("2001", esltest.RingsForever())
				w.SetCallee("2002", esltest.Answers(time.Second, 0))
				w.SetCallee("2003", esltest.Answers(time.Second, 2*time.Second))
				k := w.Call(ann(c.script...))
				s := w.server().connect()
				s.run("set", "continue_on_fail=true")
				if c.answer {
					s.run("answer", "")
				}
				s.queue(c.app[0], c.app[1], true)
				r := result(k)
				if r.Cause != c.cause || r.By != "caller" || r.Ended.Sub(r.Started) != c.after || r.Answered != c.answer {
					t.Errorf("result %+v", r)
				}
			})
		})
	}
}

func TestDigitsReachWhoeverAsks(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.Call(ann(esltest.Press("12#").WhenPlaying("%(2000").After(time.Second)))
		s := w.server().connect()
		s.run("answer", "")
		ev := s.run("play_and_get_digits", "1 4 1 3000 # tone_stream://%(2000,0,440) '' got '' 1000")
		if ev.Var("got") != "12" || ev.Var("read_result") != "success" || ev.Var("read_terminator_used") != "#" {
			t.Errorf("got %q, %q, %q", ev.Var("got"), ev.Var("read_result"), ev.Var("read_terminator_used"))
		}
		s.say("api uuid_kill " + k.UUID)
	})
}

func TestUnlockedApplicationRunsInsideAnother(t *testing.T) {
	inWorld(t, func(w *world) {
		k := w.Call(ann())
		s := w.server().connect()
		s.run("answer", "")
		s.queue("playback", "tone_stream://%(2000,0,440)", false)
		s.await("CHANNEL_EXECUTE", nil)
		s.queue("playback", "tone_stream://%(1000,0,640)", false)
		began := time.Now()
		for _, want := range []string{"%(1000,0,640)", "%(2000,0,440)"} {
			if ev := s.await("CHANNEL_EXECUTE_COMPLETE", nil); !strings.Contains(ev.Get("Application-Data"), want) {
				t.Errorf("%s completed, want %s", ev.Get("Application-Data"), want)
			}
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("both took %v", took)
		}
		s.say("api uuid_kill " + k.UUID)
	})
}

func TestInboundSocketWatchesCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		here, there := net.Pipe()
		w.ServeConn(there)
		in := newServer(t, here)
		<-in.replies // auth/request
		if got := in.say("auth ClueCon"); got != "+OK accepted" {
			t.Errorf("auth: %q", got)
		}
		in.say("filter variable_hookswitch_checkpoint /./")
		in.say("event plain CHANNEL_HANGUP_COMPLETE")
		ignored, watched := w.Call(ann()), (*esltest.Call)(nil)
		a := w.server().connect()
		watched = w.Call(ann())
		b := w.server().connect()
		b.say("api uuid_setvar " + watched.UUID + " hookswitch_checkpoint 1.1.n1.abc")
		var table struct {
			Count int `json:"row_count"`
			Rows  []map[string]string
		}
		if err := json.Unmarshal([]byte(in.say("api show channels as json")), &table); err != nil || table.Count != 2 || table.Rows[1]["uuid"] != watched.UUID {
			t.Errorf("channels %+v %v", table, err)
		}
		a.say("api uuid_kill " + ignored.UUID)
		b.say("api uuid_kill " + watched.UUID + " USER_BUSY")
		ev := in.await("CHANNEL_HANGUP_COMPLETE", nil)
		if ev.Get("Unique-ID") != watched.UUID || ev.Get("Hangup-Cause") != "USER_BUSY" || ev.Var("hookswitch_checkpoint") != "1.1.n1.abc" {
			t.Errorf("told of %s: %s", ev.Get("Unique-ID"), ev.Get("Hangup-Cause"))
		}
		if got := in.say("api uuid_exists " + watched.UUID); got != "false" {
			t.Errorf("exists: %q", got)
		}
		// The socket lingers, so the channel is still in the table.
		if got := in.say("api show channels count"); got != "\n2 total.\n" {
			t.Errorf("count: %q", got)
		}
		<-time.After(12 * time.Second) // virtual
		if got := in.say("api show channels as json"); got != "{\"row_count\": 0}\n" {
			t.Errorf("channels: %q", got)
		}
		in.say("exit")
	})
}

func TestCDRIsWritten(t *testing.T) {
	for _, plain := range []bool{true, false} {
		inWorld(t, func(w *world) {
			w.CDRDir, w.CDRPlain = t.TempDir(), plain
			k := w.Call(ann())
			s := w.server().connect()
			s.run("answer", "")
			s.run("playback", "tone_stream://%(3000,0,440)")
			s.say("api uuid_kill " + k.UUID)
			<-k.Done()
			data, err := os.ReadFile(filepath.Join(w.CDRDir, k.UUID+".cdr.json"))
			if err != nil {
				t.Fatal(err)
			}
			var cdr struct{ Variables map[string]string }
			if err := json.Unmarshal(data, &cdr); err != nil || data[len(data)-1] != '\n' {
				t.Fatal(err)
			}
			from := "+15550111"
			if !plain {
				from = "%2B15550111"
			}
			if v := cdr.Variables; v["billmsec"] != "3000" || v["hookswitch"] != "true" || v["sip_from_user"] != from {
				t.Errorf("variables %v", v)
			}
		})
	}
}

// Close ends calls in every state, and everything that runs for them; synctest
// would find what is left.
func TestCloseEndsEverything(t *testing.T) {
	inWorld(t, func(w *world) {
		w.SetCallee("2001", esltest.RingsForever())
		w.SetCallee("2002", esltest.Answers(0, 0))
		for _, app := range [][2]string{{"sleep", "100000"}, {"playback", "tone_stream://%(100000,0,440)"},
			{"bridge", "sofia/gateway/carrier/2001"}, {"bridge", "sofia/gateway/carrier/2002"},
			{"play_and_get_digits", "1 1 1 50000 # '' '' x"}} {
			w.Call(ann())
			s := w.server().connect()
			s.run("answer", "")
			s.queue(app[0], app[1], true)
		}
		w.Call(ann())
		synctest.Wait()
	})
}

// Calls at once cost a few goroutines each, and nothing is shared
// that would make them wait for each other.
func TestManyCallsAtOnce(t *testing.T) {
	const calls = 500
	inWorld(t, func(w *world) {
		w.SetCallee("2001", esltest.Busy())
		w.SetCallee("2002", esltest.Answers(time.Second, 10*time.Second))
		var wait sync.WaitGroup
		wait.Add(calls) // their servers
		w.Dial = func(context.Context, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer wait.Done()
				s := newServer(t, here).subscribe("CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE")
				s.run("multiset", "^^:continue_on_fail=true:tts_engine=flite")
				s.run("answer", "")
				if d := s.run("play_and_get_digits", "1 1 1 3000 none say:Press '' got").Var("got"); d != "1" {
					t.Errorf("got %q", d)
				}
				s.run("bridge", "sofia/gateway/carrier/2001")
				s.run("bridge", "sofia/gateway/carrier/2002")
				s.say("api uuid_kill " + s.id())
				s.await("CHANNEL_HANGUP_COMPLETE", nil)
				s.drop()
			}()
			return there, nil
		}
		for range calls {
			k := w.Call(ann(esltest.Press("1").WhenPlaying("Press").After(100 * time.Millisecond)))
			wait.Go(func() {
				if r := result(k); r.Cause != call.NormalClearing || len(r.Talked) != 1 || r.Talked[0].For != 10*time.Second {
					t.Errorf("result %+v", r)
				}
			})
		}
		<-time.After(5 * time.Second) // virtual
		most := runtime.NumGoroutine()
		wait.Wait()
		if len(w.Dials("2001")) != calls || len(w.Dials("2002")) != calls {
			t.Errorf("%d and %d dials", len(w.Dials("2001")), len(w.Dials("2002")))
		}
		// Of the test itself: two for the server, one that waits for the end.
		if most > 10*calls {
			t.Errorf("%d goroutines for %d calls", most, calls)
		}
		seen := map[string]bool{}
		for _, dials := range w.AllDials() {
			for _, d := range dials {
				if seen[d.UUID] {
					t.Errorf("leg %s twice", d.UUID)
				}
				seen[d.UUID] = true
			}
		}
	})
}
