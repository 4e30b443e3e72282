package eslctl_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// inbound lets a simulated switch listen for clients, and returns where.
func inbound(t *testing.T, sw *esltest.Switch) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sw.Password = "secret"
	done := make(chan error, 1)
	go func() { done <- sw.Serve(l) }()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestClient(t *testing.T) {
	sw := simulated(t, "127.0.0.1:1", "")
	address := inbound(t, sw)
	c, err := eslctl.Dial(t.Context(), address, "secret", func(eslctl.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	k := sw.Call(esltest.Caller{From: "+1", To: "+2"})
	if there, err := c.Exists(t.Context(), k.UUID); !there || err != nil {
		t.Errorf("a live channel: %v, %v", there, err)
	}
	if there, err := c.Exists(t.Context(), "00000000-0000-4000-8000-000000000000"); there || err != nil {
		t.Errorf("no channel: %v, %v", there, err)
	}
	if name, err := c.Switch(t.Context()); name != sw.Name || err != nil {
		t.Errorf("name of the switch: %q, %v", name, err)
	}
	if text, err := c.API(t.Context(), "nosuchcommand", ""); err == nil || !strings.Contains(err.Error(), "nosuchcommand") {
		t.Errorf("an unknown command: %q, %v", text, err)
	}
	if _, err := c.API(t.Context(), "status\n\nexit", ""); err == nil {
		t.Error("a line break was sent")
	}
	c.Close()
	c.Close()
	<-c.Done()
	if _, err := c.API(t.Context(), "status", ""); err == nil {
		t.Error("a command on a closed connection")
	}
	k.HangUp()
	<-k.Done()
}

func TestWrongPasswordIsNotRepeatedInTheError(t *testing.T) {
	sw := simulated(t, "127.0.0.1:1", "")
	_, err := eslctl.Dial(t.Context(), inbound(t, sw), "canary-password", func(eslctl.Event) {})
	if err == nil || !strings.Contains(err.Error(), "authentication") || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v", err)
	}
}

// The monitor hears of the end of a call that nobody controls any more, and
// connects again after the switch was gone.
func TestMonitor(t *testing.T) {
	s := &eslctl.Server{Allow: loopback, Takeover: "127.0.0.1:0", Settings: eslctl.Settings{Engine: "flite", Voice: "slt"}}
	left := make(chan struct{})
	s.Handler = func(ctx context.Context, leg *eslctl.Leg) {
		leg.Notify(func(e call.Event) {
			if e.Type == call.Connected {
				close(left)
			}
		})
		leg.Save(ctx, call.Checkpoint{Epoch: leg.Epoch(), Node: "n1"}.String())
		go leg.Bridge(ctx, dial(leg, 1, "7"), call.Checkpoint{Epoch: leg.Epoch(), Node: "n1"}.String())
		<-left
		s.HandOver()
	}
	serve(t, s)
	sw := simulated(t, s.Address, s.Takeover)
	sw.SetCallee("7", esltest.Answers(0, 0))
	address := inbound(t, sw)

	type end struct {
		id, checkpoint string
		end            eslctl.End
	}
	ended, connected := make(chan end, 1), make(chan *eslctl.Client, 2)
	problems := atomic.Int32{}
	m := &eslctl.Monitor{Address: address, Password: "secret",
		Connected: func(_ context.Context, c *eslctl.Client) { connected <- c },
		Ended:     func(id, checkpoint string, e eslctl.End) { ended <- end{id, checkpoint, e} },
		Problem:   func(error) { problems.Add(1) }}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { m.Run(ctx); close(stopped) }()
	(<-connected).Close() // as if the connection broke
	<-connected
	if problems.Load() != 1 {
		t.Errorf("%d problems told, want 1", problems.Load())
	}

	k := sw.Call(esltest.Caller{From: "+1", To: "+2", Script: []esltest.Act{esltest.HangUp().When(esltest.Bridged).After(300 * time.Millisecond)}})
	<-k.Done()
	e := <-ended
	if e.id != k.UUID || call.EpochOf(e.checkpoint) != 1 || e.end.Cause != call.NormalClearing || !e.end.Complete || e.end.By != "caller" {
		t.Errorf("heard %+v", e)
	}
	cancel()
	<-stopped
}

func TestCDR(t *testing.T) {
	const file = `{"core-uuid":"c","switchname":"fs1","channel_data":{"state":"CS_REPORTING"},
	"variables":{"uuid":"u1","hookswitch":"true","hookswitch_checkpoint":"1.2.n1.abc","sip_call_id":"x%40y","start_uepoch":"1795316190691701",
	"answer_uepoch":"1795316191000000","hangup_cause":"NORMAL_CLEARING","billmsec":"3260","mduration":"4000","sip_hangup_disposition":"recv_bye"},
	"callflow":[{"profile_index":"2","caller_profile":{"destination_number":"other"}},
	{"profile_index":"1","caller_profile":{"destination_number":"%2B15550100","caller_id_name":"Zo%C3%AB","caller_id_number":"%2B15550111"}}]}`
	c, err := eslctl.ParseCDR([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if c.Call.ID != "u1" || c.Call.Number != "+15550100" || c.Call.Caller != (call.Caller{Number: "+15550111", Name: "Zoë"}) ||
		c.Call.SIPCallID != "x@y" || c.Call.Switch != "fs1" || !c.Call.Answered || c.Call.Started.UnixMicro() != 1795316190691701 {
		t.Errorf("call %+v", c.Call)
	}
	if !c.Ours || c.Checkpoint != "1.2.n1.abc" || c.End.Cause != call.NormalClearing || c.End.Billed != 3260*time.Millisecond ||
		c.End.Duration != 4*time.Second || c.End.By != "caller" {
		t.Errorf("end %+v, ours %v, checkpoint %q", c.End, c.Ours, c.Checkpoint)
	}
	for _, bad := range []string{"", "{", `{"variables":{}}`, file[:len(file)/2], `{"variables":[1]}`} {
		if _, err := eslctl.ParseCDR([]byte(bad)); err == nil {
			t.Errorf("read %.20q", bad)
		}
	}
}
