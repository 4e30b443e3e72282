package esltest

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/eslctl"
)

// event is one event on its way to the listeners.
type event struct {
	name string
	body []byte // serialized, with the blank line and an own body
}

// header is a line of an event.
type header struct{ name, value string }

// origin is where FreeSWITCH 1.11.1 fires an event: file, function, line.
var origin = map[string][3]string{
	"CHANNEL_DATA":             {"mod_event_socket.c", "parse_command", "2018"},
	"CHANNEL_EXECUTE":          {"switch_core_session.c", "switch_core_session_exec", "2949"},
	"CHANNEL_EXECUTE_COMPLETE": {"switch_core_session.c", "switch_core_session_exec", "2972"},
	"CHANNEL_OUTGOING":         {"switch_core_session.c", "switch_core_session_outgoing_channel", "768"},
	"CHANNEL_CREATE":           {"switch_core_state_machine.c", "switch_core_session_run", "626"},
	"CHANNEL_ORIGINATE":        {"switch_core_state_machine.c", "switch_core_session_run", "630"},
	"CHANNEL_HANGUP_COMPLETE":  {"switch_core_state_machine.c", "switch_core_session_reporting_state", "943"},
	"CHANNEL_DESTROY":          {"switch_core_session.c", "switch_core_session_perform_destroy", "1559"},
	"CHANNEL_HANGUP":           {"switch_channel.c", "switch_channel_perform_hangup", "3447"},
	"CHANNEL_ANSWER":           {"switch_channel.c", "switch_channel_perform_mark_answered", "3848"},
	"CHANNEL_PROGRESS":         {"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", "3547"},
	"CHANNEL_PROGRESS_MEDIA":   {"switch_channel.c", "switch_channel_perform_mark_pre_answered", "3616"},
	"CHANNEL_CALLSTATE":        {"switch_channel.c", "switch_channel_perform_set_callstate", "316"},
	"CHANNEL_STATE":            {"switch_channel.c", "switch_channel_perform_set_running_state", "2409"},
	"DTMF":                     {"switch_channel.c", "switch_channel_dequeue_dtmf", "678"},
	"CHANNEL_BRIDGE":           {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1689"},
	"CHANNEL_UNBRIDGE":         {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1791"},
	"CHANNEL_PARK":             {"switch_ivr.c", "switch_ivr_park", "954"},
	"CHANNEL_UNPARK":           {"switch_ivr.c", "switch_ivr_park", "1160"},
	"PLAYBACK_START":           {"switch_ivr_play_say.c", "switch_ivr_play_file", "1684"},
	"PLAYBACK_STOP":            {"switch_ivr_play_say.c", "switch_ivr_play_file", "2023"},
	"RECORD_START":             {"switch_ivr_async.c", "record_callback", "1340"},
	"RECORD_STOP":              {"switch_ivr_async.c", "send_record_stop_event", "1241"},
	"BACKGROUND_JOB":           {"mod_event_socket.c", "api_exec", "1569"},
	"HEARTBEAT":                {"switch_core.c", "send_heartbeat", "95"},
}

// bare are the events of a channel that carry no variables (switch_channel.c,
// switch_channel_event_set_extended_data, without verbose_events).
var bare = map[string]bool{"CHANNEL_OUTGOING": true, "CHANNEL_CALLSTATE": true, "CHANNEL_STATE": true, "DTMF": true}

// numbers are the states by switch_types.h, switch_channel_state_t.
var numbers = map[string]int{
	"CS_NEW": 0, "CS_NONE": 1, "CS_INIT": 2, "CS_ROUTING": 2, "CS_EXECUTE": 4, "CS_EXCHANGE_MEDIA": 5,
	"CS_CONSUME_MEDIA": 7, "CS_RESET": 9, "CS_HANGUP": 10, "CS_REPORTING": 11,
}

// prelude begins every event.
func (s *Switch) prelude(b []byte, name string, now time.Time) []byte {
	o := origin[name]
	line := func(k, v string) { b = append(append(append(append(b, k...), ": "...), v...), '\n') }
	line("Event-Name", name)
	line("Core-UUID", s.coreUUID)
	line("FreeSWITCH-Hostname", s.Name)
	line("FreeSWITCH-Switchname", s.Name)
	line("FreeSWITCH-IPv4", "192.0.2.10")
	line("FreeSWITCH-IPv6", "2001%3Adb8%3A%3A10")
	b = append(b, "Event-Date-Local: "...)
	b = now.AppendFormat(b, "2006-01-02%2015%3A04%3A05")
	b = append(b, "\nEvent-Date-GMT: "...)
	b = now.UTC().AppendFormat(b, "Mon,%2002%20Jan%202006%2015%3A04%3A05%20GMT")
	b = append(b, "\nEvent-Date-Timestamp: "...)
	b = strconv.AppendInt(b, now.UnixMicro(), 10)
	b = append(b, '\n')
	line("Event-Calling-File", o[0])
	line("Event-Calling-Function", o[1])
	line("Event-Calling-Line-Number", o[2])
	b = append(b, "Event-Sequence: "...)
	b = strconv.AppendInt(b, s.sequence.Add(1), 10)
	return append(b, '\n')
}

func add(b []byte, headers []header) []byte {
	for _, h := range headers {
		b = append(append(b, h.name...), ": "...)
		b = append(encode(b, h.value), '\n')
	}
	return b
}

// fire sends an event of the channel to whoever listens. before and after are
// the event's own headers; FreeSWITCH puts some in front of the channel's data
// and most behind. It needs the lock.
func (c *channel) fire(name string, before, after []header) {
	if c.phantom {
		return
	}
	listeners := c.listeners(name)
	if len(listeners) == 0 {
		c.sw.sequence.Add(1)
		return
	}
	b := make([]byte, frameRoom, frameRoom+4096+len(c.vars.lines()))
	b = add(c.sw.prelude(b, name, clock()), before)
	b = c.data(b)
	if !bare[name] {
		for _, h := range c.scope {
			b = append(encode(append(append(append(b, "scope_variable_"...), h.name...), ": "...), h.value), '\n')
		}
		b = append(b, c.vars.lines()...)
	}
	b = append(add(b, after), '\n')
	deliver(listeners, name, b)
}

// clock is the time of the events.
func clock() time.Time { return time.Now() }

// listeners returns who may want the event: the sockets of the call, and those
// that look at every call.
func (c *channel) listeners(name string) []*listener {
	var out []*listener
	for _, l := range c.group.sockets {
		if !l.roams.Load() && l.wants(name) {
			out = append(out, l)
		}
	}
	for _, l := range *c.sw.global.Load() {
		if l.wants(name) {
			out = append(out, l)
		}
	}
	return out
}

// frameRoom is left in front of an event for the headers of its frame.
const frameRoom = 64

// deliver sends an event, which begins at frameRoom, to those whose filters it
// passes.
func deliver(listeners []*listener, name string, b []byte) {
	body := b[frameRoom:]
	parsed, err := eslctl.ParseEvent(body)
	if err != nil {
		panic("esltest: " + name + " does not parse: " + err.Error())
	}
	head := "Content-Length: " + strconv.Itoa(len(body)) + "\nContent-Type: text/event-plain\n\n"
	frame := b[frameRoom-len(head):]
	copy(frame, head)
	for _, l := range listeners {
		if l.passes(parsed) {
			l.push(frame, true)
		}
	}
}

// broadcast sends an event that belongs to no channel.
func (s *Switch) broadcast(name string, headers []header, body string, owner *group) {
	var to []*listener
	if owner != nil {
		for _, l := range owner.sockets {
			if !l.roams.Load() && l.wants(name) {
				to = append(to, l)
			}
		}
	}
	for _, l := range *s.global.Load() {
		if l.wants(name) {
			to = append(to, l)
		}
	}
	if len(to) == 0 {
		s.sequence.Add(1)
		return
	}
	b := add(s.prelude(make([]byte, frameRoom), name, clock()), headers)
	if body != "" {
		b = fmt.Appendf(b, "Content-Length: %d\n", len(body))
	}
	deliver(to, name, append(append(b, '\n'), body...))
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
