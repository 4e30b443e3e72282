package esltest_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// play runs the transcript's server, caller and callees against the simulation
// and returns what it sent, as a transcript.
func play(t *testing.T, name string, tr *esltest.Transcript) []esltest.Record {
	sw := esltest.NewSwitch()
	sw.Latency = 20 * time.Millisecond
	sw.Gateways = []string{"carrier"}
	for to, who := range extensions {
		sw.SetCallee(to, who)
	}
	sw.SetCallee("+13105550199", carrier(tr.Records)...)
	for to, who := range callees[name] {
		sw.SetCallee(to, who...)
	}
	d := &driver{t: t, tr: tr, sw: sw, conns: map[int][]esltest.Record{}, got: map[int]int{}}
	for _, r := range tr.Records {
		if r.Note == "" {
			d.conns[r.Conn] = append(d.conns[r.Conn], r)
		}
	}
	sw.Dialplan = []esltest.Action{{App: "socket", Data: "127.0.0.1:8084 async full"}, {App: "socket", Data: "127.0.0.1:8085 async full"}}
	sw.Dial = d.dial
	<-time.After(d.fraction()) // limits in whole seconds depend on it
	if strings.HasPrefix(name, "30") {
		d.inbound()
	} else {
		d.call()
	}
	d.run.Wait()
	sw.Close()
	slices.SortStableFunc(d.sent, func(a, b esltest.Record) int { return a.Conn - b.Conn })
	return d.sent
}

type driver struct {
	t     *testing.T
	tr    *esltest.Transcript
	sw    *esltest.Switch
	conns map[int][]esltest.Record
	begun time.Time
	run   sync.WaitGroup

	mu   sync.Mutex
	sent []esltest.Record
	got  map[int]int
}

// fraction is the part of the second at which the transcript begins.
func (d *driver) fraction() time.Duration {
	for _, r := range d.tr.Records {
		if m := regexp.MustCompile(`Event-Date-Timestamp: \d+(\d{6})\n`).FindSubmatch(r.Bytes); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			return time.Duration(n) * time.Microsecond
		}
	}
	return 0
}

// uuid is the A leg's.
func (d *driver) uuid() string {
	m := regexp.MustCompile(`\nUnique-ID: (\S+)\n`).FindSubmatch(d.conns[1][1].Bytes)
	return string(m[1])
}

func (d *driver) call() {
	d.begun = time.Now()
	ev, err := eslctl.ParseEvent(d.conns[1][1].Bytes)
	if err != nil {
		d.t.Fatal(err)
	}
	who := esltest.Caller{UUID: d.uuid(), From: ev.Var("sip_from_user"), Name: ev.Var("sip_from_display"),
		To: ev.Get("Caller-Destination-Number"), CallID: ev.Var("sip_call_id"), Headers: map[string]string{}}
	for name, value := range ev.All() {
		if header, ok := strings.CutPrefix(name, "variable_sip_h_"); ok {
			who.Headers[header] = value
		}
	}
	if number := ev.Var("sip_P-Asserted-Identity"); number != "" {
		who.Headers["P-Asserted-Identity"] = fmt.Sprintf("%q <sip:%s@127.0.0.1>", ev.Get("Caller-Caller-ID-Name"), number)
	}
	if ev.Var("sip_Privacy") != "" {
		who.Headers["Privacy"] = ev.Var("sip_Privacy")
	}
	calls := make(chan *esltest.Call, 1)
	d.run.Go(func() {
		k := <-calls
		select {
		case <-k.Done():
		case <-time.After(time.Minute):
			d.t.Error("the call does not end")
		}
	})
	k := d.sw.Call(who)
	calls <- k
	d.person(k)
}

// person does what the notes say of the caller. Digits come by RTP, which the
// notes do not have: they are taken from the events that tell them.
func (d *driver) person(k *esltest.Call) {
	for _, r := range d.tr.Records {
		switch {
		case strings.HasPrefix(r.Note, "SIP caller sent: BYE"), strings.HasPrefix(r.Note, "SIP caller sent: CANCEL"):
			d.at(r.At, k.HangUp)
		case r.Sent && bytes.Contains(r.Bytes, []byte("\nEvent-Name: DTMF\n")) && bytes.Contains(r.Bytes, []byte("\nUnique-ID: "+k.UUID)):
			f, _ := r.Frame()
			ev, _ := eslctl.ParseEvent(f.Body)
			d.at(r.At-5*time.Millisecond, func() { k.Press(ev.Get("DTMF-Digit")) })
		}
	}
}

func (d *driver) at(at time.Duration, f func()) {
	d.run.Go(func() {
		<-time.After(time.Until(d.begun.Add(at)))
		f()
	})
}

func (d *driver) dial(_ context.Context, address string) (net.Conn, error) {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	n -= 8083
	if len(d.conns[n]) == 0 {
		return nil, fmt.Errorf("connection refused")
	}
	here, there := net.Pipe()
	d.serve(n, here, time.Now().Add(-d.accepted(n)))
	return there, nil
}

func (d *driver) accepted(n int) time.Duration {
	for _, r := range d.tr.Records {
		if strings.HasPrefix(r.Note, fmt.Sprintf("conn=%d accepted", n)) {
			return r.At
		}
	}
	return 0
}

func (d *driver) inbound() {
	d.begun = time.Now()
	if len(d.conns) == 1 {
		d.sw.Dialplan = []esltest.Action{{App: "transfer", Data: "900160 XML test"}}
		d.sw.Extensions = map[string][]esltest.Action{"900160": {{App: "answer"}, {App: "playback", Data: "tone_stream://%(1000,0,440);loops=-1"}}}
		d.at(116*time.Millisecond, func() {
			d.sw.Call(esltest.Caller{UUID: "29dd55b0-76fe-43c4-83fe-e67d54363b87", From: "+13105550100", Name: "Ann Caller",
				To: "900160", CallID: "1-16935@127.0.0.1"})
		})
	}
	d.sw.Heartbeat = 20 * time.Second
	d.sw.Beat()
	for n := range d.conns {
		here, there := net.Pipe()
		d.sw.ServeConn(there)
		d.serve(n, here, d.begun)
	}
}

// serve plays the transcript's server on a connection: every command at its
// time, but not before as many frames came back as it had seen then.
func (d *driver) serve(n int, conn net.Conn, begun time.Time) {
	news := make(chan struct{}, 1000)
	d.run.Go(func() {
		r := eslctl.NewReader(conn)
		for {
			f, err := r.Read()
			if err != nil {
				return
			}
			frame := append(append(bytes.Clone(f.Header), "\n\n"...), f.Body...)
			d.mu.Lock()
			d.sent = append(d.sent, esltest.Record{At: time.Since(begun), Conn: n, Sent: true, Bytes: frame})
			d.got[n]++
			d.mu.Unlock()
			news <- struct{}{}
		}
	})
	d.run.Go(func() {
		defer conn.Close()
		seen := 0
		for _, r := range d.conns[n] {
			if r.Sent {
				seen++
				continue
			}
			patience := time.After(time.Until(begun.Add(r.At + time.Second)))
			for waiting := true; waiting; {
				d.mu.Lock()
				waiting = d.got[n] < seen
				d.mu.Unlock()
				if waiting {
					select {
					case <-news:
					case <-patience:
						waiting = false
					}
				}
			}
			<-time.After(time.Until(begun.Add(r.At)))
			if _, err := conn.Write(r.Bytes); err != nil {
				return
			}
		}
		last := d.conns[n][len(d.conns[n])-1].At + 2*time.Second
		for _, r := range d.tr.Records {
			if strings.HasPrefix(r.Note, fmt.Sprintf("conn=%d DROPPED", n)) {
				last = r.At
			}
		}
		<-time.After(time.Until(begun.Add(last)))
	})
}

var (
	invite = regexp.MustCompile(`^SIP carrier received: INVITE`)
	status = regexp.MustCompile(`^SIP carrier sent: SIP/2.0 (\d+) .*INVITE\)`)
	bye    = regexp.MustCompile(`^SIP carrier sent: BYE`)
)

// carrier reads from the notes how the one carrier behaved on every dial.
func carrier(records []esltest.Record) []esltest.Callee {
	var all []esltest.Callee
	var dialled, answered time.Duration
	for _, r := range records {
		last := len(all) - 1
		switch m := status.FindStringSubmatch(r.Note); {
		case invite.MatchString(r.Note):
			all = append(all, esltest.Callee{Never: true, Quiet: true})
			dialled = r.At
		case last < 0:
		case bye.MatchString(r.Note) && answered > 0:
			all[last].Talk = r.At - answered
		case m != nil:
			code, _ := strconv.Atoi(m[1])
			switch {
			case code == 180:
				all[last].Quiet = false
			case code == 183:
				all[last].Early = true
			case code == 200:
				all[last].Never, all[last].Ring = false, r.At-dialled
				answered = r.At
			case code >= 300 && code != 487:
				all[last].Never, all[last].Refuse = false, code
			}
		}
	}
	return all
}
