package eslctl_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// serve runs a server over TCP until the test ends.
func serve(t *testing.T, s *eslctl.Server) {
	t.Helper()
	ready, done := make(chan struct{}), make(chan error, 1)
	if s.Address == "" {
		s.Address = "127.0.0.1:0"
	}
	s.Listening = func() { close(ready) }
	if s.Ended == nil {
		s.Ended = func(*eslctl.Leg, eslctl.End) {}
	}
	s.Settings.LastResort = esltest.LastResort
	ctx, cancel := context.WithCancel(context.Background())
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
}

func simulated(t *testing.T, nodes, takeover string) *esltest.Switch {
	t.Helper()
	sw := esltest.NewSwitch()
	sw.Dialplan = esltest.Dialplan(nodes, takeover, 60)
	t.Cleanup(sw.Close)
	return sw
}

// until waits for the caller's context to end, which keeps the call.
func until(ctx context.Context, _ *eslctl.Leg) { <-ctx.Done() }

func TestFullServerIsRefusedAtTCPSoThatTheNextHostIsTried(t *testing.T) {
	got := make(chan string, 4)
	handler := func(name string) func(context.Context, *eslctl.Leg) {
		return func(ctx context.Context, leg *eslctl.Leg) {
			got <- name
			until(ctx, leg)
		}
	}
	first := &eslctl.Server{Allow: loopback, MaxCalls: 1, Handler: handler("first")}
	second := &eslctl.Server{Allow: loopback, Handler: handler("second")}
	serve(t, first)
	serve(t, second)
	sw := simulated(t, first.Address+"|"+second.Address, "")
	one := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	if name := <-got; name != "first" {
		t.Fatalf("the first call went to %s", name)
	}
	two := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	if name := <-got; name != "second" {
		t.Fatalf("the call over the cap went to %s", name)
	}
	one.HangUp()
	<-one.Done()
	if err := first.Drain(t.Context()); err != nil { // every call gone, and none taken any more
		t.Error(err)
	}
	two.HangUp()
	<-two.Done()
}

func TestRoomAgainMeansCallsAgain(t *testing.T) {
	got := make(chan struct{}, 4)
	over := make(chan struct{}, 4)
	s := &eslctl.Server{Allow: loopback, MaxCalls: 1, Handler: func(ctx context.Context, leg *eslctl.Leg) {
		got <- struct{}{}
		until(ctx, leg)
	}, Ended: func(*eslctl.Leg, eslctl.End) { over <- struct{}{} }}
	serve(t, s)
	sw := simulated(t, s.Address, "")
	for range 3 {
		k := sw.Call(esltest.Caller{From: "+1", To: "+2"}) // waits in its dialplan while there is no room
		<-got
		k.HangUp()
		<-over
	}
}

func TestServerThatRefusesLeavesNewCallsToTheNextHost(t *testing.T) {
	got := make(chan string, 4)
	handler := func(name string) func(context.Context, *eslctl.Leg) {
		return func(ctx context.Context, leg *eslctl.Leg) {
			got <- name
			until(ctx, leg)
		}
	}
	first := &eslctl.Server{Allow: loopback, Takeover: "127.0.0.1:0", Handler: handler("first")}
	second := &eslctl.Server{Allow: loopback, Handler: handler("second")}
	serve(t, first)
	serve(t, second)
	address, takeover := first.Addresses()
	sw := simulated(t, address+"|"+second.Address, "")
	place := func(want string) *esltest.Call {
		t.Helper()
		k := sw.Call(esltest.Caller{From: "+1", To: "+2"})
		if name := <-got; name != want {
			t.Errorf("the call went to %s, want %s", name, want)
		}
		return k
	}
	live := place("first")
	first.Refuse(true)
	first.Refuse(true)
	place("second")
	first.Refuse(false)
	first.Refuse(true)
	place("second")
	if first.Live() != 1 {
		t.Errorf("%d calls live, want the one that was there before", first.Live())
	}
	nc, err := net.Dial("tcp", takeover) // FreeSWITCH would hand over a call of another server
	if err != nil {
		t.Fatalf("a takeover is refused: %v", err)
	}
	nc.Close()

	first.Refuse(false)
	alone := simulated(t, address, "") // retries until the address is listened on again
	alone.Call(esltest.Caller{From: "+1", To: "+2"})
	if name := <-got; name != "first" {
		t.Errorf("the call went to %s", name)
	}
	live.HangUp()
	<-live.Done()
}

func TestStrangersAreNotServed(t *testing.T) {
	problems := make(chan error, 1)
	s := &eslctl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Handler: until,
		Problem: func(_ string, err error) { problems <- err }}
	serve(t, s)
	nc, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if b, err := io.ReadAll(nc); len(b) > 0 && err == nil {
		t.Errorf("a stranger was told %q", b)
	}
	if err := <-problems; !strings.Contains(err.Error(), "allow list") {
		t.Error(err)
	}
}

// A check goes through the goroutines that accept: it passes while they wait for a call
// or for room, and loses no call.
func TestCheckPassesWhileCallsAreAccepted(t *testing.T) {
	got := make(chan struct{}, 4)
	s := &eslctl.Server{Takeover: "127.0.0.1:0", Allow: loopback, MaxCalls: 1, Handler: func(ctx context.Context, leg *eslctl.Leg) {
		got <- struct{}{}
		until(ctx, leg)
	}}
	serve(t, s)
	check := func(state string) {
		for range 100 {
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("%s: %v", state, err)
			}
		}
	}
	check("idle")
	sw := simulated(t, s.Address, s.Takeover)
	one := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	<-got
	check("full")
	one.HangUp()
	<-one.Done()
	two := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	<-got
	two.HangUp()
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("draining")
}

func TestCheckFailsWhenAcceptingHangs(t *testing.T) {
	hangs, goOn := make(chan struct{}), make(chan struct{})
	s := &eslctl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Handler: until,
		Problem: func(string, error) {
			close(hangs)
			<-goOn
		}}
	serve(t, s)
	nc, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	<-hangs
	late := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	if err := s.Check(ctx); !errors.Is(err, late) || !strings.Contains(err.Error(), s.Address) {
		t.Errorf("check: %v", err)
	}
	close(goOn)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddressTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &eslctl.Server{Address: "127.0.0.1:0", Takeover: l.Addr().String(), Allow: loopback, Handler: until}
	if err := s.Serve(t.Context()); err == nil {
		t.Error("served on an address that was taken")
	}
}

func TestHandOverGoesToTheNextNode(t *testing.T) {
	got := make(chan string, 4)
	handler := func(name string) func(context.Context, *eslctl.Leg) {
		return func(ctx context.Context, leg *eslctl.Leg) {
			leg.Save(ctx, call.Checkpoint{Epoch: leg.Epoch(), Node: name}.String())
			got <- name
			leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(600000,0,440)"})
		}
	}
	a := &eslctl.Server{Allow: loopback, Takeover: "127.0.0.1:0", Handler: handler("a"), Settings: eslctl.Settings{Engine: "flite", Voice: "slt"}}
	b := &eslctl.Server{Allow: loopback, Takeover: "127.0.0.1:0", Handler: handler("b"), Settings: eslctl.Settings{Engine: "flite", Voice: "slt"}}
	serve(t, a)
	serve(t, b)
	sw := simulated(t, a.Address, a.Takeover+"|"+b.Takeover)
	k := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	if name := <-got; name != "a" {
		t.Fatalf("the call began at %s", name)
	}
	a.HandOver()
	if name := <-got; name != "b" {
		t.Fatalf("the call was handed over to %s", name)
	}
	if _, err := net.Dial("tcp", a.Takeover); err == nil {
		t.Error("the node that handed over still takes calls")
	}
	k.HangUp()
	<-k.Done()
}

// peer is one end of a connection whose other end a server handles in virtual
// time.
func withPeer(t *testing.T, steps []esltest.Step, handle func(ctx context.Context, leg *eslctl.Leg)) (problems []error, ended []eslctl.End) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		theirs, ours := net.Pipe()
		s := &eslctl.Server{Handler: handle, Settings: eslctl.Settings{Engine: "flite", Voice: "slt", LastResort: "x"},
			Ended:   func(_ *eslctl.Leg, e eslctl.End) { ended = append(ended, e) },
			Problem: func(_ string, err error) { problems = append(problems, err) }}
		done := make(chan struct{})
		go func() {
			s.ServeConn(context.Background(), ours)
			close(done)
		}()
		if err := esltest.Script(steps).Run(theirs); err != nil {
			t.Error(err)
		}
		theirs.Close()
		<-done
	})
	return problems, ended
}

func connected(more ...esltest.Step) []esltest.Step {
	ok := esltest.Send(esltest.Reply("+OK"))
	return append([]esltest.Step{
		esltest.Expect("connect"), esltest.Send(esltest.ConnectReply("Unique-ID: u1", "Caller-Destination-Number: 123", "Answer-State: ringing")),
		esltest.Expect("linger 10"), ok,
		esltest.Expect("filter Unique-ID u1"), ok,
		esltest.Expect("filter Other-Leg-Unique-ID u1"), ok,
		esltest.Expect("event plain"), ok,
	}, more...)
}

func TestSilentPeerCostsALimitedTime(t *testing.T) {
	problems, _ := withPeer(t, []esltest.Step{esltest.Expect("connect"), esltest.WaitForClose()}, nil)
	if len(problems) != 1 || !errors.Is(problems[0], eslctl.ErrTimeout) {
		t.Errorf("problems %v", problems)
	}
}

// A reply that comes too late must never be taken for the next one's.
func TestReplyTooLateEndsTheConnection(t *testing.T) {
	var got error
	var took time.Duration
	_, ended := withPeer(t, connected(esltest.Expect("api uuid_setvar_multi"), esltest.WaitForClose()),
		func(ctx context.Context, leg *eslctl.Leg) {
			began := time.Now()
			got, took = leg.Save(ctx, "1.1.n1."), time.Since(began)
		})
	if !errors.Is(got, call.ErrLost) || took < 10*time.Second {
		t.Errorf("Save returned %v after %v", got, took)
	}
	if len(ended) != 1 || ended[0].Known {
		t.Errorf("ended %+v", ended)
	}
}

func TestBrokenFramesEndTheConnectionOnly(t *testing.T) {
	for name, wire := range map[string]string{
		"negative length":    "Content-Length: -1\nContent-Type: text/event-plain\n\n",
		"event without end":  "Content-Length: 5\nContent-Type: text/event-plain\n\nhello",
		"reply to nothing":   "Content-Type: command/reply\nReply-Text: +OK\n\nContent-Type: command/reply\nReply-Text: +OK\n\n",
		"unknown type":       "Content-Type: text/surprise\n\n",
		"inner length lies":  "Content-Length: 40\nContent-Type: text/event-plain\n\nEvent-Name: DTMF\nContent-Length: 99\n\nabcd",
		"rude rejection":     "Content-Type: text/rude-rejection\nContent-Length: 0\n\n",
		"length not a digit": "Content-Length: ten\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			var got error
			withPeer(t, connected(esltest.Send(wire), esltest.WaitForClose()), func(ctx context.Context, leg *eslctl.Leg) {
				<-ctx.Done()
				got = context.Cause(ctx)
			})
			if !errors.Is(got, call.ErrLost) {
				t.Errorf("the call's context ended with %v", got)
			}
		})
	}
}

// A line break in an argument would be another command.
func TestLineBreaksNeverReachTheWire(t *testing.T) {
	var errs []error
	withPeer(t, connected(esltest.Expect("api uuid_kill u1 NORMAL_CLEARING"), esltest.Send(esltest.API("+OK\n")), esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP", "Unique-ID: u1", "Hangup-Cause: NORMAL_CLEARING")),
		esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP_COMPLETE", "Unique-ID: u1", "Hangup-Cause: NORMAL_CLEARING")), esltest.WaitForClose()),
		func(ctx context.Context, leg *eslctl.Leg) {
			for _, bad := range []string{"a\nb", "a\rb", "a\x00b", "x\n\napi system id"} {
				errs = append(errs, leg.Play(ctx, call.Prompt{Kind: call.File, Text: bad}), leg.Save(ctx, bad))
			}
		})
	if len(errs) != 8 {
		t.Fatalf("%d errors", len(errs))
	}
	for _, err := range errs {
		var unsafe *eslctl.UnsafeError
		if !errors.As(err, &unsafe) {
			t.Errorf("sent: %v", err)
		}
	}
}

// A node that was cut off and believes that it controls the call must stop as
// soon as it sees a later controller's checkpoint. It leaves its connection to
// the switch: the end of it could break off the later one.
func TestOlderControllerStops(t *testing.T) {
	var got error
	var successor string
	stopped := make(chan struct{})
	_, ended := withPeer(t, connected(
		esltest.Send(esltest.PlainEvent("CHANNEL_ANSWER", "Unique-ID: u1", "variable_hookswitch_checkpoint: 1.2.n2.abc")),
		esltest.Expect("api status"), esltest.Send(esltest.API("UP\n")), // all that it still says
		esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP_COMPLETE", "Unique-ID: u1", "variable_hookswitch_checkpoint: 1.2.n2.abc"))),
		func(ctx context.Context, leg *eslctl.Leg) {
			<-ctx.Done()
			got, successor = leg.Save(ctx, "1.1.n1."), leg.Successor()
			close(stopped)
		})
	<-stopped
	if !errors.Is(got, call.ErrLost) || successor != "n2" {
		t.Errorf("Save returned %v, successor %q", got, successor)
	}
	if len(ended) != 1 || ended[0].Known {
		t.Errorf("ended %+v", ended)
	}
}

// An application over its limit is stopped, by breaks that are repeated because
// one may come too early, and the call with it if it does not obey.
func TestApplicationOverItsLimit(t *testing.T) {
	var got error
	steps := connected(esltest.Expect("sendmsg"), esltest.Send(esltest.Reply("+OK")))
	for range 7 {
		steps = append(steps, esltest.Expect("api uuid_break u1"), esltest.Send(esltest.API("+OK\n")))
	}
	steps = append(steps,
		esltest.Expect("api uuid_kill u1 NORMAL_TEMPORARY_FAILURE"), esltest.Send(esltest.API("+OK\n")),
		esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP", "Unique-ID: u1", "Hangup-Cause: NORMAL_TEMPORARY_FAILURE")),
		esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP_COMPLETE", "Unique-ID: u1", "Hangup-Cause: NORMAL_TEMPORARY_FAILURE")),
		esltest.WaitForClose())
	withPeer(t, steps, func(ctx context.Context, leg *eslctl.Leg) { got = leg.Answer(ctx) })
	var h *call.HungUp
	if !errors.As(got, &h) || h.Cause != call.TemporaryFailure {
		t.Errorf("Answer returned %v", got)
	}
}

// The hangup and the completion of what ran come together; the verb must not
// end as if the caller were there.
func TestHangupComesWithTheCompletion(t *testing.T) {
	for range 30 { // which of the two is looked at first is chance
		var got error
		withPeer(t, connected(
			esltest.Expect("sendmsg"),
			esltest.Send(esltest.Reply("+OK")+
				esltest.PlainEvent("CHANNEL_HANGUP", "Unique-ID: u1", "Hangup-Cause: ORIGINATOR_CANCEL")+
				esltest.PlainEvent("CHANNEL_EXECUTE_COMPLETE", "Unique-ID: u1", "Application-UUID: hs-1-1", "Application-Response: FILE PLAYED")),
			esltest.Send(esltest.PlainEvent("CHANNEL_HANGUP_COMPLETE", "Unique-ID: u1", "Hangup-Cause: ORIGINATOR_CANCEL")),
			esltest.WaitForClose()),
			func(ctx context.Context, leg *eslctl.Leg) {
				got = leg.Play(ctx, call.Prompt{Kind: call.File, Text: "a.wav"})
			})
		var h *call.HungUp
		if !errors.As(got, &h) || h.Cause != call.OriginatorCancel {
			t.Fatalf("Play returned %v", got)
		}
	}
}
