package flowtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// Branch is a line of a call as a tree, with what happened in it below: a node, or
// something in one.
type Branch struct {
	At    time.Duration // since the beginning of the call
	Text  string        // what happened; of a node its id
	Kind  string        // of a node; empty: no node
	Exit  string        // by which the node was left
	Why   string
	Bad   bool // a fault
	Below []*Branch
}

// Tree returns the nodes that the call passed, and in them what happened: what was heard
// and pressed, who was dialled and what became of it, tags, requests. Nodes of a flow are
// below the node that runs it.
func (r *Result) Tree() []*Branch {
	t := &tree{began: r.began, root: &Branch{}}
	acts := r.Acts
	for i, e := range r.Events {
		for len(acts) > 0 && acts[0].Events <= i {
			t.act(acts[0])
			acts = acts[1:]
		}
		t.event(e)
	}
	for _, a := range acts {
		t.act(a)
	}
	t.root.Below = append(t.root.Below, t.inside...)
	return t.root.Below
}

// tree grows. What happens in a node comes before the event that tells its name and exit.
type tree struct {
	began  time.Time
	root   *Branch
	open   []*Branch // the nodes around, which run flows, outermost first
	inside []*Branch // what happened since a node was left
	legs   map[string]*Branch
}

func (t *tree) add(at time.Time, text string) *Branch {
	b := &Branch{At: at.Sub(t.began), Text: text}
	t.inside = append(t.inside, b)
	return b
}

func (t *tree) act(a Act) { t.add(a.At, a.Text) }

func (t *tree) event(e call.Event) {
	switch e.Type {
	case call.Started:
	case call.Step:
		t.left(e)
	case call.TargetDialed:
		if t.legs == nil {
			t.legs = map[string]*Branch{}
		}
		t.legs[e.Leg] = t.add(e.Time, e.Target)
	case call.TargetRinging:
	case call.TargetFailed, call.Connected, call.Released:
		t.leg(e)
	case call.Answered:
		t.add(e.Time, "is answered")
	case call.Tagged:
		text := fmt.Sprintf("tag %s: %s", e.Attrs["tag"], e.Attrs["value"])
		if e.Attrs["removed"] == "true" {
			text = fmt.Sprintf("tag %s is removed", e.Attrs["tag"])
		}
		if old, ok := e.Attrs["replaced"]; ok {
			text += ", was " + old
		}
		t.add(e.Time, text)
	case call.Emitted:
		t.add(e.Time, "emits "+e.Attrs["event"])
	case call.Resumed:
		t.add(e.Time, "goes on: "+e.Why)
	case call.Decided, call.NotTried:
		t.decided(e)
	case call.Transferred:
		t.add(e.Time, "is transferred to "+call.Extension{Number: e.Attrs["extension"], Context: e.Attrs["context"]}.String())
	default:
		words := []string{string(e.Type), e.Target, string(e.Cause), e.Why}
		for _, name := range slices.Sorted(maps.Keys(e.Attrs)) {
			words = append(words, name+"="+e.Attrs[name])
		}
		words = slices.DeleteFunc(words, func(w string) bool { return w == "" || strings.HasSuffix(w, "=") })
		b := t.add(e.Time, strings.Join(words, " "))
		b.Bad = e.Type == call.FlowError || e.Type == call.Failed || e.Type == call.Refused
	}
}

// decided tells of an order that is not that of the list, and of everybody who is not tried,
// unless it is for want of a turn.
func (t *tree) decided(e call.Event) {
	if how, order := e.Attrs["strategy"], e.Attrs["order"]; strings.Contains(order, ",") && how != string(routing.Sequential) {
		t.add(e.Time, how+": "+strings.ReplaceAll(order, ",", ", "))
	}
	if why := e.Attrs["fallback"]; why != "" {
		t.add(e.Time, "by the figures of this node alone: "+why)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attrs)) {
		if target, ok := strings.CutPrefix(name, "asked."); ok && strings.HasPrefix(e.Attrs[name], "yes, ") {
			t.add(e.Time, target+" counts as available, "+strings.TrimPrefix(e.Attrs[name], "yes, "))
		}
		if target, ok := strings.CutPrefix(name, notPrefix); ok && !strings.HasPrefix(e.Attrs[name], string(call.NotReached)) {
			t.add(e.Time, target+" is not tried, "+e.Attrs[name])
		}
	}
}

// leg adds to what is known of somebody who was dialled.
func (t *tree) leg(e call.Event) {
	b := t.legs[e.Leg]
	if b == nil {
		b = t.add(e.Time, cmp.Or(e.Target, e.Leg))
	}
	at := e.Time.Sub(t.began)
	switch e.Type {
	case call.TargetFailed:
		b.Text += ": " + string(e.Cause)
	case call.Connected:
		b.Text += fmt.Sprintf(": connected after %s", at-b.At)
	case call.Released:
		b.Text += fmt.Sprintf(", for %s, %s", time.Duration(e.Millis)*time.Millisecond, e.Cause)
	}
}

// left closes a node: what happened before it was left was in it.
func (t *tree) left(e call.Event) {
	ids := strings.Split(e.Step, "/")
	last := len(ids) - 1
	for i, id := range ids[:last] {
		if i < len(t.open) {
			continue
		}
		around := t.root
		if i > 0 {
			around = t.open[i-1]
		}
		b := &Branch{At: e.Time.Add(-time.Duration(e.Millis) * time.Millisecond).Sub(t.began), Text: id, Kind: "flow"}
		around.Below = append(around.Below, b)
		t.open = append(t.open, b)
	}
	var b *Branch
	if len(t.open) > last {
		b = t.open[last]
		t.open = t.open[:last]
	} else {
		b = &Branch{At: e.Time.Add(-time.Duration(e.Millis) * time.Millisecond).Sub(t.began), Text: ids[last]}
		around := t.root
		if last > 0 {
			around = t.open[last-1]
		}
		around.Below = append(around.Below, b)
	}
	b.Kind, b.Exit, b.Why = e.Kind, e.Exit, e.Why
	b.Below = append(b.Below, t.inside...)
	t.inside = nil
}
