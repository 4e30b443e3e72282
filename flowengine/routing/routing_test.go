package routing_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/quick"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// source is chance from a seed and turns from a counter.
type source struct {
	rand *rand.Rand
	turn atomic.Uint64
}

func (s *source) Float() float64 { return s.rand.Float64() }
func (s *source) Turn() uint64   { return s.turn.Add(1) - 1 }

func newSource(seed uint64) *source { return &source{rand: rand.New(rand.NewPCG(seed, 0))} }

// weighing returns members with these weights.
func weighing[N int | int8](weights ...N) []routing.Member {
	out := make([]routing.Member, len(weights))
	for i, w := range weights {
		out[i].Weight = int(w)
	}
	return out
}

func TestEachMemberIsTriedOnce(t *testing.T) {
	property := func(weights []int8, seed, turn uint64) bool {
		w := weighing(weights...) // also 0 and less
		for _, name := range routing.Strategies() {
			from := newSource(seed)
			from.turn.Store(turn)
			all := slices.Concat(routing.Attempts(routing.Strategy(name), w, from)...)
			slices.Sort(all)
			for i, member := range all {
				if i != member {
					return false
				}
			}
			if len(all) != len(w) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func TestOrders(t *testing.T) {
	from := newSource(1)
	w := weighing(1, 1, 1)
	for _, c := range []struct {
		strategy routing.Strategy
		want     [][]int
	}{
		{routing.Sequential, [][]int{{0}, {1}, {2}}},
		{routing.Simultaneous, [][]int{{0, 1, 2}}},
		{routing.RoundRobin, [][]int{{0}, {1}, {2}}},
		{routing.RoundRobin, [][]int{{1}, {2}, {0}}},
		{routing.RoundRobin, [][]int{{2}, {0}, {1}}},
		{routing.RoundRobin, [][]int{{0}, {1}, {2}}},
	} {
		if got := routing.Attempts(c.strategy, w, from); !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s: got %v, want %v", c.strategy, got, c.want)
		}
	}
}

// The first choice follows the weights, within 1 % of all draws.
func TestWeightsHold(t *testing.T) {
	const draws = 100_000
	for name, weights := range map[string][]int{
		"thirds": {1, 1, 1}, "steep": {70, 20, 10}, "one": {5}, "large": {1_000_000, 1}, "with zero": {0, 1, 2},
	} {
		from := newSource(7)
		first := make([]int, len(weights))
		total := 0
		for _, w := range weights {
			total += max(w, 1)
		}
		for range draws {
			first[routing.Attempts(routing.Weighted, weighing(weights...), from)[0][0]]++
		}
		for i, w := range weights {
			got, want := float64(first[i])/draws, float64(max(w, 1))/float64(total)
			if math.Abs(got-want) > 0.01 {
				t.Errorf("%s: member %d came first in %.3f of the draws, want %.3f", name, i, got, want)
			}
		}
	}
	from := newSource(7)
	first := make([]int, 4)
	for range draws {
		first[routing.Attempts(routing.Random, weighing(100, 1, 1, 1), from)[0][0]]++
	}
	for i, n := range first {
		if math.Abs(float64(n)/draws-0.25) > 0.01 {
			t.Errorf("random: member %d came first %d times", i, n)
		}
	}
}

// Who was never used comes first, then who was used longest ago; the list decides
// between those who are alike.
func TestLeastRecentGoesFirst(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	members := []routing.Member{{LastUsed: at}, {}, {LastUsed: at.Add(-time.Hour)}, {LastUsed: at}, {}}
	want := [][]int{{1}, {4}, {2}, {0}, {3}}
	if got := routing.Attempts(routing.LeastRecent, members, newSource(1)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Lower priorities come first, whatever the strategy; it decides among those of one.
func TestPrioritiesComeOneAfterTheOther(t *testing.T) {
	members := []routing.Member{{Priority: 2}, {Priority: 1, Weight: 5}, {Priority: 7}, {Priority: 1}, {Priority: 2}}
	for _, name := range routing.Strategies() {
		last := 0
		var all []int
		for _, attempt := range routing.Attempts(routing.Strategy(name), members, newSource(3)) {
			for _, i := range attempt {
				if p := members[i].Priority; p < last {
					t.Errorf("%s: priority %d after %d", name, p, last)
				}
				last = members[i].Priority
				all = append(all, i)
			}
		}
		if slices.Sort(all); !slices.Equal(all, []int{0, 1, 2, 3, 4}) {
			t.Errorf("%s: tried %v", name, all)
		}
	}
	want := [][]int{{1, 3}, {0, 4}, {2}}
	if got := routing.Attempts(routing.Simultaneous, members, newSource(1)); !reflect.DeepEqual(got, want) {
		t.Errorf("simultaneous: got %v, want %v", got, want)
	}
	from := newSource(1)
	for _, want := range [][][]int{{{1}, {3}, {0}, {4}, {2}}, {{3}, {1}, {4}, {0}, {2}}} {
		if got := routing.Attempts(routing.RoundRobin, members, from); !reflect.DeepEqual(got, want) {
			t.Errorf("round robin: got %v, want %v", got, want)
		}
	}
}

func TestNoMoreThanSoManyAreTried(t *testing.T) {
	members := make([]routing.Member, 100)
	for i := range members {
		members[i].Priority = i % 3
	}
	for _, name := range routing.Strategies() {
		c := routing.Among(members)
		tried := slices.Concat(c.Attempts(routing.Strategy(name), newSource(1))...)
		if len(tried) != routing.MaxTried {
			t.Errorf("%s: %d are tried", name, len(tried))
		}
		for i := range members {
			r := c.Refused(i)
			if !slices.Contains(tried, i) != (r != nil) {
				t.Errorf("%s: member %d is refused: %v", name, i, r)
			} else if r != nil && r.String() != "not_reached: 64 others come first" {
				t.Errorf("%s: member %d is refused: %s", name, i, r)
			}
		}
	}
}

// The first reason counts, and the order is one of the rest.
func TestExclusionsKeepTheirFirstReason(t *testing.T) {
	c := routing.Among(weighing(1, 1, 1, 1))
	refuse := func(rule call.Rule, those ...int) {
		for _, i := range those {
			c.Refuse(i, &call.Refusal{Rule: rule})
		}
	}
	refuse(call.Disabled, 1)
	refuse(call.Filtered, 1, 2)
	c.Refuse(3, nil)
	if got := c.Left(); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("left are %v", got)
	}
	if got := c.Attempts(routing.Sequential, newSource(1)); !reflect.DeepEqual(got, [][]int{{0}, {3}}) {
		t.Errorf("tried are %v", got)
	}
	for i, want := range []call.Rule{"", call.Disabled, call.Filtered, ""} {
		got := call.Rule("")
		if r := c.Refused(i); r != nil {
			got = r.Rule
		}
		if got != want {
			t.Errorf("member %d: excluded by %q, want %q", i, got, want)
		}
	}
}

// The weights hold within 1 % of all draws also in a priority behind others, and among
// those who are left.
func TestWeightsHoldThroughPrioritiesAndExclusions(t *testing.T) {
	const draws = 100_000
	members := []routing.Member{
		{Priority: 2, Weight: 50}, {Priority: 1, Weight: 70}, {Priority: 2, Weight: 30}, {Priority: 1, Weight: 1000},
		{Priority: 1, Weight: 30}, {Priority: 2, Weight: 20}, {Priority: 2, Weight: 900},
	}
	excluded := []int{3, 6}
	places := map[int][]float64{0: {1: 0.7, 4: 0.3}, 2: {0: 0.5, 2: 0.3, 5: 0.2}} // that come first in their priority
	from := newSource(7)
	first := map[int][]int{0: make([]int, len(members)), 2: make([]int, len(members))}
	for range draws {
		c := routing.Among(members)
		for _, i := range excluded {
			c.Refuse(i, &call.Refusal{Rule: call.Closed})
		}
		attempts := c.Attempts(routing.Weighted, from)
		for at := range first {
			first[at][attempts[at][0]]++
		}
	}
	for at, shares := range places {
		for i, n := range first[at] {
			want := 0.0
			if i < len(shares) {
				want = shares[i]
			}
			if got := float64(n) / draws; math.Abs(got-want) > 0.01 {
				t.Errorf("member %d was attempt %d in %.3f of the draws, want %.3f", i, at, got, want)
			}
		}
	}
}

func TestRoundRobinIsFairUnderConcurrency(t *testing.T) {
	from := newSource(1)
	var first [3]atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 300 {
				first[routing.Attempts(routing.RoundRobin, weighing(1, 1, 1), from)[0][0]].Add(1)
			}
		})
	}
	wg.Wait()
	for i := range first {
		if n := first[i].Load(); n != 800 {
			t.Errorf("member %d came first %d times of 2400", i, n)
		}
	}
}
