package hostile_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/hostile"
	"github.com/hookswitch/hookswitch/eslctl"
)

const channel = "3c9a3f6e-0000-4000-8000-000000000001"

// peer is a FreeSWITCH that agrees to everything and judges it.
type peer struct {
	conn   net.Conn
	value  string // what it says of the call
	faults chan error
}

func (p *peer) run() {
	in := bufio.NewReader(p.conn)
	for {
		cmd, err := hostile.ReadPacket(in)
		if err != nil {
			if err != io.EOF {
				p.fault(err)
			}
			return
		}
		name, err := hostile.Channel(channel).Judge(cmd)
		if err != nil {
			p.fault(err)
		}
		said := url.PathEscape(p.value)
		switch {
		case name == "connect":
			fmt.Fprintf(p.conn, "Event-Name: CHANNEL_DATA\nContent-Type: command/reply\nReply-Text: %%2BOK%%0A\nUnique-ID: %s\nCaller-Context: public\n"+
				"Caller-Caller-ID-Name: %s\nCaller-Caller-ID-Number: %s\nCaller-Destination-Number: %s\nvariable_sip_h_X-A: %s\n\n", channel, said, said, said, said)
		case name[:4] == "api ":
			io.WriteString(p.conn, "Content-Type: api/response\nContent-Length: 4\n\n+OK\n")
		case name[:4] == "exec":
			var id string
			for _, h := range cmd.Header {
				if h[0] == "event-uuid" {
					id = h[1]
				}
			}
			event := fmt.Sprintf("Event-Name: CHANNEL_EXECUTE_COMPLETE\nUnique-ID: %s\nApplication-UUID: %s\nApplication-Response: FILE PLAYED\n"+
				"variable_originate_disposition: NO_ANSWER\nvariable_hookswitch_digits: %s\nvariable_read_terminator_used: %s\n\n", channel, id, said, said)
			fmt.Fprintf(p.conn, "Content-Type: command/reply\nReply-Text: +OK\n\nContent-Length: %d\nContent-Type: text/event-plain\n\n%s", len(event), event)
		default:
			io.WriteString(p.conn, "Content-Type: command/reply\nReply-Text: +OK\n\n")
		}
	}
}

func (p *peer) fault(err error) {
	select {
	case p.faults <- err:
	default:
	}
}

// serve gives f a leg whose commands are judged, until f returns.
func serve(t testing.TB, value string, f func(ctx context.Context, leg *eslctl.Leg)) {
	t.Helper()
	theirs, ours := net.Pipe()
	p := &peer{conn: theirs, value: value, faults: make(chan error, 100)}
	go p.run()
	server := &eslctl.Server{
		Settings: eslctl.Settings{Engine: "flite", Voice: "slt", Profile: "external", LastResort: "hookswitch-last-resort"},
		Handler: func(ctx context.Context, leg *eslctl.Leg) {
			f(ctx, leg)
			leg.HandOver()
		},
		Ended:   func(*eslctl.Leg, eslctl.End) {},
		Problem: func(_ string, err error) { t.Error(err) },
	}
	server.ServeConn(context.Background(), ours)
	theirs.Close()
	close(p.faults)
	for err := range p.faults {
		t.Error(err)
	}
}

// use puts a value wherever a verb takes a text. What a verb refuses it does not
// send.
func use(ctx context.Context, leg *eslctl.Leg, value string) {
	prompts := []call.Prompt{{Kind: call.Say, Text: value}}
	if p, err := call.ParsePrompt("say:Hello " + value); err == nil {
		prompts = append(prompts, p)
	}
	for _, p := range prompts {
		leg.Play(ctx, p)
		leg.Gather(ctx, call.Gather{Prompt: p, Min: 1, Max: 4, Timeout: time.Second, Between: time.Second, Secret: len(value)%2 == 0})
	}
	said := prompts[len(prompts)-1]
	b := call.Bridge{Ring: 9 * time.Second, Ringback: said, Whisper: said, MaxLength: time.Minute,
		Confirm: call.Confirm{Key: "1", Prompt: said, Timeout: 5 * time.Second}}
	leg1 := call.BridgeLeg{UUID: call.LegUUID(channel, 1, 0), Address: call.Address{Number: value, Gateway: "carrier"}, CallerID: value}
	b.Legs = []call.BridgeLeg{leg1}
	leg.Bridge(ctx, b, "1.1.n.e30")
	leg1.Address.Number, leg1.CallerID = "7001", "+15550100"
	b.Legs = []call.BridgeLeg{leg1}
	leg.Bridge(ctx, b, "1.1.n.e30")
	b.Confirm.Key = ""
	leg.Bridge(ctx, b, "1.1.n.e30")
	for _, a := range []call.Address{{Number: "7001", Gateway: value}, {URI: value}, {User: value}} {
		leg1.Address = a
		leg.Bridge(ctx, call.Bridge{Ring: time.Second, Legs: []call.BridgeLeg{leg1}}, "1.1.n.e30")
	}
	leg.Hangup(ctx, call.Cause(value))
	leg.Transfer(ctx, call.Extension{Number: value, Context: value})
	leg.LastResort(ctx, value)
}

// TestServerSendsNothingElse: whatever the values, each command is one of ours.
func TestServerSendsNothingElse(t *testing.T) {
	values := hostile.NewValues(1, "/c")
	for range 10 {
		serve(t, values.Next(), func(ctx context.Context, leg *eslctl.Leg) {
			for range 100 {
				use(ctx, leg, values.Next())
			}
		})
	}
}

func FuzzServer(f *testing.F) {
	values := hostile.NewValues(2, "/c")
	for range 200 {
		f.Add(values.Next())
	}
	f.Fuzz(func(t *testing.T, value string) {
		serve(t, value, func(ctx context.Context, leg *eslctl.Leg) { use(ctx, leg, value) })
	})
}
