package calllog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

const (
	// ReceiptLife is how long a receipt is kept.
	ReceiptLife = 24 * time.Hour
	// BoundLife is how long an input stays bound to a call of which the log is not told an end.
	BoundLife = 30 * 24 * time.Hour
	// LatestOf is among how many of a caller's calls of one spelling, newest first, the one is
	// looked for that an input is for.
	LatestOf = 100
	// ConcludeAtOnce bounds the calls of one Conclude; the others come with the next.
	ConcludeAtOnce = 500
)

// Forever is a time after all.
var Forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Input is a row of inputs.
type Input struct {
	store.Input
	Expires time.Time
	events  []byte
	wanted  string // names what it wants, as it came
}

// NewInput checks an input and returns its row, which waits for a call.
func NewInput(org string, in store.Input) (*Input, error) {
	for _, e := range in.Events {
		if e.Type != call.Tagged && e.Type != call.Money && e.Type != call.Converted {
			return nil, fmt.Errorf("input %s: %s is not what an input may lead to", in.ID, e.Type)
		}
	}
	if in.ID == "" || in.Call == "" && in.Caller == "" {
		return nil, fmt.Errorf("input %.40q names neither itself nor a call", in.ID)
	}
	if len(in.Key) > maxName {
		return nil, fmt.Errorf("input %s: its idempotency key is longer than %d bytes", in.ID, maxName)
	}
	events, err := json.Marshal(in.Events)
	if err != nil {
		return nil, err
	}
	in.Key = Text(in.Key)
	in.Org, in.ID, in.Webhook, in.Call, in.Caller = Name(org), Name(in.ID), Name(in.Webhook), Name(in.Call), PlainCaller(in.Caller)
	wanted, err := wantedOf(&in)
	return &Input{in, in.Received.Add(in.Wait), events, wanted}, err
}

// EmptyInput returns a row to read into.
func EmptyInput() *Input { return new(Input) }

// Inputs returns the inputs of rows that were read.
func Inputs(rows []*Input) (inputs []store.Input, err error) {
	for _, r := range rows {
		r.Received = r.Received.UTC()
		if err := json.Unmarshal(r.events, &r.Events); err != nil {
			return nil, fmt.Errorf("input %s: %w", r.ID, err)
		}
		inputs = append(inputs, r.Input)
	}
	return inputs, nil
}

// InputColumns are the columns of inputs but bound.
var InputColumns = []Column[*Input]{
	{"n", func(r *Input) any { return &r.N }},
	{"org", func(r *Input) any { return &r.Org }},
	{"id", func(r *Input) any { return &r.ID }},
	{"webhook", func(r *Input) any { return &r.Webhook }},
	{"caller", func(r *Input) any { return &r.Caller }},
	{"call", func(r *Input) any { return &r.Call }},
	{"received", func(r *Input) any { return &r.Received }},
	{"expires", func(r *Input) any { return &r.Expires }},
	{"events", func(r *Input) any { return &r.events }},
}

// Since returns what OfCaller takes for an input.
func Since(in *store.Input) time.Time {
	if in.Since.IsZero() {
		return Forever
	}
	return in.Since
}

// Until is up to when an input had to come to be for a call.
func Until(c *store.Call) time.Time {
	if c.Ended == nil {
		return Forever
	}
	return *c.Ended
}

// ForNodes leaves of inputs what nodes apply to live calls.
func ForNodes(inputs []store.Input) []store.Input {
	for i := range inputs {
		inputs[i].Events = slices.DeleteFunc(inputs[i].Events, final)
	}
	return slices.DeleteFunc(inputs, func(in store.Input) bool { return len(in.Events) == 0 })
}

// final says whether an event of an input waits for the end of the call.
func final(e call.Event) bool { return e.Type != call.Tagged }

// Bound is the receipt of an input that was bound to a live call.
func Bound(in *store.Input, id string) store.Receipt {
	r := store.Receipt{ID: in.ID, Call: id, Outcomes: make([]store.Outcome, len(in.Events))}
	for i, e := range in.Events {
		if r.Outcomes[i] = store.Passed; final(e) {
			r.Outcomes[i] = store.Queued
		}
	}
	return r
}

// Waits is the receipt of an input that waits for a call.
func Waits(in *store.Input) store.Receipt {
	return store.Receipt{ID: in.ID, Outcomes: slices.Repeat([]store.Outcome{store.Waiting}, len(in.Events))}
}

// Conclude makes the part of what inputs add to a call that has ended, one after the
// other, and says what became of each event of the last. What the call has already of an
// input is not added again.
func Conclude(org, id string, past Past, inputs []store.Input) (*Part, []store.Outcome, error) {
	p := &Part{Org: org, ID: id}
	p.Merge(past)
	c, err := p.Project()
	if err != nil {
		return nil, nil, err
	}
	told := make(map[string]bool)
	seq := 0
	for _, e := range past.Events {
		if e.Epoch == store.AfterEpoch {
			seq = max(seq, e.Seq)
		}
		told[effect(&e)] = true
	}
	var outcomes []store.Outcome
	for _, in := range inputs {
		outcomes = make([]store.Outcome, len(in.Events))
		added := false
		for i, e := range in.Events {
			e = addressed(e, org, id, &in)
			of := effect(&e)
			if outcomes[i] = store.Applied; told[of] {
				continue
			}
			if unchanged(c, &e) {
				outcomes[i] = store.Unchanged
				continue
			}
			seq++
			e.Seq = seq
			if err := p.add(e); err != nil {
				return nil, nil, err
			}
			told[of], added = true, true
		}
		if added {
			if c, err = p.Project(); err != nil {
				return nil, nil, err
			}
		}
	}
	return p, outcomes, nil
}

// Full says that a call that has ended takes no more.
func (p Past) Full() bool {
	n := 0
	for _, e := range p.Events {
		if e.Epoch == store.AfterEpoch {
			n++
		}
	}
	return n >= store.MaxAfter
}

// addressed returns an event of an input as one of a call.
func addressed(e call.Event, org, id string, in *store.Input) call.Event {
	attrs := map[string]string{"input": in.ID}
	maps.Copy(attrs, e.Attrs)
	e.Org, e.Call, e.Epoch, e.Attrs = org, id, store.AfterEpoch, attrs
	if e.Time.IsZero() {
		e.Time = in.Received
	}
	return e
}

// effect names what an event does that an input led to.
func effect(e *call.Event) string {
	return fmt.Sprintf("%s %q %s %s", e.Type, e.Attrs["input"], e.Attrs["kind"], e.Attrs["tag"])
}

// unchanged says whether the call has already what an event of an input would make of it.
// What a rule made of it does not count: that may change with what comes late. Where it has
// something else, the event tells what that was.
func unchanged(c *store.Call, e *call.Event) bool {
	switch e.Type {
	case call.Tagged:
		removed := e.Attrs["removed"] == "true"
		i := slices.IndexFunc(c.Tags, func(t store.Tag) bool { return t.Current && t.Name == e.Attrs["tag"] })
		if i < 0 {
			return removed
		}
		e.Attrs["replaced"] = c.Tags[i].Value
		return !removed && c.Tags[i].Value == e.Attrs["value"]
	case call.Money:
		sum := c.Payout
		if e.Attrs["kind"] == string(store.Revenue) {
			sum = c.Revenue
		}
		if sum == nil {
			return false
		}
		e.Attrs["replaced"] = sum.String()
		amount, err := call.ParseAmount(e.Attrs["amount"])
		return err == nil && *sum == call.Sum{Amount: amount, Currency: e.Attrs["currency"]} && toldBefore(c, e) != nil
	}
	before, at := toldBefore(c, e), e.Attrs["at"]
	return before != nil && before.Attrs["converted"] == e.Attrs["converted"] && (at == "" || at == before.Attrs["at"])
}

// toldBefore returns what was told of the call last that is of the kind of an event.
func toldBefore(c *store.Call, e *call.Event) *call.Event {
	for _, before := range slices.Backward(c.Events) {
		if before.Type == e.Type && before.Attrs["kind"] == e.Attrs["kind"] {
			return &before
		}
	}
	return nil
}

// Added says whether there is something in the part.
func (p *Part) Added() bool { return len(p.lines) > 0 }

// add adds an event that no journal holds.
func (p *Part) add(e call.Event) error {
	raw := journal.AppendEvent(nil, e)
	e, err := journal.DecodeEvent(raw[:len(raw)-1]) // as it will be read again
	if err != nil {
		return err
	}
	p.lines = append(p.lines, &store.Line{Event: e, Raw: raw})
	p.events = append(p.events, e)
	return nil
}
