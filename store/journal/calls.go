package journal

import (
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// callState is what the journal knows of a call that has not ended, or whose
// end is not on the disk yet.
type callState struct {
	id       string
	epoch    int         // highest epoch
	seq      int         // last sequence within it
	older    map[int]int // epoch → last sequence, of lower epochs that were seen here
	node     string
	org      string // organization, of the latest event that named one
	lastType call.Type
	since    time.Time // first event
	ended    bool
	first    int // first and last segment that holds an event of it; 0: none yet
	last     int
}

// uuid is a channel UUID in a quarter of the room of its text.
type uuid [16]byte

// endedCalls remembers the calls that ended in one segment.
type endedCalls struct {
	uuids  map[uuid]struct{}
	others map[string]struct{} // ids that are no UUID in its usual spelling
}

// index knows which calls are open and which have ended. The journal's mutex
// guards it.
type index struct {
	live  map[string]*callState
	ended map[int]*endedCalls // by the segment that holds the end
}

func newIndex() index {
	return index{live: make(map[string]*callState), ended: make(map[int]*endedCalls)}
}

// find returns the account of a call, and whether its end was recorded. An
// account may be gone because the call ended.
func (x *index) find(id string) (st *callState, ended bool) {
	if st := x.live[id]; st != nil {
		return st, st.ended
	}
	u, isUUID := parseUUID(id)
	for _, e := range x.ended {
		if isUUID {
			_, ended = e.uuids[u]
		} else {
			_, ended = e.others[id]
		}
		if ended {
			return nil, true
		}
	}
	return nil, false
}

// add opens the account of a call with its first event.
func (x *index) add(e *call.Event) *callState {
	// The id may be part of something large that must not be kept for it.
	st := &callState{id: strings.Clone(e.Call), epoch: e.Epoch, since: e.Time}
	x.live[st.id] = st
	return st
}

// load takes an event that was read from a segment into account. It reports
// whether that comes too late: the event was seen before, or ought to have been.
func (x *index) load(e *call.Event, segment int) (again bool) {
	st, ended := x.find(e.Call)
	if ended {
		return true
	}
	if st == nil {
		st = x.add(e)
	} else {
		again = e.Seq < st.next(e.Epoch)
	}
	st.note(e)
	x.place(st, segment)
	return again
}

// place says that an event of the call is in a segment, durably.
func (x *index) place(st *callState, segment int) {
	if st.first == 0 {
		st.first = segment
	}
	st.last = max(st.last, segment)
	if st.ended && x.live[st.id] == st {
		delete(x.live, st.id)
		x.rememberEnd(st.id, segment)
	}
}

func (x *index) rememberEnd(id string, segment int) {
	in := x.ended[segment]
	if in == nil {
		in = &endedCalls{uuids: make(map[uuid]struct{}), others: make(map[string]struct{})}
		x.ended[segment] = in
	}
	if u, ok := parseUUID(id); ok {
		in.uuids[u] = struct{}{}
	} else {
		in.others[strings.Clone(id)] = struct{}{}
	}
}

// note takes e into account. An event without an organization gets that of the
// call.
func (st *callState) note(e *call.Event) {
	switch e.Org {
	case st.org:
	case "":
		e.Org = st.org
	default:
		st.org = strings.Clone(e.Org)
	}
	switch {
	case e.Epoch > st.epoch:
		st.setOlder(st.epoch, st.seq)
		st.epoch, st.seq = e.Epoch, e.Seq
	case e.Epoch < st.epoch:
		st.setOlder(e.Epoch, max(e.Seq, st.older[e.Epoch]))
	default:
		st.seq = max(e.Seq, st.seq)
	}
	if e.Node != "" && e.Node != st.node {
		st.node = strings.Clone(e.Node)
	}
	st.lastType = e.Type
	st.ended = st.ended || e.Type == call.Ended
}

func (st *callState) setOlder(epoch, seq int) {
	if st.older == nil {
		st.older = make(map[int]int)
	}
	st.older[epoch] = seq
}

// open says whether the end of the call is for this journal, and has not come.
func (st *callState) open() bool { return !st.ended && st.lastType != call.Taken }

func (st *callState) describe() OpenCall {
	return OpenCall{ID: st.id, Epoch: st.epoch, Node: st.node, LastType: st.lastType, Since: st.since}
}

// next returns the next free sequence of the call within epoch.
func (st *callState) next(epoch int) int {
	switch {
	case epoch > st.epoch:
		return 1
	case epoch < st.epoch:
		return st.older[epoch] + 1
	}
	return st.seq + 1
}

// holds says whether a call that is still open has events in the segment.
func (x *index) holds(segment int) bool {
	for _, st := range x.live {
		if st.lastType != call.Taken && st.first <= segment && segment <= st.last {
			return true
		}
	}
	return false
}

// parseUUID reads the one spelling of a UUID from which it can be written again
// without loss: lower case with hyphens.
func parseUUID(s string) (u uuid, ok bool) {
	if len(s) != 36 {
		return u, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return u, false
			}
			continue
		}
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return u, false
		}
		u[n/2] = u[n/2]<<4 | c
		n++
	}
	return u, true
}

// OpenCall is a call whose end the journal does not hold.
type OpenCall struct {
	ID       string
	Epoch    int       // highest epoch seen
	Node     string    // Hookswitch node of the last event
	LastType call.Type // type of the last event
	Since    time.Time // time of the first event in this journal
}

// Open lists the calls that have an event and no end, oldest first. A call of
// which the last word is call.taken is not among them: its end is for the
// journal of the node that took it.
func (j *Journal) Open() []OpenCall {
	j.mu.Lock()
	defer j.mu.Unlock()
	var open []OpenCall
	for _, st := range j.calls.live {
		if st.open() {
			open = append(open, st.describe())
		}
	}
	slices.SortFunc(open, func(a, b OpenCall) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return open
}

// Find returns a call that Open would list.
func (j *Journal) Find(callID string) (is OpenCall, open bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if st := j.calls.live[callID]; st != nil && st.open() {
		return st.describe(), true
	}
	return OpenCall{}, false
}

// Ended says whether the journal holds the end of the call.
func (j *Journal) Ended(callID string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ended := j.calls.find(callID)
	return ended
}

// Has says whether the journal holds any event of the call.
func (j *Journal) Has(callID string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	st, ended := j.calls.find(callID)
	return st != nil || ended
}

// Recorder writes the events of one call under one epoch. It is safe for
// concurrent use, and two of them for the same call and epoch share one
// sequence.
type Recorder struct {
	j     *Journal
	call  string
	epoch int
	node  string
	now   func() time.Time
	st    *callState // found with the first event; guarded by j.mu
}

// Recorder returns the recorder of a call's epoch for the Hookswitch node of
// that name. A nil clock means the journal's own.
func (j *Journal) Recorder(callID string, epoch int, node string, clock func() time.Time) *Recorder {
	if clock == nil {
		clock = j.o.Now
	}
	return &Recorder{j: j, call: callID, epoch: epoch, node: node, now: clock}
}

// Record gives e its Call, Epoch, Seq, Time and Node and appends it, without
// waiting for the disk. It reports false, and records nothing, when the call has
// ended or the journal is closed. The first call.ended of a call is its only one.
func (r *Recorder) Record(e call.Event) bool {
	e.Call, e.Epoch, e.Node = r.call, r.epoch, r.node
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	// Under the lock, so that times do not run against the sequence.
	e.Time = r.now().UTC()
	ok := false
	r.st, ok = r.j.record(&e, r.st)
	return ok
}

// End records that a call is over, whoever asks first: the controller, the
// watcher, a CDR or the reconciliation after a restart. It reports false when
// the end was recorded before, or the journal is closed. The end takes the
// call's last epoch and next sequence. A call that this journal has never seen
// gets a call.started first, with Attrs["late"] = "true" and the attributes
// from and to of attrs, both with epoch 0: no connection of this node ever
// controlled it.
func (j *Journal) End(callID string, cause call.Cause, attrs map[string]string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	st, ended := j.calls.find(callID)
	if j.closed || ended {
		return false
	}
	end := call.Event{Call: callID, Time: j.o.Now().UTC(), Node: j.o.Node, Type: call.Ended, Cause: cause, Attrs: attrs}
	if st == nil {
		start := call.Event{Call: callID, Time: end.Time, Node: end.Node, Type: call.Started, Attrs: map[string]string{"late": "true"}}
		for _, k := range []string{"from", "to"} {
			if v := attrs[k]; v != "" {
				start.Attrs[k] = v
			}
		}
		st, _ = j.record(&start, nil)
	} else {
		end.Epoch = st.epoch
		if end.Node == "" {
			end.Node = st.node
		}
	}
	_, ok := j.record(&end, st)
	return ok
}

// record gives e the next sequence and appends it, unless the call has ended. st
// is the account of the call if it is known. The caller holds j.mu.
func (j *Journal) record(e *call.Event, st *callState) (*callState, bool) {
	if st == nil {
		ended := false
		if st, ended = j.calls.find(e.Call); ended {
			return st, false
		}
	}
	if j.closed || st != nil && st.ended {
		return st, false
	}
	if st == nil {
		st = j.calls.add(e)
	}
	e.Seq = st.next(e.Epoch)
	st.note(e)
	j.append(e, st)
	return st, true
}
