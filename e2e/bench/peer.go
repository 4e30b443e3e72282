package main

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hookswitch/hookswitch/eslctl"
)

const peerArg = "peer"

// Ways in which a peer answers.
const (
	cyclePeer = "cycle" // whatever is executed is over at once; each call until the server closes it
	callsPeer = "calls" // the same, as one call after the other, each with its end
	idlePeer  = "idle"  // calls that wait for ever for a digit
)

// startPeer starts a process that makes calls to the address as a FreeSWITCH
// does, at most atOnce at a time. Its events are of about 5.5 KB, to which a
// checkpoint of the given size is added.
func startPeer(how, address string, calls, atOnce, checkpoint int) (*exec.Cmd, error) {
	cmd, err := child(peerArg, how, address, strconv.Itoa(calls), strconv.Itoa(atOnce), strconv.Itoa(checkpoint))
	if err != nil {
		return nil, err
	}
	return cmd, cmd.Start()
}

// child is this program as another process.
func child(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

func peer(args []string) {
	how, address := args[0], args[1]
	calls, _ := strconv.Atoi(args[2])
	atOnce, _ := strconv.Atoi(args[3])
	checkpoint, _ := strconv.Atoi(args[4])
	if how == idlePeer {
		placeIdle(address, calls, atOnce)
		return
	}
	var wait sync.WaitGroup
	var next atomic.Int64
	for range min(atOnce, calls) {
		wait.Go(func() {
			for i := next.Add(1); i <= int64(calls); i = next.Add(1) {
				var err error
				if how == cyclePeer {
					err = peerCall(address, int(i), checkpoint)
				} else {
					err = placeCall(address, int(i), nil)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, "peer:", err)
				}
			}
		})
	}
	wait.Wait()
}

// placeIdle makes calls, at most atOnce that do not yet wait for a digit, and
// says so when all of them do.
func placeIdle(address string, calls, atOnce int) {
	var over, idle sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	idle.Add(calls)
	for i := range calls {
		turn <- struct{}{}
		over.Go(func() {
			waiting := false
			err := placeCall(address, i, func() { waiting = true; idle.Done(); <-turn })
			if !waiting {
				fmt.Fprintln(os.Stderr, "peer: a call ended before it was idle:", err)
				os.Exit(1)
			}
		})
	}
	idle.Wait()
	fmt.Println(idleLine)
	over.Wait()
}

func peerCall(address string, i, checkpoint int) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer nc.Close()
	uuid := peerUUID(i)
	vars := variables(uuid, checkpoint)
	r := eslctl.NewReader(nc)
	var out bytes.Buffer
	for {
		f, err := r.Read()
		if err != nil {
			return nil // the server is done
		}
		out.Reset()
		switch verb, _, _ := strings.Cut(f.Command(), " "); verb {
		case "connect":
			fmt.Fprintf(&out, "Event-Name: CHANNEL_DATA\n%sContent-Type: command/reply\nReply-Text: %%2BOK%%0A\nSocket-Mode: async\nControl: full\n\n", vars)
		case "api":
			out.WriteString("Content-Type: api/response\nContent-Length: 4\n\n+OK\n")
		case "sendmsg":
			out.WriteString("Content-Type: command/reply\nReply-Text: +OK\n\n")
			for _, name := range []string{"CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE"} {
				body := "Event-Name: " + name + "\n" + vars + "Application: playback\nApplication-Response: FILE%20PLAYED\nApplication-UUID: " + f.Get("event-uuid") + "\n\n"
				fmt.Fprintf(&out, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
			}
		default:
			out.WriteString("Content-Type: command/reply\nReply-Text: +OK\n\n")
		}
		if _, err := nc.Write(out.Bytes()); err != nil {
			return nil
		}
	}
}

// peerUUID names the channel of a call; no two processes name one alike.
func peerUUID(i int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", os.Getpid(), i)
}

// fakeCall is a channel of a switch that does at once whatever it is told.
type fakeCall struct {
	uuid       string
	vars       string // header lines of every event
	checkpoint string
	out        bytes.Buffer
}

// placeCall makes one call and returns when the server closes it. With waits it
// is one that waits for a digit for ever, and tells when it does.
func placeCall(address string, i int, waits func()) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer nc.Close()
	c := &fakeCall{uuid: peerUUID(i)}
	answered := variables(c.uuid, 0)
	c.vars = strings.Replace(answered, "Answer-State: answered", "Answer-State: ringing", 1)
	r := eslctl.NewReader(nc)
	for {
		f, err := r.Read()
		if err != nil {
			return nil // the server is done
		}
		c.out.Reset()
		app := f.Get("execute-app-name")
		wait := waits != nil && app == "play_and_get_digits"
		switch verb, rest, _ := strings.Cut(f.Command(), " "); verb {
		case "connect":
			fmt.Fprintf(&c.out, "Event-Name: CHANNEL_DATA\n%sContent-Type: command/reply\nReply-Text: %%2BOK%%0A\nSocket-Mode: async\nControl: full\n\n", c.vars)
		case "sendmsg":
			c.out.WriteString("Content-Type: command/reply\nReply-Text: +OK\n\n")
			if app == "answer" {
				c.vars = answered
			}
			if !wait {
				c.complete(app, f.Get("event-uuid"))
			}
		case "api":
			c.out.WriteString("Content-Type: api/response\nContent-Length: 4\n\n+OK\n")
			c.api(rest)
		default:
			c.out.WriteString("Content-Type: command/reply\nReply-Text: +OK\n\n")
		}
		if _, err := nc.Write(c.out.Bytes()); err != nil {
			return nil
		}
		if wait {
			waits()
		}
	}
}

func (c *fakeCall) event(name, more string) {
	saved := ""
	if c.checkpoint != "" {
		saved = "variable_hookswitch_checkpoint: " + c.checkpoint + "\n"
	}
	length := len("Event-Name: \n") + len(name) + len(c.vars) + len(saved) + len(more) + 1
	fmt.Fprintf(&c.out, "Content-Length: %d\nContent-Type: text/event-plain\n\nEvent-Name: %s\n%s%s%s\n", length, name, c.vars, saved, more)
}

// complete is the end of an application, with the events that come with it
// among those that a server subscribes to.
func (c *fakeCall) complete(app, uuid string) {
	more := ""
	switch app {
	case "answer":
		c.event("CHANNEL_ANSWER", "")
	case "playback":
		more = "Application-Response: FILE%20PLAYED\n"
	case "play_and_get_digits":
		more = "variable_hookswitch_digits: 1\nvariable_read_result: success\n"
	}
	c.event("CHANNEL_EXECUTE_COMPLETE", "Application: "+app+"\n"+more+"Application-UUID: "+uuid+"\n")
}

// api takes the checkpoint that is left on the channel, and the hangup.
func (c *fakeCall) api(command string) {
	if _, saved, ok := strings.Cut(command, "hookswitch_checkpoint="); ok {
		c.checkpoint, _, _ = strings.Cut(saved, ";")
	}
	if args, ok := strings.CutPrefix(command, "uuid_kill "); ok {
		_, cause, _ := strings.Cut(args, " ")
		c.event("CHANNEL_HANGUP", "Hangup-Cause: "+cause+"\n")
		c.event("CHANNEL_HANGUP_COMPLETE", "Hangup-Cause: "+cause+"\nvariable_billmsec: 2000\nvariable_mduration: 2020\n")
		fmt.Fprintf(&c.out, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: linger\n"+
			"Channel-Name: sofia/internal/1000\nLinger-Time: 10\nContent-Length: 0\n\n", c.uuid)
	}
}

// variables are header lines such as every event of a channel has, about 5.4 KB.
func variables(uuid string, checkpoint int) string {
	var b strings.Builder
	for _, h := range [][2]string{
		{"Core-UUID", "8f5c869d-91e1-4f68-9ee4-b2a49259d478"}, {"FreeSWITCH-Hostname", "fs1"},
		{"FreeSWITCH-Switchname", "fs1"}, {"Event-Date-Timestamp", "1795316190691701"}, {"Event-Sequence", "538"},
		{"Channel-State", "CS_EXECUTE"}, {"Channel-Call-State", "ACTIVE"}, {"Unique-ID", uuid},
		{"Channel-Call-UUID", uuid}, {"Answer-State", "answered"}, {"Caller-Caller-ID-Number", "+13105550111"},
		{"Caller-Destination-Number", "+13105550142"}, {"Caller-Unique-ID", uuid}, {"Caller-Context", "public"},
		{"Caller-Channel-Created-Time", "1795316190691701"},
	} {
		fmt.Fprintf(&b, "%s: %s\n", h[0], url.PathEscape(h[1]))
	}
	for i := 0; b.Len() < 5300; i++ {
		fmt.Fprintf(&b, "variable_sip_header_%d: sofia/internal/%%2B13105550100%%40127.0.0.1%%3A5070\n", i)
	}
	if checkpoint > 0 {
		fmt.Fprintf(&b, "variable_hookswitch_checkpoint: 1.1.node1.%s\n", strings.Repeat("A", checkpoint-len("1.1.node1.")))
	}
	return b.String()
}
