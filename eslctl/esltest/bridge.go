package esltest

import (
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// bridge is the bridge application (mod_dptools.c, audio_bridge_function). Its
// result is in the caller's variables (files 09 to 18, 28).
func (c *channel) bridge(data string) {
	d := parseDial(data)
	if len(d.rounds) == 0 {
		return // everything stays as it was (file 13b)
	}
	b, cause := c.originate(d)
	if b == nil {
		if c.cause == "" && !c.goesOn(cause) {
			c.hangup(cause, false) // file 11b
		}
		return
	}
	c.connect(b, d)
}

// goesOn says whether the call survives a failed bridge.
func (c *channel) goesOn(cause call.Cause) bool {
	if !c.ready() {
		return true
	}
	list := c.vars.get("continue_on_fail")
	if list == "" {
		return cause == "NO_ANSWER" || cause == "NO_USER_RESPONSE" || cause == call.OriginatorCancel
	}
	if isTrue(list) {
		return true
	}
	return slices.Contains(strings.Split(list, ","), string(cause))
}

// dialStatus is DIALSTATUS for a cause.
func dialStatus(cause call.Cause) string {
	switch cause {
	case "USER_BUSY":
		return "BUSY"
	case "CALL_REJECTED":
		return "DONTCALL"
	case "NO_ANSWER":
		return "NOANSWER"
	case "ORIGINATOR_CANCEL":
		return "CANCEL"
	}
	return string(cause)
}

// originate dials until somebody takes the call (switch_ivr_originate.c,
// switch_ivr_originate). It returns the leg, or nil and why there is none.
func (c *channel) originate(d dialing) (*channel, call.Cause) {
	set := c.vars.set
	set("originate_disposition", "failure")
	set("DIALSTATUS", "INVALIDARGS")
	if !c.times.answered.IsZero() && !c.phantom {
		c.setCallState("RING_WAIT")
	}
	var cause call.Cause
	var winner *channel
	var tried []*channel
	for _, round := range d.rounds {
		var stop bool
		winner, cause, stop = c.dialRound(d.globals, round)
		tried = append(tried, c.tried...)
		if winner != nil || stop || !c.ready() {
			break
		}
	}
	if c.call != nil {
		c.call.ring = false
		c.call.poke()
	}
	defer func() {
		for _, b := range tried {
			result := string(b.cause)
			if b == winner {
				result = "NONE"
			}
			c.vars.push("originate_causes", b.uuid+";"+result)
		}
	}()
	if winner != nil {
		if !c.phantom {
			c.callee = winner.callee
			if winner.leg.answered {
				c.doAnswer()
			} else {
				c.preAnswer()
			}
		}
		set("originate_signal_bond", "")
		set("originate_disposition", "SUCCESS")
		set("DIALSTATUS", "SUCCESS")
		return winner, ""
	}
	if c.cause == "" && c.callst == "RING_WAIT" {
		c.setCallState("ACTIVE")
	}
	set("originate_disposition", string(cause))
	set("DIALSTATUS", dialStatus(cause))
	set("originate_failed_cause", string(cause))
	return nil, cause
}

// dialRound dials targets at once. stop says that the rest of the list is not
// tried.
func (c *channel) dialRound(globals []header, round []target) (winner *channel, cause call.Cause, stop bool) {
	s := c.sw
	var legs, live []*channel
	for _, t := range round {
		b := c.newLeg(globals, t)
		if b.leg.failed != "" {
			cause = b.leg.failed
			continue
		}
		legs = append(legs, b)
		c.vars.set("originate_signal_bond", b.uuid)
		c.vars.push("originated_legs", b.uuid+";Outbound Call;"+b.callee[1])
		b.fire("CHANNEL_OUTGOING", nil, nil)
		if !s.start(b.life) {
			b.hangup("SYSTEM_SHUTDOWN", false)
			b.ended()
			b.finish()
		}
	}
	limit := time.Now().Add(s.span(c.dialTime(globals)))
	silence := c.ringback()
	if silence != nil && isTrue(c.setting(globals, "instant_ringback")) {
		c.preAnswer()
		silence.over = c.hears(silence.what)
	}
	for {
		live = live[:0]
		for _, b := range legs {
			if !b.over {
				live = append(live, b)
			} else if cause == "" || b.cause != call.LoseRace {
				cause = b.cause
			}
		}
		for _, b := range live {
			if b.cause == "" && c.takes(b, globals) {
				winner = b
			}
			if b.leg.ringing || b.leg.early && c.ignoresEarly(globals) {
				c.rings(b, silence)
			}
		}
		if winner != nil || len(live) == 0 || !c.ready() {
			break
		}
		next := limit
		for _, b := range live {
			if at := b.leg.deadline; b.cause == "" && !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		now := time.Now()
		if !now.Before(limit) {
			cause, stop = call.NoAnswer, !isTrue(c.setting(globals, "originate_continue_on_timeout"))
			break
		}
		for _, b := range live {
			if at := b.leg.deadline; !at.IsZero() && !now.Before(at) {
				b.hangup(call.AllottedTimeout, false)
			}
		}
		if c.await(max(next.Sub(now), 0), func() bool { return !c.ready() || c.changed(live, globals) }) {
			continue
		}
	}
	if silence != nil {
		silence.end()
	}
	switch {
	case winner != nil:
		cause = call.LoseRace
		if len(legs) > 1 || winner.leg.key != "" {
			for _, b := range live {
				status := "loser"
				if b == winner {
					status = "winner"
				}
				b.vars.set("group_dial_status", status)
			}
		}
	case !c.ready():
		cause, stop = call.OriginatorCancel, true
	}
	for _, b := range live {
		if b != winner {
			b.cancel(cause)
		}
	}
	if winner == nil {
		c.await(-1, func() bool {
			return !slices.ContainsFunc(live, func(b *channel) bool { return !b.over })
		})
	}
	c.tried = legs
	return winner, cause, stop
}

// takes says whether the leg may be connected now.
func (c *channel) takes(b *channel, globals []header) bool {
	l := b.leg
	switch {
	case l.answered:
		return l.confirmed
	case l.early && l.key == "":
		return !c.ignoresEarly(globals)
	}
	return false
}

// ignoresEarly says whether a callee's early media leaves the dial a dial
// (switch_ivr_originate.c, switch_ivr_originate).
func (c *channel) ignoresEarly(globals []header) bool {
	v := c.setting(globals, "ignore_early_media")
	return isTrue(v) || v == "consume" || v == "ring_ready" || isTrue(c.setting(globals, "bridge_early_media"))
}

// changed says whether something happened to the legs that dialRound must look
// at.
func (c *channel) changed(live []*channel, globals []header) bool {
	for _, b := range live {
		if b.over || b.cause == "" && c.takes(b, globals) || b.leg.ringing && c.times.progress.IsZero() {
			return true
		}
		if c.call != nil && b.leg.ringing && !c.call.ring {
			return true
		}
	}
	return false
}

// setting is a variable that may be in {} or on the caller's leg.
func (c *channel) setting(globals []header, name string) string {
	if v := get(globals, nil, name); v != "" {
		return v
	}
	return c.vars.get(name)
}

func (c *channel) dialTime(globals []header) time.Duration {
	n := number(get(globals, nil, "originate_timeout"))
	if n == 0 {
		n = number(c.vars.get("call_timeout"))
	}
	if n == 0 {
		n = 60
	}
	return time.Duration(n) * time.Second
}

// tune is what the caller hears while it rings.
type tune struct {
	what string
	over func()
}

func (c *channel) ringback() *tune {
	name := "ringback"
	if !c.times.answered.IsZero() {
		name = "transfer_ringback"
	}
	if what := c.vars.get(name); what != "" {
		return &tune{what: what}
	}
	return nil
}

func (t *tune) end() {
	if t.over != nil {
		t.over()
	}
}

// rings passes a leg's ringing on to the caller: 180, or the ringback tone with
// its media.
func (c *channel) rings(b *channel, t *tune) {
	if c.call != nil && !c.call.ring {
		c.call.ring = true
		c.call.poke()
	}
	c.callee = b.callee
	if !b.leg.ringing {
		return
	}
	if t != nil {
		if t.over == nil {
			c.preAnswer()
			t.over = c.hears(t.what)
		}
	} else if !c.hasMedia() && c.times.progress.IsZero() {
		c.times.progress = b.times.progress
		c.fire("CHANNEL_PROGRESS", nil, nil)
	}
	if c.times.progress.IsZero() {
		c.times.progress = b.times.progress
	}
}

// connect bridges the caller to a leg until one of them ends
// (switch_ivr_bridge.c, switch_ivr_multi_threaded_bridge).
func (c *channel) connect(b *channel, d dialing) {
	s := c.sw
	set := c.vars.set
	if c.cause != "" {
		b.cancel(call.OriginatorCancel)
		c.await(-1, func() bool { return b.over })
		return
	}
	// Of the caller's channel (switch_ivr_bridge.c, switch_ivr_multi_threaded_bridge).
	if app := c.vars.get("bridge_pre_execute_bleg_app"); app == "sched_hangup" {
		b.schedule(c.vars.get("bridge_pre_execute_bleg_data"))
	}
	now := clock()
	c.other, c.otherIs, c.callee = b, "originatee", b.callee
	if c.callst == "RING_WAIT" {
		c.setCallState("ACTIVE")
	}
	c.peer, b.peer = b, c
	c.times.bridged, b.times.bridged = now, now
	b.state = "CS_EXCHANGE_MEDIA"
	set("video_media_flow", "inactive")
	set("text_media_flow", "inactive")
	set("audio_media_flow", "sendrecv")
	set("signal_bond", b.uuid)
	who := []header{{"Bridge-A-Unique-ID", c.uuid}, {"Bridge-B-Unique-ID", b.uuid}}
	c.fire("CHANNEL_BRIDGE", who, nil)
	c.bridgedTo(b)
	b.bridgedTo(c)
	if b.leg.answered {
		b.talk()
	}
	s.mu.Lock()
	b.dialed.Bridged = b.leg.answered
	s.mu.Unlock()
	over := c.talks(b)

	for c.ready() && !b.over {
		c.takeDigits()
		if b.leg.answered && c.times.answered.IsZero() && b.cause == "" { // after early media (file 18)
			c.doAnswer()
			b.talk()
			s.mu.Lock()
			b.dialed.Bridged = true
			s.mu.Unlock()
		}
		c.during(-1, func() bool {
			return !c.ready() || b.over || len(c.digits) > 0 || b.leg.answered && c.times.answered.IsZero()
		})
	}
	over()
	c.talked += time.Since(now)
	if !b.over {
		cause := c.cause
		if cause == "" {
			cause = call.NormalClearing
		}
		b.cancel(cause)
		c.await(-1, func() bool { return b.over })
	}
	cause := b.cause
	if c.cause == "" {
		set("sip_hangup_phrase", "OK")
	}
	set("bridge_hangup_cause", string(cause))
	set("bridge_to", "")
	c.peer, b.peer = nil, nil
	c.fire("CHANNEL_UNBRIDGE", who, nil)
	if c.ready() && isTrue(c.vars.get("hangup_after_bridge")) {
		c.hangup(cause, false) // file 09b
	}
}

// bridgedTo sets what a bridge leaves on a leg (file 10).
func (c *channel) bridgedTo(o *channel) {
	set := c.vars.set
	set("bridge_to", o.uuid)
	set("last_bridge_to", o.uuid)
	set("bridge_channel", o.name)
	set("bridge_uuid", o.uuid)
	if c.outbound {
		set("last_sent_callee_id_name", o.cidName)
		set("last_sent_callee_id_number", c.cidNumber)
		return
	}
	set("last_sent_callee_id_name", o.callee[0])
	set("last_sent_callee_id_number", o.callee[1])
}

// originateAPI is "originate DIALSTRING &application(arguments)"; extensions are
// not simulated.
func (s *Switch) originateAPI(arg string) string {
	to, app, ok := strings.Cut(arg, " &")
	if !ok {
		to, app, _ = strings.Cut(arg, " ")
	}
	if to == "" || app == "" {
		return "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"
	}
	name, args, _ := strings.Cut(strings.TrimSuffix(app, ")"), "(")
	if _, ok := applications[name]; !ok {
		return "-ERR DESTINATION_OUT_OF_ORDER\n"
	}
	a := &channel{sw: s, group: &group{}, woken: make(chan struct{}, 1), uuid: newUUID(), phantom: true, state: "CS_NEW"}
	a.lock()
	defer a.unlock()
	b, cause := a.originate(parseDial(to))
	if b == nil {
		return "-ERR " + string(cause) + "\n"
	}
	b.state = "CS_EXECUTE"
	b.leg.app = &Action{name, args}
	b.talk()
	b.poke()
	return "+OK " + b.uuid + "\n"
}

// talks notes that the caller is connected to somebody; the function it
// returns notes the end.
func (c *channel) talks(b *channel) func() {
	if c.call == nil {
		return func() {}
	}
	k, at := c.call, clock()
	k.res.Talked = append(k.res.Talked, Talk{UUID: b.uuid, To: b.to, At: at})
	i := len(k.res.Talked) - 1
	k.poke()
	return func() {
		k.res.Talked[i].For = max(time.Since(at), 1)
		k.poke()
	}
}
