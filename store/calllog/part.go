// Package calllog is what both engines of the call log have in common: how a batch
// falls into calls, what rows a call has, and where a page of a search ends.
package calllog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// Part is what a batch holds of one call.
type Part struct {
	Org, ID string
	lines   []*store.Line // in the order of the journal, each event once
	events  []call.Event  // all that are known of the call
	booked  []store.MoneyEntry
	record  *store.Call // made of them
}

// Split sorts a batch by call. All who write calls do it in the order of the result,
// so that two of them never wait for each other.
func Split(lines []store.Line) []*Part {
	type key struct{ org, id string }
	var (
		parts  []*Part
		counts []int
		index  = make(map[key]int, len(lines)/8)
		partOf = make([]int, len(lines))
	)
	for i := range lines {
		k := key{lines[i].Event.Org, lines[i].Event.Call}
		n, known := index[k]
		if !known {
			name := key{Name(k.org), Name(k.id)}
			if n, known = index[name]; !known {
				n = len(parts)
				parts, counts = append(parts, &Part{Org: name.org, ID: name.id}), append(counts, 0)
			}
			index[k], index[name] = n, n
		}
		partOf[i] = n
		counts[n]++
	}
	// One piece of memory for all.
	pointers, events := make([]*store.Line, len(lines)), make([]call.Event, len(lines))
	for n, p := range parts {
		c := counts[n]
		p.lines, pointers = pointers[:0:c], pointers[c:]
		p.events, events = events[:0:c], events[c:]
	}
	for i, n := range partOf {
		parts[n].lines = append(parts[n].lines, &lines[i])
	}
	for _, p := range parts {
		p.Merge(Past{})
	}
	slices.SortFunc(parts, func(a, b *Part) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), strings.Compare(a.ID, b.ID))
	})
	return parts
}

// Past is what the log has of a call.
type Past struct {
	Events []call.Event
	Ledger []store.MoneyEntry
}

// Merge joins the part with what the log has of the call; the events that it has are no
// longer in the part.
func (p *Part) Merge(past Past) {
	have := past.Events
	p.booked = past.Ledger
	if len(have) > 0 || !ascending(p.lines) {
		seen := make(map[identity]bool, len(have)+len(p.lines))
		for i := range have {
			seen[identify(&have[i])] = true
		}
		p.lines = slices.DeleteFunc(p.lines, func(l *store.Line) bool {
			id := identify(&l.Event)
			defer func() { seen[id] = true }()
			return seen[id]
		})
	}
	p.events = append(p.events[:0], have...)
	for _, l := range p.lines {
		p.events = append(p.events, l.Event)
	}
}

// identity is what no two events of a call have in common. The time is a part of it: a
// node whose journal was lost, or put back, gives a place that it had given before.
type identity struct {
	epoch, seq int
	node       string
	time       int64 // in nanoseconds
}

func identify(e *call.Event) identity {
	return identity{e.Epoch, e.Seq, e.Node, e.Time.UnixNano()}
}

// ascending says that no event can be there twice, as it is in a journal that is whole.
func ascending(lines []*store.Line) bool {
	for i := 1; i < len(lines); i++ {
		a, b := &lines[i-1].Event, &lines[i].Event
		if a.Epoch > b.Epoch || a.Epoch == b.Epoch && a.Seq >= b.Seq {
			return false
		}
	}
	return true
}

// Begins says whether the part has the beginning of its call, so that the log will hardly
// have it.
func (p *Part) Begins() bool { return len(p.lines) > 0 && p.lines[0].Event.Seq == 1 }

// Starts says whether the part tells that its call began.
func (p *Part) Starts() bool {
	return slices.ContainsFunc(p.lines, func(l *store.Line) bool { return l.Event.Type == call.Started })
}

// Told returns what a publisher, if there is one, has to tell of the call, whose record was
// made.
func (p *Part) Told(by store.Publisher) []store.Message {
	if by == nil {
		return nil
	}
	news := make([]call.Event, len(p.lines))
	for i, l := range p.lines {
		news[i] = l.Event
	}
	return by.Publish(p.record, news)
}

// Waits says whether the call, whose record was made, waits for a journal.
func (p *Part) Waits() bool { return len(p.record.Missing) > 0 }

// Settled enters into the record that nothing is missing from it.
func (p *Part) Settled() { p.record.State, p.record.Missing = store.Complete, nil }

// Raw returns the lines as they stand in the journal.
func (p *Part) Raw() []byte {
	n := 0
	for _, l := range p.lines {
		n += len(l.Raw)
	}
	raw := make([]byte, 0, n)
	for _, l := range p.lines {
		raw = append(raw, l.Raw...)
	}
	return raw
}

// Project makes the record of the call of all events that are known. A panic costs
// this call alone.
func (p *Part) Project() (c *store.Call, err error) {
	defer func() {
		if v := recover(); v != nil {
			c, err = nil, &ProjectError{v}
		}
	}()
	c = store.Project(p.events)
	c.Org, c.ID = p.Org, p.ID
	p.record = c
	return c, nil
}

// ProjectError says that the record of a call cannot be made of its events.
type ProjectError struct{ panicked any }

func (e *ProjectError) Error() string {
	return fmt.Sprintf("its record cannot be made: %v", e.panicked)
}

// Events reads what Raw wrote.
func Events(raw []byte) ([]call.Event, error) {
	events := make([]call.Event, 0, 16)
	for line := range bytes.Lines(raw) {
		e, err := journal.DecodeEvent(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil {
			return nil, fmt.Errorf("event in the call log: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}

// maxName bounds what is the key of something, in bytes.
const maxName = 256

// Name makes a text fit to be a key in any database: UTF-8 without NUL, not too long.
func Name(s string) string {
	if len(s) > maxName {
		s = s[:maxName]
	}
	return Text(s)
}

// Text makes a text fit for any database: PostgreSQL takes neither NUL nor what is not
// UTF-8.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
