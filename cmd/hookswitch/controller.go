package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/capacity"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store/journal"
)

// lastResort is the extension of the shipped dialplan that takes the calls
// which no node can run.
const lastResort = "hookswitch-last-resort"

// controller is where a call's path is joined: the event socket hands it over,
// the engine runs its flow, the journal keeps what happens.
type controller struct {
	log      zerolog.Logger
	node     string
	cdr      string // folder of mod_json_cdr; "" for none
	journal  *journal.Journal
	metrics  *metrics
	config   *configuration
	engine   *flowengine.Engine
	server   *eslctl.Server
	systemd  *systemd               // nil: none
	capacity *capacity.Capacity     // nil: this process alone counts
	state    atomic.Pointer[string] // why no call is taken; "" when calls are
}

func newController(s *settings, log zerolog.Logger, j *journal.Journal, m *metrics) *controller {
	c := &controller{log: log, node: s.Node, cdr: s.CDR, journal: j, metrics: m}
	versions := &flowengine.Versions{Dir: filepath.Join(s.Data, "flows"), Kinds: nodes.Kinds}
	c.config = &configuration{dir: s.ConfigDir, kept: lastGood(filepath.Join(s.Data, "conf")), versions: versions, log: log, loaded: m.configLoaded}
	c.engine = &flowengine.Engine{
		Current: c.config.current, Versions: versions, Recordings: s.Recordings, Requests: newRequests(s), Node: s.Node,
		Availability: availability.New(s.AvailabilityAtOnce),
		Panicked: func(id string, value any, stack []byte) {
			log.Error().Str("call", id).Str("panic", fmt.Sprint(value)).Bytes("stack", stack).Msg("a node panicked, its call is hung up")
		},
	}
	c.server = &eslctl.Server{
		Address: s.Listen, Takeover: s.ListenTakeover, Allow: s.Allow, MaxCalls: s.MaxCalls,
		Settings: eslctl.Settings{Engine: s.TTS.Engine, Voice: s.TTS.Voice, Profile: s.Profile, LastResort: lastResort, Took: m.command},
		Handler:  c.run, Ended: c.ended, Listening: c.listening,
		Problem: func(peer string, err error) {
			line := log.Warn()
			if p := (*eslctl.Panic)(nil); errors.As(err, &p) {
				line = log.Error().Bytes("stack", p.Stack)
			}
			line.Str("peer", peer).Err(err).Msg("connection failed")
		},
	}
	return c
}

// run takes one call through its flow.
func (c *controller) run(ctx context.Context, leg *eslctl.Leg) {
	is := leg.Call()
	rec := c.recorder(is.ID, leg.Epoch())
	marks := &marker{record: rec.Record}
	defer marks.stop()
	leg.Notify(marks.pass)
	log := c.log.With().Str("call", is.ID).Int("epoch", leg.Epoch()).Logger()
	log.Info().Str("from", is.Caller.Number).Str("to", is.Number).Str("switch", is.Switch).Msg("call taken")

	// Of a later epoch the beginning is told by who had the first.
	if last, err := call.ParseCheckpoint(leg.Taken()); err == nil && last.Node == c.node && last.Epoch == 1 && !c.journal.Has(is.ID) {
		c.late(is, leg.Taken(), leg.Epoch(), "its beginning was lost with the process that saw it")
	}
	defer c.left(is.ID)
	err := c.engine.Run(ctx, leg, flowengine.Control{Call: is, Taken: leg.Taken(), Epoch: leg.Epoch()}, rec)

	var hungUp *call.HungUp
	var refused *flowengine.RefusedError
	var transferred *flowengine.TransferredError
	switch {
	case errors.As(err, &hungUp):
	case errors.As(err, &transferred):
		log.Info().Stringer("to", transferred.To).Msg("call transferred to the dialplan")
	case errors.Is(err, call.ErrLost):
		log.Warn().Msg("control of the call was lost")
	case errors.As(err, &refused):
		log.Error().Str("why", refused.Why).Msg("call given to the last resort")
	default:
		log.Error().Err(err).Msg("call failed")
	}
}

// recorder writes the events of a call to the journal and counts them.
type recorder struct {
	*controller
	journal *journal.Recorder
}

func (c *controller) recorder(id string, epoch int) recorder {
	return recorder{c, c.journal.Recorder(id, epoch, c.node, nil)}
}

// Record keeps one event. That a call began and who was dialled must not be lost
// with this process.
func (r recorder) Record(e call.Event) {
	if !r.journal.Record(e) {
		return
	}
	r.metrics.observe(e)
	if e.Type == call.Started || e.Type == call.TargetDialed {
		r.Settle()
	}
}

// settleLimit is how long a call may wait for the disk. A journal that fails
// keeps nobody waiting.
const settleLimit = 100 * time.Millisecond

// Settle waits until what was recorded is on the disk.
func (c *controller) Settle() {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	if err := c.journal.Flush(ctx); err != nil {
		c.metrics.unsettled.Inc()
	}
}

// ended is told when this connection knows no more of a call: it is over, or it
// goes on without us.
func (c *controller) ended(leg *eslctl.Leg, end eslctl.End) {
	is := leg.Call()
	switch {
	case !end.Known:
		if by := leg.Successor(); by != "" && by != c.node {
			c.taken(is.ID, leg.Epoch(), by)
		}
	case end.Checkpoint != "" && c.other(end.Checkpoint):
		c.close(is.ID, end.Checkpoint, end, "")
	case end.Checkpoint == "" && !leg.Saved() && c.cdr != "":
		// No server has made the call its own: the one that claims the CDR tells of it.
	default:
		if !c.journal.Has(is.ID) {
			c.late(is, end.Checkpoint, leg.Epoch(), "the caller hung up at once")
		}
		c.end(is.ID, end, "")
	}
}

// other says whether a call belonged to another node when it had this
// checkpoint. What the channel says last is the same for whoever asks: only so
// a call gets one end.
func (c *controller) other(checkpoint string) bool {
	last, err := call.ParseCheckpoint(checkpoint)
	return err == nil && last.Node != c.node
}

// close records the end of a call if the call was ours at its end, and that it
// was not if it was another node's.
func (c *controller) close(id, checkpoint string, end eslctl.End, source string) {
	if !c.other(checkpoint) {
		c.connection(id, checkpoint, end, source)
		c.end(id, end, source)
		return
	}
	c.gone(id)
	if is, open := c.journal.Find(id); open {
		last, _ := call.ParseCheckpoint(checkpoint) // other has read it
		c.taken(id, is.Epoch, last.Node)
	}
}

// late records the beginning of a call of which this journal knows nothing.
func (c *controller) late(is call.Call, checkpoint string, epoch int, why string) {
	attrs := is.Attrs()
	attrs["late"] = "true"
	if !is.Started.IsZero() {
		attrs["began"] = is.Started.Format(time.RFC3339Nano)
	}
	c.recorder(is.ID, epoch).Record(call.Event{Type: call.Started, Org: c.organization(checkpoint, is.Number), Why: why, Attrs: attrs})
}

// organization says whose a call is: the checkpoint says so of one that was controlled, the
// number that was dialled of another.
func (c *controller) organization(checkpoint, number string) string {
	if org := flowengine.OrganizationOf(checkpoint); org != "" {
		return org
	}
	current := c.config.current()
	if current == nil {
		return ""
	}
	if route, ok := current.Lookup(number); ok {
		return route.Org.Name
	}
	return ""
}

// taken records that the rest of the call is told by another node's journal.
func (c *controller) taken(id string, epoch int, by string) {
	c.recorder(id, epoch).Record(call.Event{Type: call.Taken, Attrs: map[string]string{"node": by}})
	c.log.Info().Str("call", id).Str("by", by).Msg("another node controls the call")
}

// end records the end of a call, once, whoever tells of it first.
func (c *controller) end(id string, end eslctl.End, source string) {
	c.gone(id)
	attrs := map[string]string{}
	if end.Complete {
		attrs["billed"] = strconv.FormatInt(end.Billed.Milliseconds(), 10)
		attrs["duration"] = strconv.FormatInt(end.Duration.Milliseconds(), 10)
		attrs["by"] = end.By
	}
	if source != "" {
		attrs["source"] = source
		if !end.At.IsZero() {
			attrs["ended"] = end.At.Format(time.RFC3339Nano)
		}
	}
	if source != "" && end.Message != "" && end.Spoken > 0 {
		c.message(id, end)
	}
	if c.journal.End(id, end.Cause, attrs) {
		c.metrics.observe(call.Event{Type: call.Ended, Cause: end.Cause})
		line := c.log.Info().Str("call", id).Str("cause", string(end.Cause))
		if source != "" {
			line.Str("source", source)
		}
		line.Msg("call ended")
	}
}

// connection records that the call was connected with a target to its end, where no server
// saw that.
func (c *controller) connection(id, checkpoint string, end eslctl.End, source string) {
	is, open := c.journal.Find(id)
	if source == "" || !open || end.Callee == "" || !flowengine.Dialling(checkpoint) {
		return
	}
	attrs := map[string]string{"late": "true", "ended": end.At.UTC().Format(time.RFC3339Nano)}
	c.recorder(id, is.Epoch).Record(call.Event{Type: call.Released, Leg: end.Callee, Cause: end.Cause, Millis: end.At.Sub(end.Bridged).Milliseconds(),
		Why: "ended while no node controlled the call", Attrs: attrs})
}

// message records the message that a caller was leaving whose hangup no server saw.
func (c *controller) message(id string, end eslctl.End) {
	is, open := c.journal.Find(id)
	if !open {
		return
	}
	c.recorder(id, is.Epoch).Record(call.Event{Type: call.Voicemail, Millis: end.Spoken.Milliseconds(),
		Why: "left while no node controlled the call", Attrs: map[string]string{"path": end.Message, "late": "true"}})
}

func (c *controller) listening() {
	fresh, takeover := c.server.Addresses()
	c.refuse("")
	c.log.Info().Str("listen", fresh).Str("listen_takeover", takeover).Msg("taking calls")
	c.systemd.ready()
}

// full is told when the journal has no more room for new calls, and when it has
// again.
func (c *controller) full(full bool) {
	c.server.Refuse(full)
	if full {
		c.log.Error().Msg("new calls are refused: the journal is full")
	} else {
		c.log.Info().Msg("new calls are taken again: the journal has room")
	}
}

// refuse notes why no call is taken.
func (c *controller) refuse(why string) { c.state.Store(&why) }

// ready says why no new call is taken, if none is.
func (c *controller) ready() error {
	switch why := c.state.Load(); {
	case why == nil:
		return errors.New("not yet listening")
	case *why != "":
		return errors.New(*why)
	}
	return nil
}

// works returns nil when calls are accepted and what they tell is written, as far as that
// is this process's doing. A disk that fails or hangs is not: calls go on without it,
// and no restart would mend it.
func (c *controller) works(ctx context.Context) error {
	if err := c.server.Check(ctx); err != nil {
		return err
	}
	if err := c.journal.Flush(ctx); err != nil && ctx.Err() != nil && !c.journal.Stats().Writing {
		return errors.New("nobody writes the journal")
	}
	return nil
}

// serve runs calls until ctx ends, then lets the live ones go on for the time
// of drain and hands over those that remain.
func (c *controller) serve(ctx context.Context, drain time.Duration) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- c.server.Serve(serving) }()
	select {
	case err := <-failed:
		return fmt.Errorf("calls: %w", err)
	case <-ctx.Done():
	}
	c.refuse("draining")
	c.systemd.stopping()
	c.log.Info().Int("calls", c.server.Live()).Dur("drain", drain).Msg("no new calls are taken")
	patience, cancel := context.WithTimeout(serving, drain)
	defer cancel()
	if err := c.server.Drain(patience); err != nil {
		c.log.Warn().Int("calls", c.server.Live()).Msg("calls are handed over")
		c.server.HandOver()
	}
	stop()
	return <-failed
}
