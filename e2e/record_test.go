//go:build freeswitch

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/sqlite"
)

// openStore opens the database that the server writes.
func (s *server) openStore(t *testing.T, ctx context.Context) store.Store {
	t.Helper()
	var db store.Store
	var err error
	if s.database != "" {
		db, err = postgres.New(s.database)
	} else {
		db, err = sqlite.Open(ctx, filepath.Join(s.dir, "data", "hookswitch.db"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// record waits until the record of a call that is over has a state, and returns it.
func (l *lane) record(t *testing.T, ctx context.Context, db store.Store, org string, a *sipCall, state store.State) *store.Call {
	t.Helper()
	id := l.finish(t, ctx, a)[0].Call
	for {
		c, err := db.Call(ctx, org, id)
		if err == nil && c.State == state {
			return c
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the record of %s does not become %s: %+v, %v", a.from, state, c, err)
		}
	}
}

// cdr is what the switch itself has written of a call.
func (l *lane) cdr(id string) map[string]string {
	for _, f := range l.switches {
		for _, dir := range []string{"json_cdr", "json_cdr/done"} { // the server moves what it has read
			text, err := os.ReadFile(filepath.Join(f.dir, "log", dir, id+".cdr.json"))
			var cdr struct{ Variables map[string]string }
			if err == nil && json.Unmarshal(text, &cdr) == nil {
				return cdr.Variables
			}
		}
	}
	return nil
}

// leg is what is to be known of a leg that was dialled.
type leg struct {
	target string
	cause  call.Cause
	q850   int
}

// checkLegs compares the record of a call that is over with what the phone saw of it.
func checkLegs(t *testing.T, c *store.Call, a *sipCall, callees ...*sipCall) {
	t.Helper()
	if c.State != store.Complete || len(c.Legs) != len(callees)+1 {
		t.Fatalf("%s with %d legs, want complete with %d:%s", c.State, len(c.Legs), len(callees)+1, timeline(c.Events))
	}
	if c.SIPCallID != a.id || c.Legs[0].SIPCallID != a.id || c.Switch == "" || c.Caller != a.from {
		t.Errorf("from %s with Call-ID %q on %q, the caller is %s with %q", c.Caller, c.SIPCallID, c.Switch, a.from, a.id)
	}
	for i, b := range callees {
		if got := c.Legs[i+1].SIPCallID; got != b.id {
			t.Errorf("leg %d has Call-ID %q, the callee %q", i+1, got, b.id)
		}
	}
}

// checkDialled says how the legs that were dialled are to have ended.
func checkDialled(t *testing.T, c *store.Call, want ...leg) {
	t.Helper()
	var got []leg
	for _, l := range c.Legs[1:] {
		got = append(got, leg{l.Target, l.Cause, l.Q850})
		if l.Ended == nil || l.UUID == "" || (l.Connected != nil) != (l.Billed > 0) {
			t.Errorf("leg of %s: %+v", l.Target, l)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("dialled %v, want %v", got, want)
	}
}

// checkWhyNot says who is not to have been tried, and how the reason begins, as "rule: value".
func checkWhyNot(t *testing.T, c *store.Call, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, w := range c.WhyNot {
		got[w.Target] = string(w.Rule) + ": " + w.Value
	}
	for target, why := range want {
		if !strings.HasPrefix(got[target], why) {
			t.Errorf("%s was not tried for %q, want %q", target, got[target], why)
		}
		delete(got, target)
	}
	if len(got) > 0 {
		t.Errorf("not tried besides: %q", got)
	}
}

// near compares durations of the switch and of the phone: the clock of the one ticks every
// 20 ms, and the other sees a little later what it does.
func near(t *testing.T, what string, got store.Millis, want time.Duration) {
	t.Helper()
	between(t, what, got.Duration(), want-150*time.Millisecond, want+150*time.Millisecond)
}

// lasted returns how long the call was answered, as its phone saw it.
func (c *sipCall) lasted() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var from time.Time
	for _, e := range c.events {
		switch {
		case strings.HasSuffix(e.what, " 200") && from.IsZero():
			from = e.at
		case strings.Contains(e.what, "BYE"):
			return e.at.Sub(from)
		}
	}
	return 0
}
