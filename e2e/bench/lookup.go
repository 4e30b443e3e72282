package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing/fstest"
	"time"

	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

const lookups = 2_000_000

// lookup compares the CPU time of finding the flow of a number among few and
// among many: once with as few different numbers asked for among the many, which
// is the search alone, and once with all of them in no order, so that no
// processor cache holds the ones that come next.
func lookup(context.Context) ([]table.Row, error) {
	few, err := newNumbers(10)
	if err != nil {
		return nil, err
	}
	many, err := newNumbers(100_000)
	if err != nil {
		return nil, err
	}
	same := &numbers{snapshot: many.snapshot, asked: many.asked[:10]}
	var rows []table.Row
	for _, side := range []struct {
		what    string
		numbers *numbers
	}{{"ten of them", same}, {"all in no order", many}} {
		var ratios []float64
		var fast, slow time.Duration
		for range max(*rounds, 11) { // it is short
			if fast, err = few.ask(); err != nil {
				return nil, err
			}
			if err := profiled("lookup", func() (err error) {
				slow, err = side.numbers.ask()
				return err
			}); err != nil {
				return nil, err
			}
			ratios = append(ratios, float64(slow)/float64(fast))
		}
		row := table.AtMost(fmt.Sprintf("lookup among 100000 numbers, %s: CPU to among 10 (%v, %v)", side.what, slow, fast), "%.2f ×", median(ratios), 2)
		if side.numbers == many {
			// What is left is the memory that a lookup waits for, not the search.
			row.Limit, row.Missed = "caches", false
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// numbers is a configuration with the numbers to ask it for.
type numbers struct {
	snapshot *flowengine.Snapshot
	asked    []string
}

func newNumbers(n int) (*numbers, error) {
	const perFile = 10_000 // about what one file may hold
	list := &numbers{}
	fsys := fstest.MapFS{"f.yaml": {Data: []byte("flow: f\nstart: a\nnodes: {a: {hangup: {}}}\n")}}
	for len(list.asked) < n {
		var doc strings.Builder
		doc.WriteString("numbers:\n")
		for range min(n, perFile) {
			list.asked = append(list.asked, fmt.Sprintf("+1%010d", len(list.asked)))
			fmt.Fprintf(&doc, "  %s: {flow: f}\n", list.asked[len(list.asked)-1])
		}
		fsys[fmt.Sprintf("numbers%d.yaml", len(list.asked))] = &fstest.MapFile{Data: []byte(doc.String())}
	}
	s, problems := flowengine.Load(fsys, nodes.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	list.snapshot = s
	rand.Shuffle(n, func(a, b int) { list.asked[a], list.asked[b] = list.asked[b], list.asked[a] })
	// One after the other in memory: a call brings its number along.
	for rest, i := strings.Join(list.asked, ""), 0; i < n; i++ {
		length := len(list.asked[i])
		list.asked[i], rest = rest[:length], rest[length:]
	}
	return list, nil
}

// ask returns the CPU time of one lookup.
func (n *numbers) ask() (time.Duration, error) {
	used, err := onOneCore(func() error {
		for done := 0; done < lookups; done += len(n.asked) {
			for _, number := range n.asked {
				if _, ok := n.snapshot.Lookup(number); !ok {
					return fmt.Errorf("%s was not found", number)
				}
			}
		}
		return nil
	})
	return used / lookups, err
}
