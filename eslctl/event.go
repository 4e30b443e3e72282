package eslctl

import (
	"bytes"
	"iter"
	"net/url"
	"strings"
)

// Event is a plain event or the reply to connect: header lines with
// URL-encoded values, and a body where the event has one. Nothing of it is
// decoded before it is asked for; names are spelt as FreeSWITCH spells them.
//
// An Event handed to a callback is valid until the callback returns; Clone
// keeps it.
type Event struct {
	head []byte
	body []byte

	// What every event is asked for, found while its end is looked for.
	name, uuid, app, checkpoint []byte
}

// ParseEvent reads the body of a text/event-plain frame.
func ParseEvent(body []byte) (Event, error) {
	var ev Event
	var length []byte
	for at := 0; ; {
		n := bytes.IndexByte(body[at:], '\n')
		if n < 0 {
			return Event{}, &FrameError{"event", "has no end of its headers"}
		}
		if n == 0 {
			ev.head, ev.body = body[:max(at-1, 0)], body[at+1:]
			break
		}
		line := body[at : at+n]
		at += n + 1
		switch line[0] {
		case 'E':
			pick(&ev.name, line, "Event-Name:")
		case 'U':
			pick(&ev.uuid, line, "Unique-ID:")
		case 'A':
			pick(&ev.app, line, "Application-UUID:")
		case 'C':
			pick(&length, line, "Content-Length:")
		case 'v':
			if len(line) > 20 && line[9] == 'h' {
				pick(&ev.checkpoint, line, "variable_"+varCheckpoint+":")
			}
		}
	}
	if length == nil {
		ev.body = nil
		return ev, nil
	}
	n, err := parseLength(length)
	if err != nil {
		return Event{}, err
	}
	if n > len(ev.body) {
		return Event{}, &FrameError{"event", "is shorter than its Content-Length"}
	}
	ev.body = ev.body[:n]
	return ev, nil
}

// pick keeps the value of a line that begins with name and a colon; the first
// of several counts.
func pick(value *[]byte, line []byte, name string) {
	if v, ok := bytes.CutPrefix(line, []byte(name)); ok && *value == nil {
		*value = bytes.TrimPrefix(v, []byte(" "))
	}
}

// Name returns the event's name, such as CHANNEL_ANSWER.
func (e Event) Name() string { return e.Get("Event-Name") }

// Get returns the decoded value of a header, or "" where it is missing. A
// value that is not well encoded is returned as it stands.
func (e Event) Get(name string) string {
	raw, ok := e.raw(name)
	if !ok {
		return ""
	}
	return decode(raw)
}

// Has says whether the event has the header.
func (e Event) Has(name string) bool { _, ok := e.raw(name); return ok }

// Var returns a channel variable, or "" where the channel has none of the name.
func (e Event) Var(name string) string { return e.Get("variable_" + name) }

// Is says whether the header has the value. It is for headers whose values are
// never encoded: names, states and UUIDs.
func (e Event) Is(name, value string) bool {
	raw, ok := e.raw(name)
	return ok && string(raw) == value
}

// All returns every header in order, decoded.
func (e Event) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for line := range lines(e.head) {
			name, value, ok := bytes.Cut(line, []byte(": "))
			if ok && !yield(string(name), decode(value)) {
				return
			}
		}
	}
}

// Body returns the event's own body, such as the result of a background job.
func (e Event) Body() string { return string(e.body) }

// Clone returns a copy that may be kept.
func (e Event) Clone() Event {
	whole := make([]byte, 0, len(e.head)+2+len(e.body))
	whole = append(append(append(whole, e.head...), "\n\n"...), e.body...)
	c, err := ParseEvent(whole)
	if err != nil { // it was one before
		return Event{}
	}
	return c
}

// raw finds a header: the line that begins with its name. Values are
// URL-encoded and hold no line break (switch_event.c, switch_event_serialize).
func (e Event) raw(name string) ([]byte, bool) {
	for rest := e.head; len(rest) > len(name); {
		if rest[len(name)] == ':' && string(rest[:len(name)]) == name {
			value, _, _ := bytes.Cut(rest[len(name)+1:], newline)
			return bytes.TrimPrefix(value, []byte(" ")), true
		}
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			break
		}
		rest = rest[n+1:]
	}
	return nil, false
}

func decode(raw []byte) string {
	if bytes.IndexByte(raw, '%') < 0 {
		return string(raw)
	}
	s := string(raw)
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// array reads the list form of a variable, "ARRAY::a|:b"; a list of one is the
// plain value (switch_event.c, switch_event_base_add_header).
func array(s string) []string {
	if s == "" {
		return nil
	}
	rest, ok := strings.CutPrefix(s, "ARRAY::")
	if !ok {
		return []string{s}
	}
	return strings.Split(rest, "|:")
}
