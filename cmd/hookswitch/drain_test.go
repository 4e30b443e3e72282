package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// keptLog is one that is down while it has an error.
type keptLog struct {
	err    atomic.Pointer[error]
	events atomic.Int64
}

func (l *keptLog) Append(_ context.Context, b store.Batch) error {
	if err := l.err.Load(); err != nil {
		return *err
	}
	l.events.Add(int64(len(b.Lines)))
	return nil
}

func TestCallLogThatCannotBeWrittenIsToldAndMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(t.TempDir(), journal.Options{Drain: true})
		if err != nil {
			t.Fatal(err)
		}
		var logged bytes.Buffer // read when the drain has ended
		to, m := new(keptLog), newMetrics(readBuildInfo())
		down := errors.New("connection refused")
		to.err.Store(&down)
		d := newDrain("n1", zerolog.New(&logged), j, m, to)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.Run(ctx)
		}()
		j.End("a", call.NormalClearing, nil)
		<-time.After(time.Minute)
		if _, body := get(t, m.handler(), "/metrics"); !strings.Contains(body, "\nhookswitch_drain_lag_seconds 60\n") {
			t.Errorf("lag: %s", body)
		}
		to.err.Store(nil)
		<-time.After(5 * time.Second)
		if _, body := get(t, m.handler(), "/metrics"); !strings.Contains(body, "\nhookswitch_drain_lag_seconds 0\n") {
			t.Errorf("lag: %s", body)
		}
		cancel()
		<-done
		if n := to.events.Load(); n != 2 {
			t.Errorf("%d events arrived", n)
		}
		lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "connection refused") || !strings.Contains(lines[1], "is written again") {
			t.Errorf("logged %q", lines)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestFullJournalRefusesNewCallsAloud(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{Drain: true, Max: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	logged := make(firstLines, 10)
	s := &settings{Listen: "127.0.0.1:0", ListenTakeover: "127.0.0.1:0", Node: "n1", Data: t.TempDir(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	c := newController(s, zerolog.New(logged), j, newMetrics(readBuildInfo()))
	j.OnFull(c.full)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	await := func(what string) {
		for line := range logged {
			if strings.Contains(line, what) {
				return
			}
		}
	}
	await("taking calls")
	address, takeover := c.server.Addresses()
	dial := func(address string) error {
		nc, err := net.Dial("tcp", address)
		if err == nil {
			nc.Close()
		}
		return err
	}
	r := j.Recorder("live", 1, "n1", nil)
	for !j.Full() {
		r.Record(call.Event{Type: call.Connected})
	}
	await("new calls are refused")
	if err := dial(address); err == nil {
		t.Error("a new call was taken by a server whose journal is full")
	}
	if err := dial(takeover); err != nil {
		t.Errorf("a takeover was refused: %v", err)
	}
	if err := j.Ready(); err == nil || !strings.Contains(err.Error(), "no new call") {
		t.Errorf("ready says %v", err)
	}
	if !j.End("live", call.NormalClearing, nil) {
		t.Error("the end of a live call was not recorded")
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	end, _ := j.Durable()
	j.Drained(end)
	await("new calls are taken again")
	for dial(address) != nil { // the address is listened on in a moment
		if t.Context().Err() != nil {
			t.Fatal("new calls are still refused")
		}
	}
}
