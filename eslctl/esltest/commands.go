package esltest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/eslctl"
)

// command runs one command of the socket and answers it; false ends the
// connection (mod_event_socket.c, parse_command).
func (l *listener) command(f eslctl.Frame) bool {
	cmd := f.Command()
	if !l.authed {
		return l.auth(cmd)
	}
	verb, rest, _ := strings.Cut(cmd, " ")
	switch {
	case verb == "exit" || strings.HasPrefix(cmd, "exit") || strings.HasPrefix(cmd, "..."):
		l.reply("+OK bye")
		return false
	case verb == "filter" && rest != "":
		l.reply(l.filter(strings.TrimLeft(rest, " ")))
	case l.channel != nil && l.controls(verb, rest):
	case verb == "divert_events":
		l.reply(divert(l, rest))
	case verb == "sendmsg":
		l.reply(l.sendmsg(f, strings.TrimSpace(rest)))
	case l.channel != nil && !l.full:
		l.reply("") // the rest needs "full"
	case verb == "api" && rest != "":
		body := l.sw.api(l, rest)
		l.push(fmt.Appendf(nil, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(body), body), false)
	case verb == "bgapi" && rest != "":
		l.background(rest, f.Get("Job-UUID"))
	case verb == "linger" || verb == "nolinger":
		l.reply(l.setLinger(verb, rest))
	case verb == "event":
		l.reply(l.subscribe(rest))
	case verb == "nixevent":
		l.reply(l.nix(rest))
	case verb == "noevents":
		l.reply(l.silence())
	case verb == "auth":
		l.reply("+OK accepted")
	default:
		l.reply("")
	}
	return true
}

// reply answers with a Reply-Text; an empty one is an unknown command, also
// where getvar found nothing (file 01c).
func (l *listener) reply(text string) {
	if text == "" {
		text = "-ERR command not found"
	}
	l.push([]byte("Content-Type: command/reply\nReply-Text: "+text+"\n\n"), false)
}

func (l *listener) auth(cmd string) bool {
	verb, pass, _ := strings.Cut(cmd, " ")
	switch {
	case verb == "exit":
		l.reply("+OK bye")
		return false
	case verb != "auth":
		l.reply("")
	case pass == l.sw.Password:
		l.authed, l.full = true, true
		l.reply("+OK accepted")
	default:
		l.reply("-ERR invalid")
		return false
	}
	return true
}

// controls runs the commands that only an outbound socket has.
func (l *listener) controls(verb, rest string) bool {
	c := l.channel
	c.lock()
	defer c.unlock()
	switch verb {
	case "connect":
		l.connected = true
		c.poke()
		b := l.sw.prelude(make([]byte, 0, 8192), "CHANNEL_DATA", clock())
		b = c.profile(b, "Channel")
		b = append(c.data(b), c.vars.lines()...)
		b = append(b, "Content-Type: command/reply\nReply-Text: %2BOK%0A\n"...)
		mode, control := "static", "single-channel"
		if l.async {
			mode = "async"
		}
		if l.full {
			control = "full"
		}
		l.push(append(b, "Socket-Mode: "+mode+"\nControl: "+control+"\n\n"...), false)
	case "getvar":
		l.reply(c.lookup(rest))
	case "resume":
		l.resume = true
		c.vars.set("socket_resume", "true")
		l.reply("+OK")
	case "myevents":
		l.mu.Lock()
		if l.mine {
			l.mu.Unlock()
			l.reply("-ERR aready enabled.")
			return true
		}
		l.mine = true
		for _, name := range myEvents {
			l.events[name] = true
		}
		l.mu.Unlock()
		l.roam()
		l.reply("+OK Events Enabled")
	default:
		return false
	}
	return true
}

// myEvents are the events of myevents (mod_event_socket.c, parse_command).
var myEvents = []string{
	"CHANNEL_ANSWER", "CHANNEL_APPLICATION", "CHANNEL_BRIDGE", "CHANNEL_CREATE", "CHANNEL_DATA", "CHANNEL_DESTROY",
	"CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_ORIGINATE",
	"CHANNEL_UUID", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_STATE",
	"CHANNEL_UNBRIDGE", "CHANNEL_UNPARK", "DETECTED_SPEECH", "DTMF", "NOTALK", "TALK",
}

// known are the names of events that can be subscribed to, besides those of
// myevents.
var known = func() map[string]bool {
	m := map[string]bool{"ALL": true, "CUSTOM": true, "CHANNEL_CALLSTATE": true, "CHANNEL_HOLD": true,
		"CHANNEL_UNHOLD": true, "CALL_UPDATE": true, "PLAYBACK_START": true, "PLAYBACK_STOP": true,
		"RECORD_START": true, "RECORD_STOP": true, "BACKGROUND_JOB": true, "HEARTBEAT": true,
		"MEDIA_BUG_START": true, "MEDIA_BUG_STOP": true, "API": true, "LOG": true, "SHUTDOWN": true,
		"CALL_SECURE": true, "MESSAGE": true, "PRESENCE_IN": true, "RE_SCHEDULE": true}
	for _, name := range myEvents {
		m[name] = true
	}
	return m
}()

func (l *listener) subscribe(rest string) string {
	names := strings.Split(rest, " ")
	format := "plain"
	if len(names) > 0 && (names[0] == "plain" || names[0] == "json" || names[0] == "xml") {
		format, names = names[0], names[1:]
	}
	if format != "plain" {
		return "" // the other formats are not simulated
	}
	found, custom := 0, false
	l.mu.Lock()
	for _, name := range names {
		name = strings.ToUpper(name)
		if custom || !known[name] {
			continue
		}
		found++
		l.events[name] = true
		custom = name == "CUSTOM" // what follows are its subclasses
	}
	l.mu.Unlock()
	if found == 0 {
		return "-ERR no keywords supplied"
	}
	l.roam()
	return "+OK event listener enabled plain"
}

func (l *listener) nix(rest string) string {
	found := 0
	l.mu.Lock()
	for name := range strings.SplitSeq(rest, " ") {
		if name = strings.ToUpper(name); known[name] {
			found++
			if l.events["ALL"] && name != "ALL" {
				for n := range known {
					l.events[n] = true
				}
				delete(l.events, "ALL")
			}
			delete(l.events, name)
		}
	}
	l.mu.Unlock()
	if found == 0 {
		return "-ERR no keywords supplied"
	}
	return "+OK events nixed"
}

func (l *listener) silence() string {
	l.mu.Lock()
	any := len(l.events) > 0
	l.events = map[string]bool{}
	l.held = nil // what has not been sent is thrown away
	l.mu.Unlock()
	l.roam()
	if !any {
		return "-ERR not listening for events"
	}
	return "+OK no longer listening for events"
}

func (l *listener) filter(rest string) string {
	name, value, ok := strings.Cut(rest, " ")
	l.mu.Lock()
	defer func() { l.mu.Unlock(); l.roam() }()
	if strings.EqualFold(name, "delete") && ok {
		name, value, _ = strings.Cut(value, " ")
		var rest []filter
		for _, f := range l.filters {
			if !strings.EqualFold(name, "all") && (f.header != name || value != "" && f.value != value) {
				rest = append(rest, f)
			}
		}
		l.filters = rest
		return "+OK filter deleted. [" + name + "][" + value + "]"
	}
	if !ok {
		return "-ERR invalid syntax"
	}
	if strings.EqualFold(name, "add") {
		name, value, _ = strings.Cut(value, " ")
	}
	l.filters = append(l.filters, makeFilter(name, value))
	return "+OK filter added. [" + name + "]=[" + value + "]"
}

func divert(l *listener, rest string) string {
	switch {
	case l.channel == nil:
		return "-ERR not controlling a session."
	case rest == "":
		return "-ERR missing value."
	case strings.EqualFold(rest, "on"):
		return "+OK events diverted"
	}
	return "+OK events not diverted"
}

func (l *listener) setLinger(verb, rest string) string {
	if l.channel == nil {
		return "-ERR not controlling a session"
	}
	l.channel.lock()
	defer l.channel.unlock()
	l.linger = verb == "linger"
	if !l.linger {
		return "+OK will not linger"
	}
	if rest == "" {
		l.lingerFor = lingerAlone
		return "+OK will linger"
	}
	l.lingerFor, _ = strconv.Atoi(strings.TrimSpace(rest))
	return fmt.Sprintf("+OK will linger %d seconds", l.lingerFor)
}

// sendmsg queues a message for a channel. It is +OK for any application, any
// cause, and a channel that has just ended (files 01c, 07).
func (l *listener) sendmsg(f eslctl.Frame, uuid string) string {
	if uuid == "" {
		uuid = f.Get("session-id")
	}
	c := l.channel
	if uuid != "" && (c == nil || uuid != c.uuid) {
		if c = l.sw.find(uuid); c == nil {
			return "-ERR invalid session id [" + uuid + "]"
		}
	}
	if c == nil {
		return "-ERR invalid session id []"
	}
	c.lock()
	defer c.unlock()
	if !c.enqueue(messageOf(f)) {
		return "-ERR memory error"
	}
	return "+OK"
}

// background runs an API command as a job. A Job-UUID of the client's is used.
func (l *listener) background(rest, job string) {
	if job == "" {
		job = newUUID()
	}
	l.push([]byte("Content-Type: command/reply\nReply-Text: +OK Job-UUID: "+job+"\nJob-UUID: "+job+"\n\n"), false)
	l.sw.start(func() {
		name, arg, _ := strings.Cut(rest, " ")
		body := l.sw.api(nil, rest)
		headers := []header{{"Job-UUID", job}}
		if l.channel != nil {
			headers = append(headers, header{"Job-Owner-UUID", l.channel.uuid})
		}
		headers = append(headers, header{"Job-Command", name})
		if arg != "" {
			headers = append(headers, header{"Job-Command-Arg", arg})
		}
		if l.channel == nil {
			l.sw.broadcast("BACKGROUND_JOB", headers, body, nil)
			return
		}
		l.channel.lock()
		defer l.channel.unlock()
		l.sw.broadcast("BACKGROUND_JOB", headers, body, l.channel.group)
	})
}
