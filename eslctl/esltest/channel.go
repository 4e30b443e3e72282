package esltest

import (
	"strconv"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// group is a caller's leg with the legs that are dialled for it. They share a
// lock, which guards all their fields.
type group struct {
	mu      sync.Mutex
	sockets []*listener // outbound sockets of the caller's leg
}

// channel is one leg.
type channel struct {
	sw    *Switch
	group *group
	call  *Call // of a caller's leg
	woken chan struct{}

	uuid      string
	name      string
	outbound  bool
	created   time.Time
	id        int64
	username  string
	cidName   string // as shown
	cidNumber string
	orgName   string // as it was at first
	orgNumber string
	callee    [2]string // name and number of the other side, once there is one
	addr      string
	hidden    bool   // Privacy: id
	number    string // dialled
	context   string
	first     [2]string // number and context before any transfer
	source    string
	dialplan  string
	callUUID  string

	vars    variables
	state   string // running state, such as CS_EXECUTE
	ending  int    // state number where it is ahead of the running state
	callst  string // Channel-Call-State
	answer  string // Answer-State
	times   times
	codec   bool       // its events tell of codecs
	cause   call.Cause // once it is hung up
	left    bool       // its person hung up
	over    bool       // CHANNEL_HANGUP_COMPLETE was sent
	dead    bool       // CHANNEL_DESTROY was sent
	other   *channel   // the leg of the Other-Leg headers
	otherIs string     // originator or originatee

	digits     []digit
	dialled    string    // digits_dialed
	speech     time.Time // until when the person speaks
	queue      []message // sendmsg that wait
	locked     bool      // an application runs under event-lock
	brk        bool      // uuid_break
	reset      bool      // CS_RESET
	controlled bool      // CF_CONTROLLED
	parked     int       // depth of socket applications
	transfer   []Action  // where uuid_transfer sends the call
	actions    []Action
	flow       []Action // for the CDR
	app        string   // running, for show channels
	appData    string
	lastApp    [2]string
	log        []logged
	records    []*recording
	scope      []header      // variables of the running application alone
	talked     time.Duration // in bridges that are over
	hangAt     *time.Timer

	tried   []*channel // by the last round of a dial
	peer    *channel   // bridged to
	phantom bool       // stands for whoever dials by API; no channel of the switch
	to      string     // a callee's leg: destination, as SetCallee knows it
	dialed  *Dialed    // of a callee's leg
	leg     *leg
}

type times struct{ answered, progress, media, hangup, bridged, transfer time.Time }

// digit is one that was pressed. Whether it is sensitive is decided as it comes
// in (switch_channel.c, switch_channel_queue_dtmf).
type digit struct {
	key       byte
	sensitive bool
}

type logged struct {
	app, data string
	at        time.Time
}

func (c *channel) lock()   { c.group.mu.Lock() }
func (c *channel) unlock() { c.group.mu.Unlock() }

// poke wakes the channel's own goroutine, and its person's script.
func (c *channel) poke() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
	if c.call != nil {
		c.call.poke()
	}
}

// ready is switch_channel_ready: applications run only while it holds.
func (c *channel) ready() bool { return c.cause == "" && !c.reset && c.transfer == nil }

// await waits until stop says so or the time is over; it says whether it was
// stop. A negative time never ends. It needs the lock, and lets go of it
// meanwhile. Only the channel's own goroutine may call it.
func (c *channel) await(d time.Duration, stop func() bool) bool {
	if stop() {
		return true
	}
	if d == 0 {
		return false
	}
	var over <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	for {
		c.unlock()
		select {
		case <-c.woken:
			c.lock()
		case <-over:
			c.lock()
			return stop()
		}
		if stop() {
			return true
		}
	}
}

// data renders what every event of the channel says of it (switch_channel.c,
// switch_channel_event_set_basic_data).
func (c *channel) data(b []byte) []byte {
	line := func(k, v string) { b = append(append(append(append(b, k...), ": "...), v...), '\n') }
	coded := func(k, v string) { b = append(encode(append(append(b, k...), ": "...), v), '\n') }
	direction := c.direction()
	line("Channel-State", c.state)
	line("Channel-Call-State", c.callst)
	number := numbers[c.state]
	if c.ending > number {
		number = c.ending
	}
	line("Channel-State-Number", strconv.Itoa(number))
	coded("Channel-Name", c.name)
	line("Unique-ID", c.uuid)
	line("Call-Direction", direction)
	line("Presence-Call-Direction", direction)
	line("Channel-HIT-Dialplan", strconv.FormatBool(!c.outbound))
	line("Channel-Call-UUID", c.callUUID)
	line("Answer-State", c.answer)
	if c.cause != "" {
		line("Hangup-Cause", string(c.cause))
	}
	if c.codec {
		b = append(b, "Channel-Read-Codec-Name: PCMU\nChannel-Read-Codec-Rate: 8000\nChannel-Read-Codec-Bit-Rate: 64000\n"+
			"Channel-Write-Codec-Name: PCMU\nChannel-Write-Codec-Rate: 8000\nChannel-Write-Codec-Bit-Rate: 64000\n"...)
	}
	b = c.profile(b, "Caller")
	if c.other != nil {
		line("Other-Type", c.otherIs)
		o := *c.other
		if c.otherIs == "originator" { // its profile as it was when it dialled
			o.callee = c.leg.callerCallee
			o.created, o.times = time.Time{}, times{progress: c.times.progress}
		}
		b = o.profile(b, "Other-Leg")
	}
	return b
}

func (c *channel) direction() string {
	if c.outbound {
		return "outbound"
	}
	return "inbound"
}

func (c *channel) hasMedia() bool { return !c.times.media.IsZero() || !c.times.answered.IsZero() }

// profile renders the caller profile (switch_caller.c,
// switch_caller_profile_event_set_data).
func (c *channel) profile(b []byte, prefix string) []byte {
	coded := func(k, v string) {
		if v != "" {
			b = append(append(append(append(b, prefix...), '-'), k...), ": "...)
			b = append(encode(b, v), '\n')
		}
	}
	logical := c.direction()
	if prefix == "Other-Leg" {
		logical = "inbound"
	}
	coded("Direction", c.direction())
	coded("Logical-Direction", logical)
	coded("Username", c.username)
	coded("Dialplan", c.dialplan)
	coded("Caller-ID-Name", c.cidName)
	coded("Caller-ID-Number", c.cidNumber)
	coded("Orig-Caller-ID-Name", c.orgName)
	coded("Orig-Caller-ID-Number", c.orgNumber)
	coded("Callee-ID-Name", c.callee[0])
	coded("Callee-ID-Number", c.callee[1])
	coded("Network-Addr", c.addr)
	coded("ANI", c.orgNumber)
	coded("Destination-Number", c.number)
	coded("Unique-ID", c.uuid)
	coded("Source", c.source)
	coded("Context", c.context)
	coded("Channel-Name", c.name)
	if prefix != "Other-Leg" {
		coded("Profile-Index", "1")
	}
	stamp := func(k string, t time.Time) {
		b = append(append(append(append(b, prefix...), '-'), k...), ": "...)
		if t.IsZero() {
			b = append(b, '0', '\n')
			return
		}
		b = append(strconv.AppendInt(b, t.UnixMicro(), 10), '\n')
	}
	stamp("Profile-Created-Time", c.created)
	stamp("Channel-Created-Time", c.created)
	stamp("Channel-Answered-Time", c.times.answered)
	stamp("Channel-Progress-Time", c.times.progress)
	stamp("Channel-Progress-Media-Time", c.times.media)
	stamp("Channel-Hangup-Time", c.times.hangup)
	stamp("Channel-Transfer-Time", c.times.transfer)
	stamp("Channel-Resurrect-Time", time.Time{})
	stamp("Channel-Bridged-Time", c.times.bridged)
	stamp("Channel-Last-Hold", time.Time{})
	stamp("Channel-Hold-Accum", time.Time{})
	coded("Screen-Bit", "true")
	coded("Privacy-Hide-Name", strconv.FormatBool(c.hidden))
	coded("Privacy-Hide-Number", strconv.FormatBool(c.hidden))
	return b
}

// callStates are numbered by switch_types.h, switch_channel_callstate_t.
var callStates = map[string]int{"DOWN": 0, "DIALING": 1, "RINGING": 2, "EARLY": 3, "ACTIVE": 4, "HELD": 5,
	"RING_WAIT": 6, "HANGUP": 7, "UNHELD": 8}

// setCallState changes Channel-Call-State and tells it.
func (c *channel) setCallState(s string) {
	if was := c.callst; was != s {
		c.callst = s
		c.fire("CHANNEL_CALLSTATE", []header{{"Original-Channel-Call-State", was},
			{"Channel-Call-State-Number", strconv.Itoa(callStates[s])}}, nil)
	}
}

// preAnswer opens the media of a caller who is not answered yet (183).
func (c *channel) preAnswer() {
	if c.hasMedia() || c.cause != "" {
		return
	}
	c.times.media = clock()
	c.answer = "early"
	c.codec = true
	c.media("EARLY MEDIA")
	c.fire("CHANNEL_PROGRESS_MEDIA", nil, nil)
	c.setCallState("EARLY")
	c.vars.set("rtp_local_sdp_str", sdp)
}

// doAnswer answers (files 02 and 18b: media first, then the answer).
func (c *channel) doAnswer() {
	if !c.times.answered.IsZero() || c.cause != "" {
		return
	}
	c.preAnswer()
	c.times.answered = clock()
	c.answer = "answered"
	c.fire("CHANNEL_ANSWER", nil, nil)
	c.setCallState("ACTIVE")
	c.vars.set("endpoint_disposition", "ANSWER")
	c.vars.set("sip_to_tag", "2a6Q8UHF8mc0K")
	c.vars.set("sip_cseq", "1")
	c.vars.set("sip_full_to", "<sip:"+c.number+"@127.0.0.1:5060>;tag=2a6Q8UHF8mc0K")
	if c.call != nil {
		c.call.res.Answered, c.call.res.Status = true, 200
	}
	c.poke()
}

// hangup ends the channel (switch_channel.c, switch_channel_perform_hangup).
// Another thread's hangup makes the socket notice before the session does, so
// that its notice comes early (files 22, 22e, 26).
func (c *channel) hangup(cause call.Cause, byOther bool) {
	if c.cause != "" {
		return
	}
	if !cause.Known() {
		cause = call.NormalClearing
	}
	if c.peer != nil && c.peer.cause == "" && !(c.leg != nil && c.leg.endpoint == "loopback") {
		role := "originator"
		if c.outbound {
			role = "originatee"
		}
		c.vars.set("last_bridge_role", role)
	}
	c.cause = cause
	c.ending = numbers["CS_HANGUP"]
	c.answer = "hangup"
	c.fire("CHANNEL_HANGUP", nil, nil)
	if c.hangAt != nil {
		c.hangAt.Stop()
	}
	if byOther {
		c.disco()
	}
	c.poke()
}

// disco tells the channel's own sockets that it is down.
func (c *channel) disco() {
	for _, l := range append([]*listener(nil), c.group.sockets...) {
		if l.channel == c {
			l.channelDown()
		}
	}
}

// finish runs the states after the hangup (switch_core_state_machine.c):
// CS_HANGUP, CS_REPORTING, then the end of the socket and of the channel.
func (c *channel) finish() {
	if c.over {
		return
	}
	c.queue = nil
	c.state = "CS_HANGUP"
	c.fire("CHANNEL_STATE", nil, nil)
	c.stopRecordings("success-silence")
	c.times.hangup = clock()
	c.setCallState("HANGUP")
	c.summary()
	c.state, c.ending = "CS_REPORTING", numbers["CS_REPORTING"]
	c.fire("CHANNEL_STATE", nil, nil)
	c.fire("CHANNEL_HANGUP_COMPLETE", []header{{"Hangup-Cause", string(c.cause)}}, nil)
	c.over = true
	c.writeCDR()
	c.disco()
	c.destroy()
}

// destroy ends the channel for good, once no socket holds its session.
func (c *channel) destroy() {
	for _, l := range c.group.sockets {
		if l.channel == c {
			return
		}
	}
	if !c.over || c.dead {
		return
	}
	c.dead = true
	c.ending = 12
	c.callUUID = c.uuid
	c.fire("CHANNEL_DESTROY", nil, nil)
	c.sw.remove(c)
}
