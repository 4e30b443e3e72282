package flowengine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/hookswitch/hookswitch/call"
)

// Inbox has what comes from outside for calls: data that wait for the caller, and what
// was posted for a call that another controller had.
type Inbox interface {
	// Join returns all that is for a call, in order, and binds to it what waits for its
	// caller. It answers within 50 ms; the fallback says why it has nothing to say.
	Join(ctx context.Context, org, call, caller string) (inputs []Input, fallback string)
}

// Input is what somebody outside has to say about a call.
type Input struct {
	N      int64        // its number among all inputs; a later one may have a lower one
	ID     string       // in the events that it leads to as the attribute "input"
	Events []call.Event // call.Tagged, with the attributes tag, source, and value or removed; others are not for live calls
}

// Deliver gives an input to the call that it is for, and says whether this engine controls
// the call. It may be called from any goroutine, and again: an input is taken in once.
func (e *Engine) Deliver(id string, in Input) bool {
	e.lock.Lock()
	s := e.live[id]
	e.lock.Unlock()
	return s != nil && s.deliver(in)
}

// appear makes the call one that inputs are delivered to once it is ours. What it returns
// ends that.
func (e *Engine) appear(ctx context.Context, s *Session) (leave func()) {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.live == nil {
		e.live = map[string]*Session{}
	}
	e.live[s.call.ID] = s
	stop := context.AfterFunc(ctx, s.desk.close)
	return func() {
		stop()
		s.desk.close()
		e.lock.Lock()
		defer e.lock.Unlock()
		if e.live[s.call.ID] == s { // not a later connection of the call
			delete(e.live, s.call.ID)
		}
	}
}

// join takes in what has come for the call so far.
func (e *Engine) join(ctx context.Context, s *Session) {
	if e.Inbox == nil {
		return
	}
	inputs, fallback := e.Inbox.Join(ctx, s.org, s.call.ID, s.call.Caller.Number)
	put(s.opening.Attrs, "fallback", fallback)
	if len(inputs) == 0 {
		return
	}
	if _, err := s.checkpoint(s.state, s.pending); err != nil {
		return // its first node says so
	}
	s.desk.Lock()
	defer s.desk.Unlock()
	s.desk.kept = &content{s.desk.tags, slices.Clone(s.desk.inputs)}
	for _, in := range inputs {
		s.desk.held = append(s.desk.held, s.takeIn(in)...)
	}
}

// desk is where the outside meets a call: at its tags. It belongs to the goroutine of the
// call and to those that deliver, under its lock.
type desk struct {
	sync.Mutex
	content
	open bool         // the call is ours, and what comes is recorded at once
	held []call.Event // of inputs, until the call is ours
	kept *content     // what the checkpoint has until then: what was not told must be told by the next controller; nil: all
	told bool         // something was told since the last checkpoint
	size int          // of the checkpoint in bytes, or a little more
}

// content is what the call has of the outside, and what its flow wrote.
type content struct {
	tags   map[string]any // replaced as a whole, so that whoever reads them needs no lock
	inputs inputs         // that the tags hold
}

func (d *desk) close() {
	d.Lock()
	defer d.Unlock()
	d.open = false
}

// all returns the tags as they are. The map must not be changed.
func (d *desk) all() map[string]any {
	d.Lock()
	defer d.Unlock()
	return d.tags
}

// tagged makes tags those of the call.
func (s *Session) tagged(tags map[string]any) {
	s.desk.Lock()
	defer s.desk.Unlock()
	s.desk.tags = maps.Clone(tags)
	if tags == nil {
		s.desk.tags = map[string]any{}
	}
}

// write sets a tag, or removes it. The caller holds the lock.
func (d *desk) write(name string, value any, set bool) {
	d.tags = maps.Clone(d.tags)
	if set {
		d.tags[name] = value
	} else {
		delete(d.tags, name)
	}
}

// grow notes that the checkpoint has grown by some bytes, and says whether it still leaves
// the nodes after this one their room. The caller holds the lock.
func (d *desk) grow(bytes int) bool {
	d.size += bytes
	return d.size <= call.MaxCheckpoint-spare
}

// deliver takes an input in, unless the call is not ours, or no more.
func (s *Session) deliver(in Input) bool {
	s.desk.Lock()
	defer s.desk.Unlock()
	if !s.desk.open {
		return false
	}
	for _, e := range s.takeIn(in) {
		s.tell(e)
		s.desk.told = true
	}
	return true
}

// takeIn applies an input to the tags, if the call does not have it yet, and returns what
// is to be recorded of it: what changes nothing too, since it must not be applied later. A
// tag for which the checkpoint has no room is kept from the flow: what comes from outside
// must not end the call. The caller holds the lock of the desk.
func (s *Session) takeIn(in Input) (events []call.Event) {
	if !s.desk.inputs.add(in.N) {
		return nil
	}
	for _, e := range in.Events {
		if e.Type != call.Tagged {
			continue
		}
		name, removed := e.Attrs["tag"], e.Attrs["removed"] == "true"
		attrs := maps.Clone(e.Attrs)
		attrs["input"] = in.ID
		value, growth := s.tagValue(name, attrs["value"]), 0
		if !removed {
			growth = cost(name, value)
		}
		old, had := s.desk.tags[name]
		if had {
			attrs["replaced"] = spell(old)
			growth -= cost(name, old)
		}
		events = append(events, call.Event{Type: call.Tagged, Attrs: attrs})
		switch room := s.desk.grow(growth); {
		case removed && !had, had && !removed && old == value:
			attrs["unchanged"] = "true"
		case !room && growth > 0:
			s.desk.size -= growth
			events = append(events, call.Event{Type: call.FlowError, Why: "tag " + name + " from outside is kept from the flow: " + errTooLarge.Error(),
				Attrs: map[string]string{"input": in.ID, "tag": name}})
		default:
			s.desk.write(name, value, !removed)
		}
	}
	return events
}

// tagValue makes of a value that came as text what expressions see.
func (s *Session) tagValue(name, text string) any {
	if o, ok := s.engine.Current().Organization(s.org); ok {
		return o.TagValue(name, text)
	}
	return text
}

// inputs are the numbers of those that a call has, ascending: the last maxInputs. One that
// is lower than all of them counts as known.
type inputs []int64

// maxInputs bounds what the checkpoint keeps. Inputs that come out of order are those that
// were under way at once, and few.
const maxInputs = 16

// add notes a number, and says whether it is new.
func (l *inputs) add(n int64) bool {
	at, known := slices.BinarySearch(*l, n)
	full := len(*l) == maxInputs
	if known || full && at == 0 {
		return false
	}
	*l = slices.Insert(*l, at, n)
	if full {
		*l = slices.Delete(*l, 0, 1)
	}
	return true
}
