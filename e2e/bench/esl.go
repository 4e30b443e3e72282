package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/percipia/eslgo"
	eslcall "github.com/percipia/eslgo/command/call"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/eslctl"
)

const (
	cycleCalls  = 64  // connections at once
	cyclesACall = 400 // executes on each
)

// eslCycle compares the CPU time of one execute, its reply and two events.
func eslCycle(context.Context) ([]table.Row, error) {
	var rows []table.Row
	for _, checkpoint := range []int{0, call.MaxCheckpoint} {
		var toBare, toESLGo []float64
		var bare, ours, theirs time.Duration
		for range *rounds {
			var err error
			if bare, err = cycle(checkpoint, bareServer); err != nil {
				return nil, fmt.Errorf("bare loop: %w", err)
			}
			if err := profiled(fmt.Sprintf("esl-cycle-%d", checkpoint), func() (err error) {
				ours, err = cycle(checkpoint, ourServer)
				return err
			}); err != nil {
				return nil, fmt.Errorf("ours: %w", err)
			}
			if theirs, err = cycle(checkpoint, eslgoServer); err != nil {
				return nil, fmt.Errorf("eslgo: %w", err)
			}
			toBare = append(toBare, float64(ours)/float64(bare))
			toESLGo = append(toESLGo, float64(ours)/float64(theirs))
		}
		note := ""
		if checkpoint > 0 {
			note = ", 4 KB checkpoint"
		}
		rows = append(rows,
			table.AtMost(fmt.Sprintf("esl cycle%s: CPU to a bare loop (%v, %v)", note, ours, bare), "%.2f ×", median(toBare), 1.5),
			table.AtMost(fmt.Sprintf("esl cycle%s: CPU to eslgo's server (%v)", note, theirs), "%.2f ×", median(toESLGo), 0.25))
	}
	return rows, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// cycle returns the CPU time of this process for one cycle on a server that
// serve starts; serve returns its address and a function that waits for the end
// of all calls.
func cycle(checkpoint int, serve func() (string, func() error, error)) (time.Duration, error) {
	address, wait, err := serve()
	if err != nil {
		return 0, err
	}
	before := cpu()
	p, err := startPeer(cyclePeer, address, cycleCalls, cycleCalls, checkpoint)
	if err != nil {
		return 0, err
	}
	if err := wait(); err != nil {
		return 0, err
	}
	used := cpu() - before
	return used / (cycleCalls * cyclesACall), p.Wait()
}

// bareServer is the least that such a server can do: one goroutine a call that
// writes, reads whole frames and notes where every header of an event is.
func bareServer() (string, func() error, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), func() error {
		defer l.Close()
		var calls sync.WaitGroup
		errs := make(chan error, cycleCalls)
		for range cycleCalls {
			nc, err := l.Accept()
			if err != nil {
				return err
			}
			calls.Go(func() { errs <- bareCall(nc) })
		}
		calls.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

type span struct{ name, value []byte }

func bareCall(nc net.Conn) error {
	defer nc.Close()
	b := bareLoop{r: bufio.NewReaderSize(nc, 16<<10)}
	if _, err := io.WriteString(nc, "connect\n\n"); err != nil {
		return err
	}
	if err := b.frame(); err != nil {
		return err
	}
	out := make([]byte, 0, 512)
	for i := range cyclesACall {
		arg := "tone_stream://%(100,0,440)"
		out = append(out[:0], "sendmsg\ncall-command: execute\nexecute-app-name: playback\nevent-uuid: hs-1-"...)
		out = strconv.AppendInt(out, int64(i), 10)
		out = append(out, "\nevent-lock: true\ncontent-type: text/plain\ncontent-length: "...)
		out = strconv.AppendInt(out, int64(len(arg)), 10)
		out = append(append(out, "\n\n"...), arg...)
		if _, err := nc.Write(out); err != nil {
			return err
		}
		for range 3 { // the reply and two events
			if err := b.frame(); err != nil {
				return err
			}
		}
		if string(b.get("Event-Name")) != "CHANNEL_EXECUTE_COMPLETE" {
			return fmt.Errorf("expected the completion, got %q", b.get("Event-Name"))
		}
	}
	return nil
}

type bareLoop struct {
	r     *bufio.Reader
	body  []byte
	index []span
}

func (b *bareLoop) get(name string) []byte {
	for _, h := range b.index {
		if string(h.name) == name {
			return h.value
		}
	}
	return nil
}

func (b *bareLoop) frame() error {
	length := 0
	for {
		line, err := b.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 1 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	if cap(b.body) < length {
		b.body = make([]byte, length)
	}
	b.body = b.body[:length]
	if _, err := io.ReadFull(b.r, b.body); err != nil {
		return err
	}
	b.index = b.index[:0]
	for rest := b.body; len(rest) > 0; {
		line, next, _ := bytes.Cut(rest, []byte("\n"))
		rest = next
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok {
			b.index = append(b.index, span{name, value})
		}
	}
	return nil
}

func ourServer() (string, func() error, error) {
	failed := make(chan error, cycleCalls)
	var calls sync.WaitGroup
	calls.Add(cycleCalls)
	s := &eslctl.Server{
		Address: "127.0.0.1:0", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Handler: func(ctx context.Context, leg *eslctl.Leg) {
			for range cyclesACall {
				if err := leg.Play(ctx, call.Prompt{Kind: call.Tone, Text: "%(100,0,440)"}); err != nil {
					failed <- err
					break
				}
			}
			calls.Done()
			leg.HandOver()
		},
		Ended:   func(*eslctl.Leg, eslctl.End) {},
		Problem: func(peer string, err error) { failed <- err },
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	s.Listening = func() { close(ready) }
	go func() { done <- s.Serve(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		stop()
		return "", nil, err
	}
	address, _ := s.Addresses()
	return address, func() error {
		calls.Wait()
		stop()
		<-done
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}, nil
}

func eslgoServer() (string, func() error, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	l.Close() // eslgo listens itself
	var calls sync.WaitGroup
	calls.Add(cycleCalls)
	failed := make(chan error, cycleCalls+1)
	o := eslgo.DefaultOutboundOptions
	o.Logger = eslgo.NilLogger{}
	go func() {
		failed <- o.ListenAndServe(address, func(ctx context.Context, conn *eslgo.Conn, reply *eslgo.RawResponse) {
			defer calls.Done()
			uuid := reply.GetHeader("Unique-Id")
			completed := make(chan string, 4)
			conn.RegisterEventListener(uuid, func(ev *eslgo.Event) {
				if ev.GetName() == "CHANNEL_EXECUTE_COMPLETE" {
					completed <- ev.GetHeader("Application-Uuid")
				}
			})
			for i := range cyclesACall {
				id := "hs-1-" + strconv.Itoa(i)
				if _, err := conn.SendCommand(ctx, &eslcall.Execute{UUID: uuid, AppName: "playback", AppArgs: "tone_stream://%(100,0,440)", AppUUID: id, Sync: true, ForceBody: true}); err != nil {
					failed <- err
					return
				}
				if got := <-completed; !strings.EqualFold(got, id) {
					failed <- fmt.Errorf("completion of %q for %q", got, id)
					return
				}
			}
		})
	}()
	for { // it tells nobody when it listens
		if nc, err := net.Dial("tcp", address); err == nil {
			nc.Close()
			break
		}
		time.Sleep(time.Millisecond)
	}
	return address, func() error {
		calls.Wait()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}, nil
}
