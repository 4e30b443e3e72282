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
}

// ParseEvent reads the body of a text/event-plain frame.
func ParseEvent(body []byte) (Event, error) {
	head, rest, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return Event{}, &FrameError{"event", "has no end of its headers"}
	}
	ev := Event{head: head}
	length, err := contentLength(Frame{Header: head})
	if err != nil {
		return Event{}, err
	}
	if length > len(rest) {
		return Event{}, &FrameError{"event", "is shorter than its Content-Length"}
	}
	ev.body = rest[:length]
	return ev, nil
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
func (e Event) Clone() Event { return Event{bytes.Clone(e.head), bytes.Clone(e.body)} }

// raw finds a header. Values are URL-encoded, so that a line break followed by
// the name can be nothing else (switch_event.c, switch_event_serialize).
func (e Event) raw(name string) ([]byte, bool) {
	for rest := e.head; ; {
		i := bytes.Index(rest, []byte(name))
		if i < 0 {
			return nil, false
		}
		at := len(e.head) - len(rest) + i
		rest = rest[i+len(name):]
		if (at == 0 || e.head[at-1] == '\n') && len(rest) > 0 && rest[0] == ':' {
			value, _, _ := bytes.Cut(rest[1:], newline)
			return bytes.TrimPrefix(value, []byte(" ")), true
		}
	}
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
