package esltest

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
)

// message is a sendmsg that waits in a channel's private queue.
type message struct {
	command string // call-command
	app     string
	arg     string
	uuid    string
	cause   string
	loops   int
	lock    bool
}

// maxQueue bounds the private queue (switch_core_session.c).
const maxQueue = 256

func messageOf(f eslctl.Frame) message {
	m := message{
		command: f.Get("call-command"), app: f.Get("execute-app-name"), arg: f.Get("execute-app-arg"),
		uuid: f.Get("event-uuid"), cause: f.Get("hangup-cause"), lock: isTrue(f.Get("event-lock")), loops: 1,
	}
	if m.arg == "" && strings.EqualFold(f.Get("content-type"), "text/plain") {
		m.arg = string(f.Body)
	}
	if n, err := strconv.Atoi(f.Get("loops")); err == nil {
		m.loops = n
	}
	return m
}

// enqueue queues a sendmsg; false when the queue is full.
func (c *channel) enqueue(m message) bool {
	if len(c.queue) >= maxQueue {
		return false
	}
	if c.cause == "" { // one that is down takes it and runs nothing (file 07)
		c.queue = append(c.queue, m)
		c.poke()
	}
	return true
}

// drain runs what is queued (switch_ivr.c, switch_ivr_parse_all_events). A
// locked application keeps the queue closed. What is left when the call ends is
// taken off too, but runs nothing.
func (c *channel) drain() {
	for !c.locked && len(c.queue) > 0 {
		m := c.queue[0]
		c.queue = c.queue[1:]
		c.handle(m)
	}
}

// handle is switch_ivr_parse_event.
func (c *channel) handle(m message) {
	if m.lock {
		c.locked = true
		defer func() { c.locked = false }()
	}
	switch m.command {
	case "execute":
		for i := 0; (i < m.loops || m.loops < 0) && m.app != ""; i++ {
			began := time.Now()
			c.vars.set("app_uuid", m.uuid)
			c.vars.set("current_loop", strconv.Itoa(i+1))
			c.vars.set("total_loops", strconv.Itoa(m.loops))
			if !c.execute(m.app, m.arg) || !c.ready() || time.Since(began) < 500*time.Millisecond {
				break
			}
		}
		c.vars.set("current_loop", "")
		c.vars.set("total_loops", "")
	case "hangup":
		c.hangup(causeNamed(m.cause), false)
	}
}

// causeNamed is switch_channel_str2cause: a name or a number, anything else is
// NORMAL_CLEARING.
func causeNamed(s string) call.Cause {
	if n, err := strconv.Atoi(s); err == nil {
		for _, c := range call.Causes() {
			if c.Q850() == n {
				return c
			}
		}
	}
	if c := call.Cause(strings.ToUpper(s)); c.Known() {
		return c
	}
	return call.NormalClearing
}

// execute runs an application (switch_core_session.c,
// switch_core_session_execute_application and switch_core_session_exec). It
// says whether it ran: on a channel that is down most do not, silently.
func (c *channel) execute(app, arg string) bool {
	a, ok := applications[app]
	if c.cause != "" && !a.zombie {
		return false
	}
	if !ok {
		c.hangup("DESTINATION_OUT_OF_ORDER", false) // files 23, 23b
		return false
	}
	if a.media {
		c.preAnswer()
	}
	uuid := c.vars.get("app_uuid")
	if uuid == "" {
		uuid = newUUID()
	}
	c.vars.set("app_uuid", "")
	data := c.expand(arg)
	outerScope := c.scope
	if inside, rest, ok := scoped(data); ok {
		c.scope, data = append(inside, c.scope...), rest
	}
	defer func() { c.scope = outerScope }()
	c.vars.set("current_application_data", data)
	c.vars.set("current_application_response", "")
	c.vars.set("current_application", app)
	who := []header{{"Application", app}, {"Application-Data", data}, {"Application-UUID", uuid}}
	if data == "" {
		who = []header{who[0], who[2]}
	}
	c.fire("CHANNEL_EXECUTE", nil, who)
	c.brk = false
	outer, outerData := c.app, c.appData
	c.app, c.appData = app, data
	c.lastApp = [2]string{app, data}
	c.log = append(c.log, logged{app, data, clock()})
	a.run(c, data)
	c.app, c.appData = outer, outerData
	response := c.vars.get("current_application_response")
	if response == "" {
		response = "_none_"
	}
	done := make([]header, 0, 4)
	done = append(done, who[:len(who)-1]...)
	done = append(done, header{"Application-Response", response}, who[len(who)-1])
	c.fire("CHANNEL_EXECUTE_COMPLETE", nil, done)
	return true
}

// scoped reads %[name=value,…] in front of an application's argument.
func scoped(data string) (vars []header, rest string, ok bool) {
	if !strings.HasPrefix(data, "%[") {
		return nil, data, false
	}
	inside, rest := bracket(data[1:], '[', ']')
	return pairs(inside), rest, true
}

// during is the inside of an application that takes time: what is queued
// without a lock runs nested, and the application goes on afterwards. It says
// whether stop ended it.
func (c *channel) during(d time.Duration, stop func() bool) bool {
	end := time.Now().Add(d)
	for {
		left := d
		if d > 0 {
			left = max(time.Until(end), 0)
		}
		c.await(left, func() bool { return stop() || !c.locked && len(c.queue) > 0 })
		if stop() {
			return true
		}
		if c.locked || len(c.queue) == 0 {
			return false
		}
		began := time.Now()
		c.drain()
		end = end.Add(time.Since(began))
	}
}

// socket is the socket application (mod_event_socket.c, socket_function).
func (c *channel) socket(data string) {
	args := split(data, 80)
	if len(args) == 0 {
		return
	}
	var conn net.Conn
	var at string
	for _, address := range addresses(args[0]) {
		host, _, _ := strings.Cut(address, ":")
		c.vars.set("socket_host", host)
		c.unlock()
		nc, err := c.sw.Dial(c.sw.ctx, address)
		c.lock()
		if err == nil {
			conn, at = nc, address
			break
		}
	}
	if conn == nil {
		return // the next action runs
	}
	l := newListener(c.sw, conn)
	l.channel, l.authed = c, true
	for _, a := range args[1:] {
		l.full = l.full || a == "full"
		l.async = l.async || a == "async"
	}
	c.group.sockets = append(c.group.sockets, l)
	c.call.res.Sockets = append(c.call.res.Sockets, at)
	if !l.serve() {
		c.drop(l)
		return
	}
	c.await(-1, func() bool { return !c.ready() || l.connected || l.finished })
	c.parked++
	c.park()
	c.drain()
	c.parked--
	if c.transfer == nil && (l.resume || isTrue(c.vars.get("socket_resume"))) {
		c.reset = false // CS_EXECUTE again; without it the call stays in CS_RESET
	}
}

// park is switch_ivr_park. It ends when the call does, or when a socket does:
// the listener's end clears CF_CONTROLLED, whosever it is. One that has ended
// before is not noticed any more, so that the call stays parked for ever.
func (c *channel) park() {
	if c.reset {
		return
	}
	c.controlled = true
	c.fire("CHANNEL_PARK", nil, nil)
	for c.ready() && c.controlled {
		c.takeDigits()
		c.await(-1, func() bool {
			return !c.ready() || !c.controlled || len(c.queue) > 0 || len(c.digits) > 0
		})
		if len(c.queue) > 0 && c.sw.Latency > 0 {
			c.await(c.sw.Latency, func() bool { return c.cause != "" })
		}
		c.drain()
	}
	c.controlled = false
	c.fire("CHANNEL_UNPARK", nil, nil)
}

// takeDigits takes every digit off the queue; that is when DTMF is fired
// (switch_channel.c, switch_channel_dequeue_dtmf).
func (c *channel) takeDigits() {
	for len(c.digits) > 0 && c.cause == "" {
		c.digit()
	}
}

func (c *channel) digit() byte {
	d := c.digits[0]
	c.digits = c.digits[1:]
	if !d.sensitive {
		c.dialled += string(d.key)
		c.fire("DTMF", nil, []header{{"DTMF-Digit", string(d.key)}, {"DTMF-Duration", "2240"}, {"DTMF-Source", "RTP"}})
	}
	return d.key
}

// drop forgets a socket of the call.
func (c *channel) drop(l *listener) {
	for i, o := range c.group.sockets {
		if o == l {
			c.group.sockets = append(c.group.sockets[:i:i], c.group.sockets[i+1:]...)
			break
		}
	}
	c.destroy()
}
