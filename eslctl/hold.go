package eslctl

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// haltLimit is how long music may take to stop: one that is fetched can not be
// stopped before it is there.
const haltLimit = 30 * time.Second

// Wait lets the time pass. The caller hears the music as in While, or nothing,
// also before the answer. What is pressed meanwhile is lost.
//
// Nothing runs on the channel for it: sleep counts in 32 bits of microseconds
// and so ends early from 71 minutes on, and in steps of 20 ms plus what each
// costs on a call without media (switch_ivr.c, switch_ivr_sleep).
func (l *Leg) Wait(ctx context.Context, d time.Duration, music call.Prompt) error {
	return l.While(ctx, music, func(ctx context.Context) { l.wait(ctx, d) })
}

// While runs f once, in another goroutine, and lets the caller hear the music,
// again and again, until f has returned. f must return when its context ends,
// which it does with the call, and must not use the Leg. A panic of f comes out
// of While.
//
// The music is a courtesy: when it can not be played, f runs on in silence,
// Notify is told a flow.error, and While returns nil. Its errors are those of
// the call.
func (l *Leg) While(ctx context.Context, music call.Prompt, f func(ctx context.Context)) error {
	done := make(chan struct{})
	var fault any
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				fault = fmt.Sprintf("%v\n\n%s", v, debug.Stack())
			}
		}()
		f(ctx)
	}()
	err := l.entertain(ctx, music, done)
	<-done
	if fault != nil {
		panic(fault)
	}
	return err
}

// entertain plays the music until done. A sound that ends by itself is played
// again by us: of what FreeSWITCH has, endless_playback and loop_playback go on
// after a break (mod_dptools.c, endless_playback_function), and so do the loops
// of a sendmsg (switch_ivr.c, switch_ivr_parse_event).
func (l *Leg) entertain(ctx context.Context, music call.Prompt, done <-chan struct{}) error {
	for music.Kind != call.Silence {
		select {
		case <-done:
			return context.Cause(ctx)
		default:
		}
		began := time.Now()
		var response string
		r, err := l.start(ctx, "playback", endless(music), func(ev Event) { response = ev.Get("Application-Response") })
		if err != nil {
			return err
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			l.forget(r)
			return context.Cause(ctx)
		case <-done:
			defer l.forget(r)
			return l.halt(ctx, r, haltLimit)
		}
		// At most one sound a second: an empty one would never cease to end. A
		// hangup is reported just after the end of what it ended.
		if over, err := l.idle(ctx, done, max(time.Second-time.Since(began), 0)); over {
			return err
		}
		if response != "FILE PLAYED" {
			l.trouble(fmt.Sprintf("the caller waits in silence: playing %q: %s", music, response))
			break
		}
	}
	_, err := l.idle(ctx, done, -1)
	return err
}

// idle waits for done or, where it is not negative, for the time; over says
// that it was not the time.
func (l *Leg) idle(ctx context.Context, done <-chan struct{}, d time.Duration) (over bool, err error) {
	var after <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-done:
		return true, context.Cause(ctx)
	case <-ctx.Done():
		return true, context.Cause(ctx)
	case <-after:
		return false, nil
	}
}

// endless is a prompt as an argument of playback, without an end of its own
// where it can be.
func endless(p call.Prompt) string {
	if p.Kind == call.Tone && !strings.Contains(p.Text, "loops=") {
		return file(p) + ";loops=-1"
	}
	return file(p)
}
