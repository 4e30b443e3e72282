// Package routing chooses among targets: pure functions over members, without
// a clock, a network or a memory of their own. A Choice excludes those that cannot
// take a call, and notes why; Attempts puts the rest in order.
//
// Positions go in and come out, not targets, so that the order can be kept in a
// few bytes and applied again after a takeover. Chance and turns come from the
// caller's Source: with a seeded one, every choice can be repeated.
package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Strategy is how the order of a list of targets is chosen.
type Strategy string

// The strategies.
const (
	Sequential   Strategy = "sequential"   // as they are listed
	RoundRobin   Strategy = "round_robin"  // as listed, each call beginning one further
	Weighted     Strategy = "weighted"     // by chance, in proportion to the weights
	Random       Strategy = "random"       // by chance, all alike
	LeastRecent  Strategy = "least_recent" // who has been without a call for longest first
	Simultaneous Strategy = "simultaneous" // all at once
)

// Strategies returns the names of all strategies.
func Strategies() []string {
	return []string{string(Sequential), string(RoundRobin), string(Weighted), string(Random), string(LeastRecent), string(Simultaneous)}
}

// UnmarshalText accepts the name of a strategy.
func (s *Strategy) UnmarshalText(text []byte) error {
	if !slices.Contains(Strategies(), string(text)) {
		return UnknownError(text)
	}
	*s = Strategy(text)
	return nil
}

// UnknownError says that no strategy has this name.
type UnknownError string

func (e UnknownError) Error() string { return fmt.Sprintf("%.40q is no strategy", string(e)) }

// Valid returns the names that there are.
func (UnknownError) Valid() []string { return Strategies() }

// Member is one of those among whom is chosen.
type Member struct {
	Priority int       // lower is tried first; the strategy decides among those of one
	Weight   int       // for Weighted; below 1 counts as 1
	LastUsed time.Time // for LeastRecent; zero: never
}

// Source is where chance and turns come from.
type Source interface {
	Float() float64 // in [0,1)
	Turn() uint64   // 0, 1, 2 … over all calls of one list
}

// MaxTried bounds how many members are tried for one call.
const MaxTried = 64

// beyond is the value with which members are not reached because of it.
var beyond = strconv.Itoa(MaxTried) + " others come first"

// Attempts returns the members' positions in the order in which they are
// tried: each attempt is a list of members that ring at once. Priorities come
// one after the other, and within each the strategy decides. Every member is
// in exactly one attempt, up to MaxTried of them.
func Attempts(s Strategy, members []Member, from Source) [][]int {
	order := make([]int, len(members))
	for i := range order {
		order[i] = i
	}
	byPriority := func(a, b int) int { return cmp.Compare(members[a].Priority, members[b].Priority) }
	if !slices.IsSortedFunc(order, byPriority) {
		slices.SortStableFunc(order, byPriority)
	}
	var turn func() uint64
	if s == RoundRobin {
		turn = sync.OnceValue(from.Turn) // one for all priorities
	}
	out := make([][]int, 0, min(len(order), MaxTried))
	for tried := 0; len(order) > 0 && tried < MaxTried; {
		n := 1
		for n < len(order) && byPriority(order[0], order[n]) == 0 {
			n++
		}
		alike := arrange(s, order[:n:n], members, from, turn)
		alike = alike[:min(n, MaxTried-tried)]
		if s == Simultaneous {
			out = append(out, alike)
		} else {
			for i := range alike {
				out = append(out, alike[i:i+1:i+1])
			}
		}
		order, tried = order[n:], tried+len(alike)
	}
	return out
}

// arrange puts members of one priority in order.
func arrange(s Strategy, order []int, members []Member, from Source, turn func() uint64) []int {
	switch s {
	case RoundRobin:
		if len(order) == 1 {
			return order
		}
		first := int(turn() % uint64(len(order)))
		return append(order[first:len(order):len(order)], order[:first]...)
	case Weighted:
		draw(order, members, from)
	case Random:
		draw(order, make([]Member, len(members)), from)
	case LeastRecent: // the listed order among those who are alike
		slices.SortStableFunc(order, func(a, b int) int { return members[a].LastUsed.Compare(members[b].LastUsed) })
	}
	return order
}

// draw puts order into a random order: each place is drawn among those that
// are left, in proportion to their weights.
func draw(order []int, members []Member, from Source) {
	weight := func(i int) float64 { return float64(max(members[i].Weight, 1)) }
	total := 0.0
	for _, i := range order {
		total += weight(i)
	}
	for at := range len(order) - 1 {
		pick, x := at, from.Float()*total
		for pick < len(order)-1 && x >= weight(order[pick]) {
			x -= weight(order[pick])
			pick++
		}
		chosen := order[pick]
		total -= weight(chosen)
		copy(order[at+1:pick+1], order[at:pick]) // the others keep their order
		order[at] = chosen
	}
}
