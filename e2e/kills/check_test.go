package kills

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/store/journal"
)

// record is what the journals say of a call.
type record struct {
	events []call.Event // of all journals, in order
	ends   int          // raw
}

// read reads the journals from the disk.
func (w *world) read() map[string]*record {
	all := map[string]*record{}
	type identity struct {
		call       string
		epoch, seq int
	}
	written := map[identity]call.Event{}
	for _, n := range w.nodes {
		over := map[string]bool{}
		for e, err := range journal.Read(n.journalDir()) {
			if err != nil {
				w.t.Errorf("journal of %s: %v", n.name, err)
				continue
			}
			r := all[e.Call]
			if r == nil {
				r = &record{}
				all[e.Call] = r
			}
			r.events = append(r.events, e)
			if e.Type == call.Ended {
				r.ends++
			}
			if over[e.Call] {
				w.t.Errorf("call %s: %s after its end in the journal of %s", e.Call, e.Type, n.name)
			}
			over[e.Call] = e.Type == call.Ended
			id := identity{e.Call, e.Epoch, e.Seq}
			if other, ok := written[id]; ok && other.Node != e.Node {
				w.t.Errorf("call %s: event %d.%d is %s of %s and %s of %s", e.Call, e.Epoch, e.Seq, other.Type, other.Node, e.Type, e.Node)
			}
			written[id] = e
		}
	}
	for _, r := range all {
		r.events = journal.Sort(r.events)
	}
	return all
}

// history prints what is known of a call.
func (w *world) history(id string) {
	w.t.Helper()
	var b strings.Builder
	for _, n := range w.nodes {
		for e, err := range journal.Read(n.journalDir()) {
			if err == nil && e.Call == id {
				fmt.Fprintf(&b, "  %s %s %d.%d %s step=%s exit=%s target=%s leg=%.8s cause=%s why=%q %v\n", e.Time.Format("05.000"), e.Node, e.Epoch,
					e.Seq, e.Type, e.Step, e.Exit, e.Target, e.Leg, e.Cause, e.Why, e.Attrs)
			}
		}
	}
	for _, k := range w.calls {
		if k.UUID == id {
			fmt.Fprintf(&b, "  switch: %+v\n", k.Result())
		}
	}
	for to, dials := range w.sw.AllDials() {
		for _, d := range dials {
			if d.Caller == id {
				fmt.Fprintf(&b, "  dialled %s: %+v\n", to, d)
			}
		}
	}
	w.t.Logf("call %s:\n%s", id, &b)
}

// check looks at everything once all calls are over and settled.
func (w *world) check(all []caught) map[string]*record {
	w.t.Helper()
	wrong := map[string]bool{}
	complain := func(id, format string, args ...any) {
		w.t.Helper()
		if wrong[id] = true; len(wrong) <= 20 {
			w.t.Errorf("call %s: "+format, append([]any{id}, args...)...)
		}
	}
	records := w.read()
	placed := map[string]esltest.Result{}
	for _, k := range w.calls {
		r := k.Result()
		placed[k.UUID] = r
		rec := records[k.UUID]
		if rec == nil || rec.ends != 1 {
			complain(k.UUID, "not exactly one end: %v", rec)
			continue
		}
		w.checkRecord(k.UUID, r, rec, complain)
	}
	for id := range records {
		if _, ok := placed[id]; !ok {
			complain(id, "was never placed")
		}
	}
	w.checkDials(complain)
	for _, c := range all {
		w.checkCaught(c, placed[c.call.UUID], records[c.call.UUID], complain)
	}
	for _, n := range w.nodes {
		if len(n.faults) > 0 {
			w.t.Errorf("server %s complains:\n%s", n.name, strings.Join(n.faults[:min(len(n.faults), 20)], "\n"))
		}
	}
	shown := 0
	for id := range wrong {
		if shown++; shown <= 5 {
			w.history(id)
		}
	}
	if w.t.Failed() {
		w.t.Logf("seed %d", w.seed)
		w.tell()
	}
	return records
}

func (w *world) checkRecord(id string, r esltest.Result, rec *record, complain func(id, format string, args ...any)) {
	w.t.Helper()
	starts, legs := 0, map[string]string{}
	for _, e := range rec.events {
		switch e.Type {
		case call.Started:
			starts++
		case call.Ended:
			if e.Cause != r.Cause {
				complain(id, "its end is %s, the switch says %s", e.Cause, r.Cause)
			}
			if by := e.Attrs["by"]; by != r.By {
				complain(id, "ended by %q, the switch says %q", by, r.By)
			}
		case call.Failed:
			if e.Why != "nobody took the call" || len(r.Talked) > 0 {
				complain(id, "%s %s", e.Type, e.Why)
			}
		case call.Refused, call.FlowError:
			complain(id, "%s %s", e.Type, e.Why)
		case call.TargetDialed:
			attempt := e.Attrs["attempt"] + " " + e.Target
			if other, ok := legs[attempt]; ok && other != e.Leg {
				complain(id, "attempt %s has two legs", attempt)
			}
			legs[attempt] = e.Leg
		}
	}
	if starts > 1 {
		complain(id, "began %d times", starts)
	}
	if r.By != "caller" && r.Cause != call.NormalClearing {
		complain(id, "was ended with %s", r.Cause)
	}
}

// checkDials looks for targets that were dialled twice.
func (w *world) checkDials(complain func(id, format string, args ...any)) {
	seen := map[string]bool{}
	for to, dials := range w.sw.AllDials() {
		for _, d := range dials {
			if seen[d.UUID] {
				complain(d.Caller, "leg %s was dialled twice, at %s", d.UUID, to)
			}
			seen[d.UUID] = true
		}
	}
}

// talked is how long the callee held the line.
func (w *world) talked(t esltest.Talk) time.Duration {
	for _, d := range w.sw.Dials(t.To) {
		if d.UUID == t.UUID {
			return d.Ended.Sub(d.Answered)
		}
	}
	return 0
}

// checkCaught looks whether a call went on after a kill.
func (w *world) checkCaught(c caught, r esltest.Result, rec *record, complain func(id, format string, args ...any)) {
	if rec == nil {
		return
	}
	switch {
	case c.bridged:
		i := slices.IndexFunc(r.Talked, func(t esltest.Talk) bool { return t.At.Add(t.For).After(c.dead) })
		if i < 0 {
			complain(c.call.UUID, "was bridged when the server died at %v, and is not known to have been", c.dead)
			return
		}
		t := r.Talked[i]
		if t.To != listener && w.talked(t) >= talks/speed || r.By == "caller" && len(r.Sockets) == c.sockets && i == len(r.Talked)-1 {
			return
		}
		complain(c.call.UUID, "was bridged when the server died at %v, and its bridge with %s broke after %v", c.dead, t.To, t.For)
	case c.menu && r.By != "caller":
		if !slices.ContainsFunc(rec.events, func(e call.Event) bool { return e.Type == call.Resumed && e.Time.After(c.at) }) {
			complain(c.call.UUID, "was in the menu when the server died at %v, and was not taken over", c.at)
		}
	}
}
