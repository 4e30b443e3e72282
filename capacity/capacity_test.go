package capacity_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/capacity"
	"github.com/hookswitch/hookswitch/store"
)

// world is some nodes on one store, in virtual time.
type world struct {
	*testing.T
	store *memory
	nodes []*capacity.Capacity
	at    map[string]int // legs at a target
	seq   int
}

// inWorld runs a test with so many nodes, which know each other and the room at alice.
func inWorld(t *testing.T, nodes int, limits call.Limits, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, store: newMemory(), at: map[string]int{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		for i := range nodes {
			c := capacity.New(fmt.Sprint("n", i), w.store)
			w.nodes = append(w.nodes, c)
			go c.Run(ctx)
		}
		<-time.After(3 * time.Second) // until who is new has a share
		w.look(limits)
		test(w)
	})
}

// look lets all nodes ask what is taken.
func (w *world) look(limits call.Limits) {
	w.Helper()
	for _, n := range w.nodes {
		if _, fallback := n.Usage(w.Context(), []call.Claim{w.claim(limits)}); fallback != "" {
			w.Fatal(fallback)
		}
	}
}

func (w *world) claim(limits call.Limits) call.Claim {
	w.seq++
	id := fmt.Sprint("call", w.seq)
	return call.Claim{Org: "acme", Target: "alice", Call: id, Leg: id + ".1", Caller: "15550100", Switch: "fs1", At: time.Now(), Limits: limits}
}

// take tries to take as many slots, and returns those that it got and what was said last.
func (w *world) take(node, n int, limits call.Limits) (got []call.Claim, last call.Admission) {
	for range n {
		c := w.claim(limits)
		last = w.nodes[node].Reserve(w.Context(), c)
		if last.Refused == nil {
			got = append(got, c)
		}
	}
	w.at["alice"] += len(got)
	return got, last
}

func (w *world) release(node int, claims ...call.Claim) {
	for _, c := range claims {
		w.nodes[node].Release(c)
		w.at["alice"]--
	}
	synctest.Wait()
}

func (w *world) want(what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestTargetWithoutLimitsAsksNobody(t *testing.T) {
	inWorld(t, 1, call.Limits{Hour: 1}, func(w *world) {
		w.store.hang()
		began := time.Now()
		c := w.claim(call.Limits{})
		w.want("admission", w.nodes[0].Reserve(w.Context(), c), call.Admission{})
		used, fallback := w.nodes[0].Usage(w.Context(), []call.Claim{c})
		w.want("usage", used, []call.Usage{{}})
		w.want("fallback", fallback, "")
		w.nodes[0].Release(c)
		w.want("waited", time.Since(began), time.Duration(0))
		w.store.mend()
	})
}

// A store that is slow is waited for where its answer must be exact, and nowhere else.
func TestSlowStoreStillDecides(t *testing.T) {
	limits := call.Limits{Concurrency: 3}
	inWorld(t, 2, limits, func(w *world) {
		w.store.answerAfter(300 * time.Millisecond)
		var wait sync.WaitGroup
		var admitted atomic.Int64
		for i := range 20 {
			c := w.claim(limits)
			wait.Go(func() {
				a := w.nodes[i%2].Reserve(w.Context(), c)
				if a.Fallback != "" {
					w.Errorf("decided by %q", a.Fallback)
				}
				if a.Refused == nil {
					admitted.Add(1)
				}
			})
		}
		began := time.Now()
		used, fallback := w.nodes[0].Usage(w.Context(), []call.Claim{w.claim(limits)})
		w.want("waited", time.Since(began), 50*time.Millisecond)
		w.want("usage", used, []call.Usage{{}})
		w.want("fallback", fallback, "no answer from the database in time")
		_, fallback = w.nodes[1].Turn(w.Context(), "acme", "k")
		w.want("fallback of a turn", fallback, "no answer from the database in time: this node counts alone")
		wait.Wait()
		w.want("admitted", admitted.Load(), int64(3))
		w.store.answerAfter(0)
		<-time.After(time.Second) // until what was asked before is answered
	})
}

// The first call waits for a second, in which the store may answer; while nothing is heard
// of it, the others do not wait.
func TestNobodyWaitsForLong(t *testing.T) {
	limits := call.Limits{Concurrency: 100}
	inWorld(t, 1, limits, func(w *world) {
		w.store.hang()
		for i := range 5 {
			began := time.Now()
			_, a := w.take(0, 1, limits)
			want := time.Second
			if i > 0 {
				want = 0
			}
			w.want("waited", time.Since(began), want)
			w.want("admission", a, call.Admission{Fallback: fmt.Sprintf("no answer from the database for %.1f s: %d of this node's share of 100", 1+float64(i), i+1)})
			<-time.After(time.Second)
		}
		w.store.mend()
		<-time.After(2 * time.Second)
		_, a := w.take(0, 1, limits)
		w.want("fallback", a.Fallback, "")
		w.want("in use", w.store.inUse("alice"), 6)
	})
}

func TestSharesAreTheLimit(t *testing.T) {
	for _, of := range []struct {
		limit int
		have  []int // by node, when the contact is lost
		got   []int // and after each has tried for all
	}{
		{1, []int{0, 0}, []int{1, 0}},
		{1, []int{0, 1}, []int{0, 1}},
		{7, []int{0, 0}, []int{4, 3}},
		{7, []int{2, 1}, []int{4, 3}},
		{7, []int{6, 0}, []int{6, 1}},
		{7, []int{0, 6}, []int{1, 6}},
		{7, []int{7, 0}, []int{7, 0}},
		{50, []int{10, 30}, []int{20, 30}},
		{7, []int{3}, []int{7}},
		{7, []int{0, 0, 0}, []int{3, 2, 2}},
		{7, []int{5, 0, 0}, []int{5, 1, 1}},
		{1, []int{0, 0, 0}, []int{1, 0, 0}},
	} {
		limits := call.Limits{Concurrency: of.limit}
		inWorld(t, len(of.have), limits, func(w *world) {
			held := make([][]call.Claim, len(of.have))
			for i, n := range of.have {
				held[i], _ = w.take(i, n, limits)
				w.want("held", len(held[i]), n)
			}
			<-time.After(1500 * time.Millisecond) // everybody hears of it
			w.store.fail()
			for i := range of.have {
				more, last := w.take(i, of.limit+1, limits)
				held[i] = append(held[i], more...)
				w.want(fmt.Sprintf("node %d of %v", i, of), len(held[i]), of.got[i])
				w.want("refusal", last.Refused, &call.Refusal{Rule: call.Concurrency, Value: fmt.Sprintf("%d of this node's share of %[1]d", of.got[i])})
			}
			for i := range of.have { // what it had it may have again
				w.release(i, held[i]...)
				more, _ := w.take(i, of.limit+1, limits)
				w.want(fmt.Sprintf("again at node %d of %v", i, of), len(more), of.got[i])
			}
		})
	}
}

// When the store is back, nobody gets what another node gave away without it.
func TestStoreThatIsBackKnowsAll(t *testing.T) {
	limits := call.Limits{Concurrency: 7, Total: 100}
	for name, break_ := range map[string]func(m *memory){"it fails": (*memory).fail, "it hangs": (*memory).hang} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, limits, func(w *world) {
				break_(w.store)
				a, _ := w.take(0, 10, limits)
				b, _ := w.take(1, 10, limits)
				w.want("a", len(a), 4)
				w.want("b", len(b), 3)
				w.nodes[1].Connected(b[0])
				w.release(1, b[0])
				<-time.After(3 * time.Second)
				w.store.mend()
				for range 60 {
					<-time.After(50 * time.Millisecond)
					w.take(0, 1, limits)
					if w.at["alice"] > 7 {
						w.Fatalf("%d legs at a target for 7", w.at["alice"])
					}
				}
				w.want("all of the room", w.at["alice"], 7)
				w.want("in the store", w.store.inUse("alice"), 7)
				_, last := w.take(0, 1, limits)
				w.want("at last", last, call.Admission{Refused: &call.Refusal{Rule: call.Concurrency, Value: "7 of 7"}})
			})
		})
	}
}

// The store gave a slot, but so late that this node had refused: it is given back.
func TestSlotOfARefusedLegIsGivenBack(t *testing.T) {
	limits := call.Limits{Concurrency: 2}
	inWorld(t, 2, limits, func(w *world) {
		w.take(0, 1, limits)
		w.store.hang()
		got, last := w.take(0, 1, limits)
		if len(got) > 0 || last.Refused == nil {
			w.Fatalf("admitted: %+v", last)
		}
		w.store.mend()
		<-time.After(3 * time.Second)
		w.want("in use", w.store.inUse("alice"), 1)
	})
}

// What became of legs is told in its order when the store is back.
func TestLivesAreToldLater(t *testing.T) {
	limits := call.Limits{Concurrency: 9, Hour: 9}
	inWorld(t, 1, limits, func(w *world) {
		w.store.fail()
		got, _ := w.take(0, 2, limits)
		w.nodes[0].Connected(got[0])
		w.release(0, got...)
		w.nodes[0].Gone("another")
		w.want("said", w.store.posted(), []store.What(nil))
		w.store.mend()
		<-time.After(2 * time.Second)
		w.want("said", w.store.posted(), []store.What{store.Admitted, store.Admitted, store.Connected, store.Released, store.Released, store.Gone})
		used, fallback := w.nodes[0].Usage(w.Context(), []call.Claim{w.claim(limits)})
		w.want("usage", used, []call.Usage{{Hour: 1, Day: 1, Month: 1, Total: 1}})
		w.want("fallback", fallback, "")
	})
}

// A cap has its share in each hour, also in one that begins without the store.
func TestNewHourHasNewShares(t *testing.T) {
	limits := call.Limits{Hour: 5}
	inWorld(t, 2, limits, func(w *world) {
		got, _ := w.take(0, 5, limits)
		for _, c := range got {
			w.nodes[0].Connected(c)
		}
		w.release(0, got...)
		<-time.After(1500 * time.Millisecond)
		w.store.fail()
		for hour, want := range [][]int{{0, 0}, {3, 2}, {3, 2}} {
			for node, n := range want {
				got, last := w.take(node, 6, limits)
				w.want(fmt.Sprintf("hour %d, node %d", hour, node), len(got), n)
				w.want("rule", last.Refused.Rule, call.CapHour)
				for _, c := range got {
					w.nodes[node].Connected(c)
				}
				w.release(node, got...)
			}
			<-time.After(time.Hour)
		}
	})
}

// While the store does not answer, a decision sees what the shares leave.
func TestUsageIsThatOfTheShare(t *testing.T) {
	limits := call.Limits{Concurrency: 5, Day: 100, Within: time.Hour, Of: call.OfTarget}
	inWorld(t, 2, limits, func(w *world) {
		w.store.fail()
		w.take(1, 1, limits)
		used, fallback := w.nodes[1].Usage(w.Context(), []call.Claim{w.claim(limits), w.claim(call.Limits{})})
		w.want("usage", used, []call.Usage{{Concurrency: 4, Day: 51}, {}}) // 1 of 2, and 49 of 50, are left
		if !strings.Contains(fallback, "duplicate callers are not known") {
			w.Error(fallback)
		}
	})
}

// What a node has never heard of it has no share of.
func TestWhoKnowsNothingHasNoShare(t *testing.T) {
	limits := call.Limits{Concurrency: 5}
	inWorld(t, 1, call.Limits{}, func(w *world) {
		w.store.fail()
		_, last := w.take(0, 1, limits)
		w.want("refusal", last.Refused, &call.Refusal{Rule: call.Concurrency, Value: "0 of this node's share of 0"})
		w.store.mend()
		<-time.After(2 * time.Second)
		late := capacity.New("late", w.store)
		ctx, cancel := context.WithCancel(w.Context())
		defer cancel()
		go late.Run(ctx)
		w.nodes = append(w.nodes, late)
		synctest.Wait()
		w.look(limits)
		w.store.fail()
		got, _ := w.take(1, 5, limits)
		w.want("of who has just come", len(got), 0)
	})
}

// A node has a share of the targets in its configuration before a call wants them, also
// when there are many, or nobody wants them for long.
func TestExpectedTargetsHaveAShare(t *testing.T) {
	limits := call.Limits{Concurrency: 5}
	inWorld(t, 1, call.Limits{}, func(w *world) {
		var all []call.Claim
		for i := range 1100 {
			all = append(all, call.Claim{Org: "acme", Target: fmt.Sprint("t", i), At: time.Now(), Limits: limits})
		}
		shares := func() (n int) {
			w.store.fail()
			defer w.store.mend()
			for _, of := range all {
				c := w.claim(limits)
				c.Target = of.Target
				if w.nodes[0].Reserve(w.Context(), c).Refused == nil {
					n++
				}
				w.nodes[0].Release(c)
			}
			return n
		}
		w.nodes[0].Expect(all)
		<-time.After(3 * time.Second)
		w.want("shares", shares(), len(all))
		all = all[:1]
		w.nodes[0].Expect(all)
		<-time.After(10 * time.Second)
		w.want("shares after the configuration was changed", shares(), 1)
	})
}

// Entries that the queue has no place for are told of, once each.
func TestDroppedEntriesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := newMemory()
		away.fail()
		c := capacity.New("n0", away)
		told := 0
		c.Dropped = func(n int) { told += n }
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go c.Run(ctx)
		for range 50_010 {
			c.Gone("call")
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if told != 10 {
			t.Errorf("told of %d entries, want 10", told)
		}
	})
}

func TestTurnsGoOnAlone(t *testing.T) {
	inWorld(t, 2, call.Limits{Hour: 1}, func(w *world) {
		turn := func(node int) (at uint64, fell bool) {
			at, fallback := w.nodes[node].Turn(w.Context(), "acme", "sales")
			return at, fallback != ""
		}
		for i, of := range []struct {
			node int
			at   uint64
			fell bool
		}{{0, 0, false}, {1, 1, false}, {0, 2, false}, {0, 3, true}, {0, 4, true}, {1, 2, true}} {
			if of.fell {
				w.store.fail()
			}
			at, fell := turn(of.node)
			w.want(fmt.Sprint(i), []any{at, fell}, []any{of.at, of.fell})
		}
		w.store.mend()
		<-time.After(2 * time.Second)
		at, fell := turn(1)
		w.want("back", []any{at, fell}, []any{uint64(3), false})
	})
}

// A slot is renewed by who holds it, until it is released or the call is another's.
func TestSlotsAreRenewed(t *testing.T) {
	limits := call.Limits{Concurrency: 5}
	inWorld(t, 1, limits, func(w *world) {
		got, _ := w.take(0, 2, limits)
		renewed := func() (n int) {
			w.store.posted()
			<-time.After(10 * time.Second)
			for _, what := range w.store.posted() {
				if what == store.Renewed {
					n++
				}
			}
			return n
		}
		w.want("both", renewed(), 2)
		w.nodes[0].Left(got[0].Call)
		w.want("one", renewed(), 1)
		w.release(0, got[1])
		w.want("none", renewed(), 0)
		w.want("in use", w.store.inUse("alice"), 1)
	})
}

// A caller who hangs up while the store is asked takes nothing.
func TestCallThatEndsTakesNothing(t *testing.T) {
	limits := call.Limits{Concurrency: 5}
	inWorld(t, 1, limits, func(w *world) {
		ctx, hangUp := context.WithCancelCause(w.Context())
		w.store.hang()
		time.AfterFunc(10*time.Millisecond, func() { hangUp(&call.HungUp{Cause: call.NormalClearing}) })
		a := w.nodes[0].Reserve(ctx, w.claim(limits))
		if a.Refused == nil || a.Refused.Rule != call.NotReached {
			w.Errorf("%+v", a)
		}
		w.store.mend()
		<-time.After(3 * time.Second)
		w.want("in use", w.store.inUse("alice"), 0)
	})
}

// What a switch says of a caller never keeps the store from taking it in.
func TestTextOfASwitchIsMadeFit(t *testing.T) {
	limits := call.Limits{Concurrency: 5}
	inWorld(t, 1, limits, func(w *world) {
		c := w.claim(limits)
		c.Caller = "\x00\xff" + strings.Repeat("x", 1000)
		w.want("admission", w.nodes[0].Reserve(w.Context(), c), call.Admission{})
		for _, s := range w.store.slots {
			if len(s.Claim.Caller) > 200 || strings.ContainsAny(s.Claim.Caller, "\x00\xff") {
				w.Errorf("%q", s.Claim.Caller)
			}
		}
		w.nodes[0].Release(c)
		synctest.Wait()
		w.want("in use", w.store.inUse("alice"), 0)
	})
}

// Nodes whose traffic is about their part of the limit, and a store that fails and hangs
// at any moment: the limit holds, and all of it is used.
func TestLimitHoldsWhateverTheStoreDoes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		nodes := 1 + r.IntN(3)
		limit := []int{1, 7, 50}[r.IntN(3)]
		limits := call.Limits{Concurrency: limit}
		inWorld(t, nodes, limits, func(w *world) {
			held := make([][]call.Claim, nodes)
			parts := make([]int, nodes)
			for i := range limit {
				parts[i%nodes]++
			}
			most, down, fell := 0, false, 0
			for range 600 {
				<-time.After(time.Duration(r.IntN(40)) * time.Millisecond)
				switch node := r.IntN(nodes); {
				case r.IntN(60) == 0 && !down:
					if down = true; r.IntN(2) == 0 {
						w.store.hang()
					} else {
						w.store.fail()
					}
				case r.IntN(60) == 0 && down:
					down = false
					w.store.mend()
				case len(held[node]) > 0 && r.IntN(3) == 0:
					i := r.IntN(len(held[node]))
					w.release(node, held[node][i])
					held[node] = slices.Delete(held[node], i, i+1)
				case len(held[node]) < parts[node] || down:
					got, last := w.take(node, 1, limits)
					held[node] = append(held[node], got...)
					if last.Fallback != "" {
						fell++
					}
				}
				most = max(most, w.at["alice"])
				if w.at["alice"] > limit {
					w.Fatalf("seed %d: %d legs at a target for %d", seed, w.at["alice"], limit)
				}
			}
			if most < min(limit, 10) || fell == 0 {
				w.Errorf("seed %d: at most %d of %d, %d times without the store: this tests too little", seed, most, limit, fell)
			}
			w.store.mend()
			for node := range held {
				w.release(node, held[node]...)
			}
			<-time.After(10 * time.Second)
			w.want(fmt.Sprintf("seed %d: in use after all", seed), w.store.inUse("alice"), 0)
		})
	}
}
