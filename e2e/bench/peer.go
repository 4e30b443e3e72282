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

	"github.com/hookswitch/hookswitch/eslctl"
)

const peerArg = "peer"

// startPeer starts a process that makes calls to the address as a FreeSWITCH
// does: n connections at once, each until the server closes it. Every execute
// is answered by its reply and two events of about 5.5 KB, to which a
// checkpoint of the given size is added.
func startPeer(address string, n, checkpoint int) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, peerArg, address, strconv.Itoa(n), strconv.Itoa(checkpoint))
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

func peer(args []string) {
	n, _ := strconv.Atoi(args[1])
	checkpoint, _ := strconv.Atoi(args[2])
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			if err := peerCall(args[0], i, checkpoint); err != nil {
				fmt.Fprintln(os.Stderr, "peer:", err)
			}
		})
	}
	wait.Wait()
}

func peerCall(address string, i, checkpoint int) error {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer nc.Close()
	uuid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
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
