package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
)

var errNoCall = errors.New("has no call id")

// DecodeEvent reads one line, without its newline. What AppendEvent wrote is
// read by hand; everything else, and every line with an escape, by encoding/json.
func DecodeEvent(line []byte) (call.Event, error) {
	if e, ok := decodeFast(line); ok {
		return e, nil
	}
	var e call.Event
	if err := json.Unmarshal(line, &e); err != nil {
		return call.Event{}, err
	}
	if e.Call == "" {
		return call.Event{}, errNoCall
	}
	return e, nil
}

// decodeFast reads the fields in the order in which appendEvent writes them. It
// reports false for anything it does not know, which is no judgement of the line.
func decodeFast(line []byte) (e call.Event, ok bool) {
	if !utf8.Valid(line) { // encoding/json replaces such bytes; let it
		return e, false
	}
	d := cursor{rest: string(line), ok: true} // one string; the fields are parts of it
	d.expect(`{"call":`)
	e.Call = d.text()
	d.field(`,"org":`, &e.Org)
	d.expect(`,"epoch":`)
	e.Epoch = int(d.number())
	d.expect(`,"seq":`)
	e.Seq = int(d.number())
	d.expect(`,"time":`)
	e.Time = d.time()
	d.field(`,"node":`, &e.Node)
	d.expect(`,"type":`)
	e.Type = typeOf(d.text())
	d.field(`,"step":`, &e.Step)
	d.field(`,"kind":`, &e.Kind)
	d.field(`,"exit":`, &e.Exit)
	d.field(`,"why":`, &e.Why)
	if d.has(`,"ms":`) {
		e.Millis = d.number()
	}
	d.field(`,"leg":`, &e.Leg)
	d.field(`,"target":`, &e.Target)
	d.field(`,"cause":`, (*string)(&e.Cause))
	if d.has(`,"attrs":{`) {
		e.Attrs = make(map[string]string)
		for d.ok {
			k := d.text()
			d.expect(`:`)
			e.Attrs[k] = d.text()
			if !d.has(`,`) {
				break
			}
		}
		d.expect(`}`)
	}
	d.expect(`}`)
	return e, d.ok && len(d.rest) == 0 && e.Call != ""
}

// types are those of which an event need not keep its own copy.
var types = func() map[string]call.Type {
	m := make(map[string]call.Type)
	for _, t := range []call.Type{call.Started, call.Resumed, call.Refused, call.Step, call.FlowError, call.Answered,
		call.Decided, call.NotTried, call.TargetDialed, call.TargetRinging, call.TargetFailed, call.Connected, call.Marked, call.Released, call.Failed, call.Ended} {
		m[string(t)] = t
	}
	return m
}()

// typeOf returns a type that does not hold on to the line it was read from: the
// index keeps it.
func typeOf(s string) call.Type {
	if t, ok := types[s]; ok {
		return t
	}
	return call.Type(strings.Clone(s))
}

type cursor struct {
	rest string
	ok   bool
}

func (d *cursor) has(s string) bool {
	if d.ok && len(d.rest) >= len(s) && d.rest[:len(s)] == s {
		d.rest = d.rest[len(s):]
		return true
	}
	return false
}

func (d *cursor) expect(s string) { d.ok = d.has(s) }

func (d *cursor) field(key string, to *string) {
	if d.has(key) {
		*to = d.text()
	}
}

// text reads a string without escapes.
func (d *cursor) text() string {
	if !d.has(`"`) {
		d.ok = false
		return ""
	}
	for i := 0; i < len(d.rest); i++ {
		switch c := d.rest[i]; {
		case c == '"':
			s := d.rest[:i]
			d.rest = d.rest[i+1:]
			return s
		case c == '\\' || c < ' ':
			d.ok = false
			return ""
		}
	}
	d.ok = false
	return ""
}

func (d *cursor) number() int64 {
	n := 0
	for n < len(d.rest) && (d.rest[n] >= '0' && d.rest[n] <= '9' || n == 0 && d.rest[n] == '-') {
		n++
	}
	v, err := strconv.ParseInt(d.rest[:n], 10, 64)
	// JSON has no leading zeros and no -0.
	if err != nil || strconv.FormatInt(v, 10) != d.rest[:n] {
		d.ok = false
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *cursor) time() time.Time {
	s := d.text()
	if len(s) < len("2006-01-02T15:04:05Z") || s[len(s)-1] != 'Z' {
		d.ok = false
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	// Parse takes a comma for the point, which encoding/json does not.
	if err != nil || strings.ContainsRune(s, ',') {
		d.ok = false
	}
	return t.UTC()
}
