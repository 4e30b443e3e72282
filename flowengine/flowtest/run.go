package flowtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Result is what became of a call.
type Result struct {
	*Phone
	Err    error         // of the last Run; *call.HungUp when all is well
	Epochs int           // controllers the call had
	Points int           // moments at which the last controller could have lost the call
	Took   time.Duration // of the computer, see PlayAll; see Lasted for the call
}

// NewEngine returns an engine on a snapshot, in virtual time, with the chance
// of the seed.
func NewEngine(s *flowengine.Snapshot, clock *Clock, seed uint64) *flowengine.Engine {
	return &flowengine.Engine{
		Current:    func() *flowengine.Snapshot { return s },
		Clock:      clock,
		Rand:       rand.New(rand.NewPCG(seed, 0)),
		Recordings: "/recordings",
		Requests:   requests{},
		Node:       "n1",
	}
}

// maxTakeovers ends a call that is lost again and again.
const maxTakeovers = 100

// Run places a call with e until it is over. The first controller loses it at
// point lose[0], its successor at point lose[1] and so on; 0 and what is beyond
// the list lose nothing. The events are stamped as a recorder would.
func Run(e *flowengine.Engine, p *Phone, lose ...int) *Result {
	return RunEach(func(int) *flowengine.Engine { return e }, p, lose...)
}

// RunEach is Run with an engine for each controller, as if each were another
// process.
func RunEach(engine func(epoch int) *flowengine.Engine, p *Phone, lose ...int) *Result {
	r := &Result{Phone: p}
	for r.Epochs < maxTakeovers {
		epoch := call.EpochOf(p.Checkpoint) + 1
		rec := &recorder{Phone: p, epoch: epoch, settled: len(p.Events)}
		c := &controller{Phone: p, rec: rec, taken: p.last}
		if r.Epochs < len(lose) {
			c.loseAt = lose[r.Epochs]
		}
		r.Epochs++
		e := engine(r.Epochs)
		if p.engine = e; len(p.Data) > 0 {
			e.Inbox = p
		}
		control := flowengine.Control{Call: p.Call, Taken: p.Checkpoint, Epoch: epoch, Org: p.Org, Flow: p.Flow, Tags: p.Tags}
		r.Err = e.Run(context.Background(), c, control, c.rec)
		r.Points = c.points
		if !errors.Is(r.Err, call.ErrLost) {
			break
		}
		rec.lose()
		if p.pass(takeover) != nil {
			r.Err = p.Over // hung up while nobody controlled the call
			break
		}
	}
	return r
}

// recorder stamps the events of one controller.
type recorder struct {
	*Phone
	epoch, seq int
	settled    int // events that outlive the controller whatever happens
}

func (r *recorder) Record(e call.Event) {
	r.seq++
	e.Call, e.Epoch, e.Seq, e.Time, e.Node = r.Call.ID, r.epoch, r.seq, r.Clock.at, "n1"
	if e.Org == "" {
		e.Org = r.org
	}
	r.org = e.Org
	r.Events = append(r.Events, e)
	r.done = append(r.done, len(r.Verbs))
}

func (r *recorder) Settle() { r.settled = len(r.Events) }

// lose forgets what a controller told last and nobody has settled: a journal may lose
// that with its process, and what a node told would be missed.
func (r *recorder) lose() {
	for i := len(r.Events) - 1; i >= r.settled; i-- {
		switch r.Events[i].Type {
		case call.Tagged, call.Emitted, call.Voicemail, call.Recordings, call.Decided, call.NotTried:
			r.Events = slices.Delete(r.Events, i, i+1)
			r.done = slices.Delete(r.done, i, i+1)
		}
	}
}

// Lasted is how long the call was, in its own time.
func (r *Result) Lasted() time.Duration { return r.Clock.at.Sub(r.began) }

// Path returns the nodes that were left, as "node exit".
func (r *Result) Path() []string {
	var out []string
	for _, e := range r.Events {
		if e.Type == call.Step {
			out = append(out, strings.TrimSpace(e.Step+" "+e.Exit))
		}
	}
	return out
}

// Did returns what was done in each passing of a node of the kind, and how long that
// took in milliseconds.
func (r *Result) Did(kind string) (verbs [][]string, millis []int64) {
	from := 0
	for i, e := range r.Events {
		if e.Type != call.Step {
			continue
		}
		if e.Kind == kind {
			verbs = append(verbs, r.Verbs[from:r.done[i]])
			millis = append(millis, e.Millis)
		}
		from = r.done[i]
	}
	return verbs, millis
}

// Trace returns the events as lines for people.
func (r *Result) Trace() string {
	var b strings.Builder
	for _, e := range r.Events {
		fmt.Fprintf(&b, "%d.%-2d %8.1fs %-14s", e.Epoch, e.Seq, e.Time.Sub(r.began).Seconds(), e.Type)
		for _, part := range []string{e.Step, e.Kind, e.Exit, e.Target, string(e.Cause), e.Why} {
			if part != "" {
				b.WriteString(" " + part)
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "end: %v\n", r.Err)
	return b.String()
}
