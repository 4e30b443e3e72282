package eslctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
)

// Channel variables by which a call and its dialplan talk to us.
const (
	varCheckpoint = "hookswitch_checkpoint"
	varTakeover   = "hookswitch_takeover" // hosts for calls that a node already had
	varSocket     = "hookswitch_socket"   // hosts of the next socket action
	varDigits     = "hookswitch_digits"
	varRecording  = "hookswitch_recording" // path of the recording of an attempt that runs
	varMessage    = "hookswitch_message"   // path of the message that is recorded, or was
)

// Limits of the verbs, after which the application is stopped.
const (
	shortLimit  = 10 * time.Second // applications that do their work at once
	playLimit   = time.Hour
	bridgeLimit = 24 * time.Hour
	breakGrace  = 2 * time.Second       // from stopping an application to hanging up
	firstPause  = 25 * time.Millisecond // between breaks; an idle channel takes up to 20 ms to begin
)

// Leg is the caller's leg of a call while this connection controls it. Its
// verbs block until they are done. They are called by one goroutine, the
// call's; events arrive in another.
type Leg struct {
	conn      *conn
	settings  Settings
	call      call.Call
	taken     string // checkpoint found on the channel
	context   string // dialplan context
	takeover  string // hosts for the next connection
	last      call.BridgeResult
	begun     bool     // last is the result of an attempt that was begun
	armed     bool     // the channel has the variables of the first Save
	given     bool     // the dialplan has the call, for good
	blank     bool     // the channel has no digits of an earlier Gather
	secret    bool     // what is pressed is kept secret
	recording string   // path of the recording of an attempt that was begun and not stopped
	found     recorded // on the channel when this connection took the call over
	messaged  bool     // a Message has returned since the last Save

	ctx    context.Context
	cancel context.CancelCauseFunc
	notify func(call.Event)
	limit  *time.Timer   // of the running application
	ended  chan struct{} // closed when nothing more will be heard of the call

	mu       sync.Mutex
	epoch    int
	answered bool
	count    int        // applications executed so far
	running  []*running // in the order in which the switch runs them
	attempt  attempt
	end      End

	successor string // node that controls the call now
}

// Settings are what the verbs need to know of the switch.
type Settings struct {
	Engine     string // text-to-speech module, such as flite
	Voice      string // its voice
	Profile    string // Sofia profile for targets given by SIP address
	LastResort string // dialplan extension that takes calls we cannot run

	Took func(time.Duration) // told how long a command took to be replied to; may be nil
}

// End is how the call ended, as the switch tells it.
type End struct {
	Known bool       // the call is gone; false: we lost sight of it
	Cause call.Cause // hangup cause of the A leg

	Checkpoint string // that was on the channel; "": none, or no event told

	Complete bool // the fields below are known
	At       time.Time
	Billed   time.Duration
	Duration time.Duration
	By       string // who hung up: caller, switch

	Message string        // path of the message that the caller was leaving at the end; "": none
	Spoken  time.Duration // its length

	Callee  string    // UUID of the leg with which the last attempt connected the call; "": none
	Bridged time.Time // when
}

// joined notes with whom the last attempt connected the call, by the variables of its channel.
func (e *End) joined(variable func(name string) string) {
	if at := microseconds(variable("bridge_uepoch")); variable("originate_disposition") == "SUCCESS" && !at.IsZero() && e.At.After(at) {
		e.Callee, e.Bridged = variable("bridge_uuid"), at
	}
}

// running is an application that is waited for.
type running struct {
	app  string
	uuid string
	take func(Event)   // reads the completion; called by the reading goroutine
	done chan struct{} // closed after that
}

// unread is for applications whose completion says nothing.
func unread(Event) {}

// Call returns what the switch says of the call.
func (l *Leg) Call() call.Call { return l.call }

// Taken returns the checkpoint that the call already carried, or "".
func (l *Leg) Taken() string { return l.taken }

// Saved says whether this connection has left a checkpoint on the call.
func (l *Leg) Saved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.armed
}

// Context is cancelled when the verbs can do no more: with a *call.HungUp when
// the caller is gone, with call.ErrLost when this connection controls the call
// no longer.
func (l *Leg) Context() context.Context { return l.ctx }

// Epoch returns the number of this connection among those that controlled the
// call, from 1.
func (l *Leg) Epoch() int { return l.epoch }

// Notify sets what is told of events that the switch reports: answered,
// ringing, connected, released; and of faults that end no verb, as a flow.error.
// It is called in the order of the events and must not block.
func (l *Leg) Notify(f func(call.Event)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notify = f
}

// Answer answers the call.
func (l *Leg) Answer(ctx context.Context) error {
	if l.isAnswered() {
		return nil
	}
	return l.execute(ctx, "answer", "", shortLimit, unread)
}

// Ring tells the caller of an unanswered call that it rings; one that has media
// hears nothing of it.
func (l *Leg) Ring(ctx context.Context) error {
	if l.isAnswered() {
		return nil
	}
	return l.execute(ctx, "ring_ready", "", shortLimit, unread)
}

func (l *Leg) isAnswered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

// Play plays a prompt to its end.
func (l *Leg) Play(ctx context.Context, p call.Prompt) error {
	if p.Kind == call.Silence {
		return nil
	}
	var response string
	err := l.execute(ctx, "playback", file(p), playLimit, func(ev Event) {
		response = ev.Get("Application-Response")
	})
	if err != nil {
		return err
	}
	if response != "FILE PLAYED" {
		if l.wait(ctx, time.Second) { // the caller's hangup is reported just after
			return context.Cause(ctx)
		}
		return fmt.Errorf("playing %q: %s", p, response)
	}
	return nil
}

// Hangup ends the call and returns its *call.HungUp.
func (l *Leg) Hangup(ctx context.Context, cause call.Cause) error {
	if !cause.Known() {
		return fmt.Errorf("hangup cause %q is none of FreeSWITCH's", cause)
	}
	// uuid_kill acts at once, whatever runs (seen on 1.11.1); a sendmsg hangup
	// would wait behind a locked application.
	if _, err := l.api(ctx, "uuid_kill", l.call.ID+" "+string(cause)); err != nil {
		return l.gone(ctx, err)
	}
	if !l.wait(l.ctx, shortLimit) {
		l.hungUp(cause)
	}
	return context.Cause(l.ctx)
}

// Save leaves the checkpoint on the channel, for whoever takes the call over,
// and lets the dialplan go on at once when we die.
func (l *Leg) Save(ctx context.Context, checkpoint string) error {
	crash.At("save.before")
	vars := varCheckpoint + "=" + checkpoint + ";socket_resume=true"
	if !l.blank {
		vars += noDigits
	}
	if l.secret && l.armed {
		vars += ";sensitive_dtmf="
		l.secret = false
	}
	if l.messaged { // the checkpoint is behind it
		vars += ";" + varMessage + "="
		l.messaged = false
	}
	if !l.armed {
		vars += ";continue_on_fail=true;hangup_after_bridge=false;playback_terminators=none;tts_engine=" +
			l.settings.Engine + ";tts_voice=" + l.settings.Voice
		// Should we die, the dialplan shall not wait for the next one.
		vars += ";hookswitch_quiet=20"
		if l.takeover != "" {
			vars += ";" + varSocket + "=" + l.takeover
		}
	}
	if err := l.set(ctx, vars); err != nil {
		return err
	}
	l.armed, l.blank = true, true
	crash.At("save.after")
	return nil
}

// set writes channel variables, "name=value;name=value", in one command: all of
// them or, when we die, none. An empty value unsets (mod_commands.c,
// uuid_setvar_multi_function). Values hold no ; and no quotes.
func (l *Leg) set(ctx context.Context, vars string) error {
	_, err := l.api(ctx, "uuid_setvar_multi", l.call.ID+" "+vars)
	return l.gone(ctx, err)
}

// api runs a command of the switch's API, unless the call is not ours any more.
func (l *Leg) api(ctx context.Context, name, args string) (string, error) {
	if l.lost() {
		return "", call.ErrLost
	}
	return l.conn.api(ctx, name, args)
}

// lost says whether another connection controls the call, which this one may
// outlive.
func (l *Leg) lost() bool { return errors.Is(context.Cause(l.ctx), call.ErrLost) }

// gone turns the refusal of a command on a call that has just ended into that
// end.
func (l *Leg) gone(ctx context.Context, err error) error {
	var refused *ReplyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.NoSuchChannel():
		if !l.wait(l.ctx, time.Second) {
			l.hungUp(call.UnknownCause)
		}
		return context.Cause(l.ctx)
	case l.wait(ctx, 0):
		return context.Cause(ctx)
	case l.conn.failure() != nil && l.wait(l.ctx, time.Second): // the reader says how it ended
		return context.Cause(l.ctx)
	}
	return err
}

// wait says whether the context ends within the time.
func (l *Leg) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return true
	default:
	}
	if d == 0 {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return true
	case <-t.C:
		return false
	}
}

// execute runs an application and has its CHANNEL_EXECUTE_COMPLETE read.
func (l *Leg) execute(ctx context.Context, app, arg string, limit time.Duration, take func(Event)) error {
	r, err := l.start(ctx, app, arg, take)
	if err != nil {
		return err
	}
	defer l.forget(r)
	return l.await(ctx, r, limit)
}

// start sends an application and does not wait for its end. Whoever starts one
// forgets it.
func (l *Leg) start(ctx context.Context, app, arg string, take func(Event)) (*running, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if l.lost() {
		return nil, call.ErrLost
	}
	l.mu.Lock()
	l.count++
	uuid := "hs-" + strconv.Itoa(l.epoch) + "-" + strconv.Itoa(l.count)
	r := &running{app: app, uuid: uuid, take: take, done: make(chan struct{})}
	l.running = append(l.running, r) // before sending: a fast completion must find it
	l.mu.Unlock()

	msg, err := execute(app, arg, uuid)
	if err == nil {
		_, err = l.conn.run(ctx, msg)
		err = l.gone(ctx, err)
	}
	if err != nil {
		l.forget(r)
		return nil, err
	}
	if app == "bridge" {
		crash.At("bridge.sent")
	}
	return r, nil
}

// await waits for the end of an application. There are four: its completion,
// the hangup, the loss of the connection, the limit.
func (l *Leg) await(ctx context.Context, r *running, limit time.Duration) error {
	l.limit.Reset(limit)
	defer l.limit.Stop()
	select {
	case <-r.done:
		return context.Cause(ctx) // the hangup may have come with it
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.limit.C:
	}
	if err := l.halt(ctx, r, breakGrace); err != nil {
		return err
	}
	return fmt.Errorf("%s did not end within %v and was stopped", r.app, limit)
}

// completed gives a completion to the application that waits for it. It needs
// the lock.
func (l *Leg) completed(ev Event) {
	i := slices.IndexFunc(l.running, func(r *running) bool { return string(ev.app) == r.uuid })
	if i < 0 {
		return
	}
	r := l.running[i]
	l.running = slices.Delete(l.running, i, i+1)
	r.take(ev)
	close(r.done)
}

// forget ends the interest in an application: its completion is not read any
// more.
func (l *Leg) forget(r *running) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = slices.DeleteFunc(l.running, func(o *running) bool { return o == r })
}

// halt stops an application, and ends the call if it does not obey within the
// grace.
//
// The break is repeated, because one that comes before the application has
// begun is lost: each clears the flag as it begins (switch_core_session.c,
// switch_core_session_exec). For the same reason none cuts the application that
// is sent afterwards.
func (l *Leg) halt(ctx context.Context, r *running, grace time.Duration) error {
	over := time.NewTimer(grace)
	defer over.Stop()
	for pause := firstPause; ; pause = min(2*pause, time.Second) {
		if _, err := l.api(ctx, "uuid_break", l.call.ID); err != nil {
			return l.gone(ctx, err)
		}
		again := time.NewTimer(pause)
		select {
		case <-r.done:
			again.Stop()
			return context.Cause(ctx)
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		case <-over.C:
			again.Stop()
			return l.Hangup(ctx, call.TemporaryFailure)
		case <-again.C:
		}
	}
}

// HandOver leaves the call to the next node of its dialplan, as our death would:
// a prompt is cut off, a call that rings or is bridged goes on undisturbed. The
// channel is in the right state for it at every moment, and nothing that is sent
// now could be (a break may overtake the application that it is to end).
func (l *Leg) HandOver() {
	l.cancel(call.ErrLost)
	l.conn.end(ErrClosed)
}
