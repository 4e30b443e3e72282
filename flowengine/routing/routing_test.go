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
