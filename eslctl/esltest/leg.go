package esltest

import (
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// leg is what a callee's channel has besides.
type leg struct {
	owner        *channel // who dials
	who          Callee
	endpoint     string
	gateway      string
	deadline     time.Time // of leg_timeout; zero: none
	ringing      bool
	early        bool
	answered     bool
	confirmed    bool       // pressed the key, or need not
	failed       call.Cause // the leg never came to be
	timers       []*time.Timer
	callerCallee [2]string // the caller's callee id when it dialled
	app          *Action   // of originate
	settled      bool

	key, file, errorFile string        // group_confirm_*
	read                 time.Duration // group_confirm_read_timeout
	calm                 bool          // group_confirm_cancel_timeout
	extra                int           // group_confirm_timeout
}

// newLeg makes the channel of a leg, or one that only has a cause why there is
// none (file 13b).
func (a *channel) newLeg(globals []header, t target) *channel {
	s := a.sw
	endpoint, gateway, to := destination(t.to)
	want := func(name string) string { return get(globals, t.vars, name) }
	b := &channel{sw: s, group: a.group, woken: make(chan struct{}, 1), outbound: true, created: clock(),
		uuid: want("origination_uuid"), leg: &leg{owner: a, endpoint: endpoint, gateway: gateway}}
	if b.uuid == "" {
		b.uuid = newUUID()
	}
	who, known := s.answerer(to)
	switch {
	case endpoint == "":
		b.leg.failed = "CHAN_NOT_IMPLEMENTED"
	case endpoint == "sofia" && gateway != "" && !s.hasGateway(gateway):
		b.leg.failed = "INVALID_GATEWAY"
	case endpoint == "user" && !known:
		b.leg.failed = "SUBSCRIBER_ABSENT"
	case endpoint == "user" && who.Absent:
		b.leg.failed = "USER_NOT_REGISTERED"
	}
	if b.leg.failed != "" {
		return b
	}
	b.leg.who = who
	b.describe(a, endpoint, gateway, to, want)
	// A UUID that is in use is refused (switch_core_session.c,
	// switch_core_session_request_uuid; mod_sofia.c, sofia_outgoing_channel).
	if !s.add(b) {
		b.leg.failed = "DESTINATION_OUT_OF_ORDER"
		return b
	}
	b.variables(a, globals, t)
	b.to = to
	b.dialed = &Dialed{UUID: b.uuid, Caller: a.uuid, CallerID: b.cidNumber, At: b.created}
	s.mu.Lock()
	s.dials[to] = append(s.dials[to], b.dialed)
	s.mu.Unlock()
	l := b.leg
	l.key, l.file, l.errorFile = a.confirm(want, "key"), a.confirm(want, "file"), a.confirm(want, "error_file")
	l.confirmed = l.key == ""
	l.read = 5 * time.Second
	if n := number(a.confirm(want, "read_timeout")); n > 0 {
		l.read = time.Duration(n) * time.Millisecond
	}
	l.calm = isTrue(a.confirm(want, "cancel_timeout"))
	l.extra = number(a.confirm(want, "timeout"))
	if n := number(want("leg_timeout")); n > 0 {
		// It counts whole seconds: 3 means 3 to 4 (file 12).
		l.deadline = time.Now().Add(s.whole(n + 1))
		if s.Speed > 0 && s.Speed != 1 {
			l.deadline = time.Now().Add(s.whole(n))
		}
	}
	return b
}

// confirm reads group_confirm_*, which come from the dial string or from the
// caller's leg.
func (a *channel) confirm(want func(string) string, name string) string {
	if v := want("group_confirm_" + name); v != "" {
		return v
	}
	return a.vars.get("group_confirm_" + name)
}

func (s *Switch) hasGateway(name string) bool {
	if s.Gateways == nil {
		return true
	}
	for _, g := range s.Gateways {
		if g == name {
			return true
		}
	}
	return false
}

// answerer takes the next callee of a destination.
func (s *Switch) answerer(to string) (Callee, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.callees[to]
	if len(all) == 0 {
		return s.Otherwise, false
	}
	if len(all) > 1 {
		s.callees[to] = all[1:]
	}
	return all[0], true
}

func (b *channel) describe(a *channel, endpoint, gateway, to string, want func(string) string) {
	b.id = b.sw.sessions.Add(1)
	b.state, b.callst, b.answer = "CS_NONE", "DOWN", "ringing"
	b.username, b.orgName, b.orgNumber = a.username, a.orgName, a.orgNumber
	b.cidName, b.cidNumber = a.cidName, a.cidNumber
	for _, v := range [...]struct {
		to   *string
		name string
	}{{&b.cidName, "caller_id_name"}, {&b.cidNumber, "caller_id_number"}} {
		if x := want("origination_" + v.name); x != "" {
			*v.to = x
		} else if x := a.vars.get("effective_" + v.name); x != "" {
			*v.to = x
		}
	}
	b.number, b.context, b.dialplan, b.addr = to, a.context, a.dialplan, a.addr
	if a.phantom {
		b.context, b.cidName = "default", "Outbound Call"
	}
	b.source = "mod_sofia"
	b.name = "sofia/internal/" + to
	callee := to
	switch endpoint {
	case "loopback":
		b.name = to + "-a"
		b.number = strings.TrimPrefix(to, "loopback/")
		b.source = "mod_loopback"
		b.codec = true
		if gateway != "" {
			b.context = gateway
		}
		callee = b.context // not the number (file 13)
	case "sofia":
		callee, _, _ = strings.Cut(to, "@")
		b.number = callee
	}
	b.first = [2]string{b.number, b.context}
	b.callee = [2]string{"Outbound Call", callee}
	b.callUUID = b.uuid
	if !a.phantom {
		b.other, b.otherIs, b.leg.callerCallee = a, "originator", a.callee
	}
}

// variables are those of file 09, the ones of the dial string included.
func (b *channel) variables(a *channel, globals []header, t target) {
	set := b.vars.set
	set("direction", "outbound")
	set("is_outbound", "true")
	set("uuid", b.uuid)
	set("session_id", strconv.FormatInt(b.id, 10))
	if b.leg.endpoint == "loopback" {
		set("read_codec", "PCMU")
		set("read_rate", "8000")
		set("write_codec", "PCMU")
		set("write_rate", "8000")
		set("loopback_from_uuid", a.uuid)
		set("loopback_leg", "A")
	} else {
		set("sip_gateway_name", b.leg.gateway)
		set("sip_profile_name", "gateway")
		set("sip_destination_url", "sip:"+b.number+"@127.0.0.1:5090")
	}
	set("channel_name", b.name)
	if !a.phantom {
		set("originator", a.uuid)
		set("signal_bond", a.uuid)
		set("call_uuid", a.uuid)
		set("originating_leg_uuid", a.uuid)
		for name := range strings.SplitSeq(a.vars.get("export_vars"), ",") {
			set(name, a.vars.get(name))
		}
	}
	for _, list := range [][]header{t.vars, globals} {
		for _, h := range list {
			if get(globals, t.vars, h.name) == h.value {
				set(h.name, h.value)
			}
		}
	}
	set("originate_early_media", "true")
	set("originate_endpoint", b.leg.endpoint)
	if b.leg.endpoint != "loopback" {
		set("sip_req_uri", b.number+"@127.0.0.1:5090")
		set("sofia_profile_name", "internal")
		set("recovery_profile_name", "internal")
		set("sofia_profile_url", "sip:mod_sofia@127.0.0.1:5060")
	}
}

// life is the life of a callee's leg.
func (b *channel) life() {
	b.lock()
	defer b.unlock()
	b.state = "CS_INIT"
	if !b.leg.owner.phantom {
		b.callUUID = b.leg.owner.uuid
	}
	b.fire("CHANNEL_CREATE", nil, nil)
	b.fire("CHANNEL_ORIGINATE", nil, nil)
	b.state = "CS_CONSUME_MEDIA"
	b.ring()
	for b.cause == "" {
		b.takeDigits()
		if app := b.leg.app; app != nil { // what originate connects it to
			b.leg.app = nil
			b.execute(app.App, app.Data)
			if b.cause == "" && app.App != "park" {
				b.hangup(call.NormalClearing, false)
			}
		}
		b.await(-1, func() bool { return b.cause != "" || len(b.digits) > 0 || b.leg.app != nil })
	}
	for _, t := range b.leg.timers {
		t.Stop()
	}
	b.ended()
	b.vars.set("bridge_to", "")
	if b.cause == call.LoseRace {
		b.vars.set("call_completed_elsewhere", "true")
	}
	b.finish()
	b.leg.owner.poke()
}

// ring is the leg up to its answer, and the confirmation after it.
func (b *channel) ring() {
	l, who, s := b.leg, b.leg.who, b.sw
	hung := func() bool { return b.cause != "" }
	switch {
	case who.Refuse != 0 && who.Ring == 0:
	case who.Early:
		l.early = true
		b.times.media = clock()
		b.answer = "early"
		b.contact()
		b.vars.set("endpoint_disposition", "EARLY MEDIA")
		b.fire("CHANNEL_PROGRESS_MEDIA", nil, nil)
		b.setCallState("EARLY")
	case !who.Quiet:
		l.ringing = true
		b.times.progress = clock()
		b.contact()
		b.fire("CHANNEL_PROGRESS", nil, nil)
		b.setCallState("RINGING")
	}
	l.owner.poke()
	if who.Never {
		return
	}
	if b.await(s.span(who.Ring), hung) {
		return
	}
	if who.Refuse != 0 {
		b.refuse(who.Refuse)
		return
	}
	b.times.answered = clock()
	b.answer = "answered"
	l.answered = true
	b.contact()
	if b.leg.endpoint != "loopback" {
		b.media("")
	}
	b.codec = true
	b.fire("CHANNEL_ANSWER", nil, nil)
	b.setCallState("ACTIVE")
	b.vars.set("endpoint_disposition", "ANSWER")
	s.mu.Lock()
	b.dialed.Answered = b.times.answered
	s.mu.Unlock()
	b.person()
	if l.calm && !l.confirmed {
		l.deadline = time.Time{}
	} else if l.extra > 0 && !l.confirmed {
		l.deadline = time.Now().Add(s.span(time.Duration(l.extra) * time.Second))
	}
	l.owner.poke()
	b.await(0, hung)
	if !l.confirmed {
		b.askForKey()
	}
}

// contact sets what the callee's SIP replies tell.
func (b *channel) contact() {
	if b.leg.endpoint == "loopback" {
		return
	}
	set := b.vars.set
	set("sip_network_ip", "127.0.0.1")
	set("sip_network_port", "5090")
	set("sip_to_user", b.number)
	set("sip_from_user", b.cidNumber)
	set("sip_call_id", b.uuid+"@127.0.0.1")
	set("sip_to_tag", "u"+strconv.FormatInt(b.id, 10)+"x1")
}

var phrases = map[int]string{403: "Forbidden", 404: "Not Found", 480: "Temporarily Unavailable", 486: "Busy Here",
	487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error", 503: "Service Unavailable",
	603: "Decline"}

// refuse is a final SIP status instead of an answer (files 11, 14).
func (b *channel) refuse(status int) {
	cause := causeOf(status)
	if b.leg.endpoint != "loopback" {
		set := b.vars.set
		set("sip_call_id", b.uuid+"@127.0.0.1")
		set("sip_hangup_disposition", "recv_refuse")
		set("sip_invite_failure_status", strconv.Itoa(status))
		set("sip_invite_failure_phrase", phrases[status])
		set("sip_term_status", strconv.Itoa(status))
		set("proto_specific_hangup_cause", "sip:"+strconv.Itoa(status))
		set("sip_term_cause", strconv.Itoa(q850(cause)))
	}
	b.hangup(cause, false)
}

// person starts what the callee does after its answer.
func (b *channel) person() {
	who, s := b.leg.who, b.sw
	later := func(d time.Duration, f func()) {
		b.leg.timers = append(b.leg.timers, time.AfterFunc(s.span(d), func() {
			b.lock()
			defer b.unlock()
			f()
		}))
	}
	for i, d := range who.Press {
		digit := string(d)
		later(who.PressAfter*time.Duration(i+1), func() { b.press(digit) })
	}
	if who.Leave > 0 {
		later(who.Leave, b.bye)
	}
	if who.Talk < 0 {
		b.bye()
	}
}

// talk starts the callee's clock when it is connected.
func (b *channel) talk() {
	if d := b.leg.who.Talk; d > 0 {
		b.leg.timers = append(b.leg.timers, time.AfterFunc(b.sw.span(d), func() {
			b.lock()
			defer b.unlock()
			b.bye()
		}))
	}
}

// askForKey is group_confirm: the file, then the key, until it is pressed
// (switch_ivr_originate.c, collect_thread_run). With the key "exec" the file is
// an application to run.
func (b *channel) askForKey() {
	l := b.leg
	if l.key == "exec" {
		app, arg, _ := strings.Cut(l.file, " ")
		b.execute(app, arg)
		l.confirmed = b.cause == ""
		l.owner.poke()
		return
	}
	hung := func() bool { return b.cause != "" }
	for b.cause == "" {
		got := ""
		b.vars.set("read_result", "")
		collect := func(d byte) bool { got += string(d); return true }
		if b.play(l.file, collect) == missing {
			b.await(time.Millisecond, hung)
		}
		for len(got) < len(l.key) && b.cause == "" {
			if !b.await(b.sw.span(l.read), func() bool { return hung() || len(b.digits) > 0 }) {
				break
			}
			for len(b.digits) > 0 && len(got) < len(l.key) {
				got += string(b.digit())
			}
		}
		if got != "" {
			b.vars.set("read_result", "success")
		}
		switch {
		case b.cause != "" || got == "":
		case got == l.key:
			l.confirmed = true
			l.owner.poke()
			return
		case l.errorFile != "":
			b.play(l.errorFile, func(byte) bool { return false })
		}
	}
}

// cancel ends a leg from the caller's side.
func (b *channel) cancel(cause call.Cause) {
	if b.cause != "" {
		return
	}
	if a := b.leg.owner; a.cause != "" || a.peer == b {
		why := cause
		if a.cause != "" {
			why = a.cause
		}
		b.vars.set("bridge_to", "")
		b.vars.set("last_bridge_hangup_cause", string(why))
		b.vars.set("last_bridge_proto_specific_hangup_cause", a.vars.get("proto_specific_hangup_cause"))
	}
	b.hangup(cause, false)
	b.ended()
}

// ended sets what a leg's end leaves on it and on the caller's leg.
func (b *channel) ended() {
	if b.leg.settled {
		return
	}
	b.leg.settled = true
	if b.leg.endpoint != "loopback" {
		set := b.vars.set
		switch {
		case b.vars.get("sip_hangup_disposition") != "":
		case b.leg.answered:
			set("sip_hangup_disposition", "send_bye")
		default:
			set("sip_hangup_disposition", "send_cancel")
			set("sip_invite_failure_status", "487")
			set("sip_invite_failure_phrase", "CANCEL")
		}
	}
	s := b.sw
	s.mu.Lock()
	b.dialed.Ended, b.dialed.Cause = clock(), b.cause
	s.mu.Unlock()
	a := b.leg.owner
	if a.cause != "" {
		return
	}
	if status := b.vars.get("sip_invite_failure_status"); status != "" && b.cause != "" && !b.leg.answered &&
		b.vars.get("sip_hangup_disposition") == "recv_refuse" {
		a.vars.set("sip_invite_failure_status", status)
		a.vars.set("sip_invite_failure_phrase", b.vars.get("sip_invite_failure_phrase"))
		a.vars.set("sip_hangup_phrase", b.vars.get("sip_invite_failure_phrase"))
	}
	a.vars.set("last_bridge_hangup_cause", string(b.cause))
	if p := b.vars.get("proto_specific_hangup_cause"); p != "" {
		a.vars.set("last_bridge_proto_specific_hangup_cause", p)
	}
}
