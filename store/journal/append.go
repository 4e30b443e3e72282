package journal

import (
	"github.com/hookswitch/hookswitch/call"
)

// rank orders events by what may be lost first.
type rank uint8

const (
	detail  rank = iota // a step of a call, and why it was taken
	outcome             // what came of a step: a tag, an event of the flow
	record              // what a CDR is made of: attempts, who was connected for how long, messages
	frame               // beginning and end of a call: never lost
)

func rankOf(t call.Type) rank {
	switch t {
	case call.Started, call.Ended:
		return frame
	case call.Resumed, call.Refused, call.Answered, call.TargetDialed, call.TargetFailed, call.Connected, call.Released,
		call.Voicemail, call.Transferred, call.Failed, call.Taken:
		return record
	case call.Step, call.FlowError, call.TargetRinging, call.Decided, call.NotTried:
		return detail
	}
	return outcome
}

// Append adds e as it stands: its identity is the caller's business, and so is
// that nothing follows a call.ended. Prefer a Recorder and End. Append does not
// wait for the disk. After Close it does nothing but count e as dropped.
func (j *Journal) Append(e call.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		j.stats.Dropped++
		return
	}
	st, ended := j.calls.find(e.Call)
	if ended && st == nil {
		j.append(&e, nil) // the index has closed the account of this call
		return
	}
	if st == nil {
		st = j.calls.add(&e)
	}
	st.note(&e)
	j.append(&e, st)
}

// append encodes e into the group that waits, unless there is only room for
// what matters more. The caller holds j.mu.
func (j *Journal) append(e *call.Event, st *callState) {
	if rankOf(e.Type) < j.level.keeps() {
		j.stats.Dropped++
		return
	}
	before := len(j.pending.buf)
	j.pending.buf = AppendEvent(j.pending.buf, *e)
	j.pending.lines = append(j.pending.lines, entry{size: int32(len(j.pending.buf) - before), rank: rankOf(e.Type), st: st})
	j.stats.Events++
	if j.inflight+len(j.pending.buf) > j.limit {
		j.shed()
	}
	j.measure()
	select {
	case j.wake <- struct{}{}:
	default: // the committer knows already
	}
}

// shed drops the oldest waiting events of the lowest rank until the buffer is
// three quarters full; it is called again after a quarter more, so that the
// work is spread over many events. It never drops the beginning or end of a
// call: if there is nothing else, the buffer grows beyond its bound. The caller
// holds j.mu.
func (j *Journal) shed() {
	excess := j.inflight + len(j.pending.buf) - j.o.Buffer*3/4
	for r := detail; r < frame && excess > 0; r++ {
		if r == record && !j.crowded {
			j.crowded = true
			j.notice()
		}
		from, kept, to := 0, 0, 0
		for _, l := range j.pending.lines {
			size := int(l.size)
			if l.rank == r && excess > 0 {
				excess -= size
				j.stats.Dropped++
			} else {
				copy(j.pending.buf[to:], j.pending.buf[from:from+size])
				j.pending.lines[kept] = l
				kept++
				to += size
			}
			from += size
		}
		clear(j.pending.lines[kept:])
		j.pending.lines = j.pending.lines[:kept]
		j.pending.buf = j.pending.buf[:to]
	}
	j.limit = max(j.o.Buffer, j.inflight+len(j.pending.buf)+j.o.Buffer/4)
}
