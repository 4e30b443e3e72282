//go:build freeswitch

package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// TestSecret loses a secret with its server: it is asked for again when it is needed
// and only then, and stands in no file of switch or server.
func TestSecret(t *testing.T) {
	t.Parallel()
	l, p := kindLane(t)
	ctx := within(t, time.Minute)
	const first, second, part = "8675309", "4481516", "314159"
	kill := func() {
		l.servers[0].kill()
		l.must(l.servers[0].start(ctx, ""))
	}
	do := func(c *cast, parts ...func(*cast) error) { t.Helper(); l.must(then(parts...)(c)) }
	for _, lost := range []struct {
		when string
		f    func(c *cast)
		pin  string // that the partner is to get
		way  string
	}{
		{"never", func(c *cast) { do(c, hears(600), presses(first)) }, first, "pin/ok first/next check/ok second/next bye/"},
		{"while it is entered", func(c *cast) {
			do(c, hears(600), presses(part))
			kill()
			do(c, hears(600), presses(first))
		}, first, "pin/ok first/next check/ok second/next bye/"},
		{"as soon as it is entered", func(c *cast) {
			l.dieAt(t, "gather.secret", func() { do(c, hears(600), presses(first)) })
			do(c, hears(600), presses(second))
		}, second, "pin/ok first/next check/ok second/next bye/"},
		{"before it is needed", func(c *cast) {
			do(c, hears(600), presses(first), hears(800))
			kill()
			do(c, hears(600), presses(second))
		}, second, "pin/ok first/next check/ pin/ok first/next check/ok second/next bye/"},
		{"when it is needed no more", func(c *cast) {
			do(c, hears(600), presses(first), hears(800, 1200))
			kill()
		}, first, "pin/ok first/next check/ok second/next bye/"},
	} {
		l.Run("lost "+lost.when, func(t *testing.T) {
			c := &cast{lane: l, ctx: ctx, a: l.call(t, "+15550108"), partner: p}
			lost.f(c)
			wantExits(t, l.finish(t, ctx, c.a), lost.way)
			got := p.requests("/pin/", c.a)
			if want := fmt.Sprintf(`{"pin":%q}`, lost.pin); len(got) != 1 || got[0].body != want {
				t.Errorf("the partner got %+v, want %s", got, want)
			}
		})
	}
	l.must(l.switches[0].awaitEmpty(ctx))
	for _, dir := range []string{filepath.Join(l.switches[0].dir, "log"), l.servers[0].dir} {
		l.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			for _, digits := range []string{first, second, part} {
				if bytes.Contains(text, []byte(digits)) {
					t.Errorf("%s holds the digits %s", path, digits)
				}
			}
			return err
		}))
	}
}

// TestKindsCrash has the server die before and after every save of a call that
// passes its nodes at once: nothing is told or sent twice, or left out.
func TestKindsCrash(t *testing.T) {
	for _, point := range []string{"save.before", "save.after"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			l, p := kindLane(t)
			lost := 0
			for n := 1; n <= 10; n++ {
				at := fmt.Sprintf("%s:%d", point, n)
				t.Run(at, func(t *testing.T) { lost += l.loseInstantly(t, p, at) })
			}
			// A call waits for a slow disk, but not for long.
			if lost > 1 {
				t.Errorf("%d of 10 calls have lost what they told", lost)
			}
		})
	}
	t.Run("transfer.set", func(t *testing.T) {
		t.Parallel()
		l, p := kindLane(t)
		ctx := within(t, time.Minute)
		l.dieAt(t, "transfer.set", func() {
			c := &cast{lane: l, ctx: ctx, a: l.call(t, "+15550119"), partner: p}
			l.must(then(hears(600, 1200), ends)(c))
			events := l.finish(t, ctx, c.a)
			if n := count(events, call.Transferred); n != 1 || count(events, call.Resumed) != 1 {
				t.Errorf("transferred %d times:%s", n, timeline(events))
			}
		})
	})
}

// dieAt runs f with a server that dies at a point, and is started again.
func (l *lane) dieAt(t *testing.T, point string, f func()) {
	s, ctx := l.servers[0], within(t, 40*time.Second)
	s.kill()
	l.must(s.start(ctx, point))
	dead := s.dead()
	restarted := make(chan error, 1)
	go func() {
		select {
		case <-dead:
			restarted <- s.start(ctx, "")
		case <-ctx.Done():
			restarted <- fmt.Errorf("the server did not die at %s", point)
		}
	}()
	f()
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
}

// loseInstantly has one call lose its server, and says how many events are lost.
func (l *lane) loseInstantly(t *testing.T, p *partner, at string) (lost int) {
	ctx := within(t, 40*time.Second)
	l.dieAt(t, at, func() {
		a := l.call(t, "+15550127")
		events := l.finish(t, ctx, a)
		told := map[string]bool{}
		for _, e := range of(events, call.Emitted) {
			told[e.Attrs["key"]] = true
		}
		if len(told) > 1 {
			t.Errorf("told %v:%s", told, timeline(events))
		}
		if len(told) == 0 || count(events, call.Tagged) == 0 {
			t.Logf("something is not told in%s", timeline(events))
			lost = 1
		}
		if got := p.requests("/once/", a); len(got) > 1 {
			t.Errorf("the partner was asked %d times:%s", len(got), timeline(events))
		}
		shares := map[string]bool{}
		for _, e := range events {
			if e.Type == call.Step && e.Step == "split" {
				shares[e.Exit] = true
			}
		}
		if len(shares) > 1 { // none where the step itself is lost
			t.Errorf("went by the shares %v:%s", shares, timeline(events))
		}
	})
	return lost
}
