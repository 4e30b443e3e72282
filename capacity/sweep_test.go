package capacity_test

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/capacity"
	"github.com/hookswitch/hookswitch/store"
)

// waiting is a store with slots that nobody renews.
type waiting struct {
	slots  []store.Idle
	posted map[string]store.What // by leg
	pruned time.Duration
}

func (w *waiting) Slots(_ context.Context, q store.IdleQuery) (out []store.Idle, _ error) {
	for _, s := range w.slots {
		if s.For >= q.For && (slices.Contains(q.Switches, s.Claim.Switch) || s.For > q.Forgotten) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (w *waiting) Post(ctx context.Context, entries []store.Entry) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.posted = map[string]store.What{}
	for _, e := range entries {
		w.posted[e.Claim.Leg] = e.What
	}
	return nil
}

func (w *waiting) PruneShared(_ context.Context, keep time.Duration) error {
	w.pruned = keep
	return nil
}

// The switch has the last word on a slot; one that nobody can ask keeps it for a day.
func TestSweepAsksTheSwitch(t *testing.T) {
	slot := func(at, leg string, idle time.Duration) store.Idle {
		return store.Idle{Claim: call.Claim{Org: "acme", Target: "alice", Call: "a", Leg: leg, Switch: at}, For: idle}
	}
	w := &waiting{slots: []store.Idle{
		slot("here", "lives", time.Hour), slot("here", "gone", time.Minute), slot("here", "young", time.Second),
		slot("far", "unknown", 23*time.Hour), slot("far", "forgotten", 25*time.Hour), slot("here", "long", 48*time.Hour), slot("slow", "asked in vain", time.Hour),
	}}
	s := &capacity.Sweep{Store: w, Switches: func() []string { return []string{"here", "slow"} }, Exists: func(_ context.Context, name, channel string) (alive, known bool) {
		return channel == "lives" || channel == "long", name == "here"
	}}
	if err := s.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]store.What{"lives": store.Renewed, "gone": store.Gone, "forgotten": store.Gone, "long": store.Renewed}
	if !reflect.DeepEqual(w.posted, want) {
		t.Errorf("posted %v, want %v", w.posted, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
	if w.pruned != capacity.KeepConnections {
		t.Errorf("pruned after %v", w.pruned)
	}
}

// What a switch has said is not lost because another one hangs.
func TestSweepTellsWhatItKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{slots: []store.Idle{{Claim: call.Claim{Call: "a", Leg: "gone", Switch: "s"}, For: time.Hour}, {Claim: call.Claim{Call: "b", Leg: "hangs", Switch: "s"}, For: time.Hour}}}
		s := &capacity.Sweep{Store: w, Switches: func() []string { return []string{"s"} }, Exists: func(ctx context.Context, _, channel string) (alive, known bool) {
			if channel == "gone" {
				return false, true
			}
			<-ctx.Done()
			return false, false
		}}
		if err := s.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := map[string]store.What{"gone": store.Gone}; !reflect.DeepEqual(w.posted, want) {
			t.Errorf("posted %v, want %v", w.posted, want)
		}
	})
}
