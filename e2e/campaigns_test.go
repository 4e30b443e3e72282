//go:build freeswitch

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// callees waits for those who are called for a call, by their numbers.
func (l *lane) callees(t *testing.T, ctx context.Context, a *sipCall, numbers ...string) (out []*sipCall) {
	t.Helper()
	for _, number := range numbers {
		b, err := l.phone.awaitIncoming(ctx, number, a.from)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// connect waits for a callee, lets it answer and returns when both hear each other.
func (l *lane) connect(t *testing.T, ctx context.Context, a *sipCall, number string) *sipCall {
	t.Helper()
	c := &cast{lane: l, ctx: ctx, a: a}
	if err := dialled(number)(c); err != nil {
		t.Fatal(err)
	}
	if err := a.awaitSound(ctx, 30); err != nil {
		t.Fatal(err)
	}
	return c.b
}

// noneElse are those of the plan roofing who never take a call, once the cap is used up.
func noneElse(more map[string]string) map[string]string {
	out := map[string]string{"t7006-closed": "closed: ", "t7006-disabled": "disabled: ", "t7006-capped": "cap_total: 1 of 1"}
	for target, why := range more {
		out[target] = why
	}
	return out
}

// TestCampaigns has calls run routing plans, and reads their records in the database.
func TestCampaigns(t *testing.T) {
	for engine, database := range map[string]func(t testing.TB) string{
		"SQLite":     func(testing.TB) string { return "" },
		"PostgreSQL": storetest.Database,
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			l := newLaneOf(t, laneOptions{switches: 1, servers: 1, flows: flows(t, "campaigns.yaml"), database: database(t)})
			db := l.servers[0].openStore(t, within(t, time.Minute))
			through := func(t *testing.T, number string, numbers ...string) (*store.Call, *sipCall) {
				ctx := within(t, 40*time.Second)
				a := l.call(t, number)
				a.sing(true)
				callees := l.callees(t, ctx, a, numbers...)
				c := l.record(t, ctx, db, "acme", a, store.Complete)
				checkLegs(t, c, a, callees...)
				return c, a
			}
			l.Run("the cap is used up", func(t *testing.T) {
				c, _ := through(t, "+15550207", "7006")
				checkDialled(t, c, leg{"t7006-capped", call.NormalClearing, 16})
			})
			l.Run("a plan by priority", func(t *testing.T) {
				c, a := through(t, "+15550200", "7486", "7006")
				if c.Campaign != "roofing" || c.Publisher != "google" || c.Mode != "routing_plan" || c.Flow != "plan.roofing" || c.Target != "t7006" {
					t.Errorf("campaign %q of %q in mode %q runs %q, connected %q", c.Campaign, c.Publisher, c.Mode, c.Flow, c.Target)
				}
				checkDialled(t, c, leg{"t7486", call.UserBusy, 17}, leg{"t7006", call.NormalClearing, 16})
				checkWhyNot(t, c, noneElse(map[string]string{"t7006-texas": "filter: tags.state is not set", "t7010": "not_reached: t7006 took the call"}))
				if c.Cause != call.NormalClearing || c.Q850 != 16 || c.By != "switch" {
					t.Errorf("ended with %s (%d) by %q", c.Cause, c.Q850, c.By)
				}
				near(t, "billed", c.Billed, a.lasted())
				between(t, "billed to the target", c.Legs[2].Billed.Duration(), time.Second, c.Billed.Duration()+150*time.Millisecond)
				cdr := l.cdr(c.ID)
				if cdr["uuid"] != c.ID || cdr["last_bridge_to"] != c.Legs[2].UUID {
					t.Errorf("legs %s and %s; the switch says %s and %s", c.ID, c.Legs[2].UUID, cdr["uuid"], cdr["last_bridge_to"])
				}
			})
			l.Run("a flow with a plan", func(t *testing.T) {
				c, _ := through(t, "+15550201", "7486", "7006")
				if c.Campaign != "screened" || c.Mode != "call_flow" || c.Flow != "screened" || exits(c.Events) != "hello/next state/next sales/completed bye/" {
					t.Errorf("campaign %q in mode %q runs %q through %q", c.Campaign, c.Mode, c.Flow, exits(c.Events))
				}
				checkDialled(t, c, leg{"t7486", call.UserBusy, 17}, leg{"t7006-texas", call.NormalClearing, 16})
				checkWhyNot(t, c, noneElse(map[string]string{"t7006": "not_reached: t7006-texas took the call", "t7010": "not_reached: t7006-texas took the call"}))
				if len(c.Tags) != 1 || c.Tags[0].Name != "state" || c.Tags[0].Value != "TX" || !c.Tags[0].Current || c.Tags[0].Source != "flow" || c.Tags[0].Step != "state" {
					t.Errorf("tags %+v", c.Tags)
				}
			})
			for _, c := range []struct {
				name, number, org string
				cause             call.Cause
				q850, sip         int
				callees           []string
				failed            string
			}{
				{"everybody is busy", "+15550204", "acme", call.NormalClearing, 16, 480, []string{"7486"}, "nobody took the call"},
				{"nobody can be tried", "+15550203", "acme", call.NormalClearing, 16, 480, nil, "nobody took the call"},
				{"a disabled campaign", "+15550202", "acme", call.CallRejected, 21, 603, nil, "campaign disabled is disabled"},
				{"a number that nobody has", "+15550299", "", call.UnallocatedNumber, 1, 404, nil, "number +15550299 is not configured"},
			} {
				l.Run(c.name, func(t *testing.T) {
					ctx := within(t, 40*time.Second)
					a := l.call(t, c.number)
					callees := l.callees(t, ctx, a, c.callees...)
					r := l.record(t, ctx, db, c.org, a, store.Complete)
					checkLegs(t, r, a, callees...)
					codes := a.codes()
					if r.Cause != c.cause || r.Q850 != c.q850 || r.Billed != 0 || codes[len(codes)-1] != c.sip {
						t.Errorf("ended with %s (%d), billed %v; the caller has %v", r.Cause, r.Q850, r.Billed, codes)
					}
					if failed := of(r.Events, call.Failed); len(failed) != 1 || failed[0].Why != c.failed {
						t.Errorf("failed:%s", timeline(failed))
					}
					if a.heardSoFar() > 0 {
						t.Errorf("the caller heard something, codes %v", codes)
					}
				})
			}
		})
	}
}

// awaitLog waits until the server has written a text to its log.
func (s *server) awaitLog(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	for {
		log, err := os.ReadFile(filepath.Join(s.dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), text) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// TestCampaignChangesMode puts a campaign from its plan on its flow while a call rings: that
// goes on with the plan, also on a server that starts later, and the next call runs the flow.
func TestCampaignChangesMode(t *testing.T) {
	t.Parallel()
	text := flows(t, "campaigns.yaml")
	l := newLaneOf(t, laneOptions{switches: 1, servers: 1, flows: text, stored: true})
	s, ctx := l.servers[0], within(t, time.Minute)
	db := s.openStore(t, ctx)
	a := l.call(t, "+15550205")
	b := l.callees(t, ctx, a, "7010")[0]
	b.ring()

	const before = "by-hand: {plan: by-hand, flow: tone}"
	if !strings.Contains(text, before) {
		t.Fatalf("no %s", before)
	}
	text = strings.Replace(text, before, "by-hand: {plan: by-hand, flow: tone, mode: call_flow}", 1)
	l.must(os.WriteFile(filepath.Join(s.dir, "conf", "e2e.yaml"), []byte(text), 0o644))
	l.must(s.apply())
	s.awaitLog(t, ctx, "acme revision 2")
	next := l.record(t, ctx, db, "acme", l.call(t, "+15550205"), store.Complete)
	if next.Mode != "call_flow" || next.Flow != "tone" || exits(next.Events) != "hello/next bye/" {
		t.Errorf("the next call runs %s in mode %s: %s", next.Flow, next.Mode, exits(next.Events))
	}

	s.kill()
	l.must(s.start(ctx, ""))
	b.refuse(486)
	last := l.connect(t, ctx, a, "7011")
	last.hangup()
	c := l.record(t, ctx, db, "acme", a, store.Complete)
	checkLegs(t, c, a, b, last)
	checkDialled(t, c, leg{"t7010", call.UserBusy, 17}, leg{"t7011", call.NormalClearing, 16})
	checkWhyNot(t, c, map[string]string{"t7006-closed": "closed: ", "t7006": "not_reached: t7011 took the call"})
	if c.Mode != "routing_plan" || c.Flow != "plan.by-hand" || exits(c.Events) != "plan/completed" {
		t.Errorf("the first call runs %s in mode %s: %s", c.Flow, c.Mode, exits(c.Events))
	}
}
