package journal

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
)

// MaxLine bounds one line of a journal in bytes, newline included. Readers skip
// what is longer.
const MaxLine = 64 << 10

// AppendEvent appends e to b as one line of JSON with its newline, in the
// spelling of encoding/json. The line is at most MaxLine bytes: an event that
// would be longer loses its attributes and the ends of its texts, and says so
// in Attrs["truncated"].
func AppendEvent(b []byte, e call.Event) []byte {
	start := len(b)
	b = appendEvent(b, &e)
	if len(b)-start <= MaxLine {
		return b
	}
	short := e
	for _, s := range []*string{&short.Call, &short.Org, &short.Node, (*string)(&short.Type), &short.Step, &short.Kind,
		&short.Exit, &short.Why, &short.Leg, &short.Target, (*string)(&short.Cause)} {
		if len(*s) > 512 { // eleven texts of 512 bytes are below MaxLine even if every byte is escaped
			*s = (*s)[:512]
		}
	}
	short.Attrs = map[string]string{"truncated": "true"}
	return appendEvent(b[:start], &short)
}

func appendEvent(b []byte, e *call.Event) []byte {
	b = append(b, `{"call":`...)
	b = appendString(b, e.Call)
	b = appendField(b, `,"org":`, e.Org)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendInt(b, int64(e.Epoch), 10)
	b = append(b, `,"seq":`...)
	b = strconv.AppendInt(b, int64(e.Seq), 10)
	b = append(b, `,"time":"`...)
	b = appendTime(b, e.Time)
	b = append(b, '"')
	b = appendField(b, `,"node":`, e.Node)
	b = append(b, `,"type":`...)
	b = appendString(b, string(e.Type))
	b = appendField(b, `,"step":`, e.Step)
	b = appendField(b, `,"kind":`, e.Kind)
	b = appendField(b, `,"exit":`, e.Exit)
	b = appendField(b, `,"why":`, e.Why)
	if e.Millis != 0 {
		b = append(b, `,"ms":`...)
		b = strconv.AppendInt(b, e.Millis, 10)
	}
	b = appendField(b, `,"leg":`, e.Leg)
	b = appendField(b, `,"target":`, e.Target)
	b = appendField(b, `,"cause":`, string(e.Cause))
	if len(e.Attrs) > 0 {
		b = appendAttrs(b, e.Attrs)
	}
	return append(b, '}', '\n')
}

func appendAttrs(b []byte, attrs map[string]string) []byte {
	var room [16]string // most events have fewer: no allocation
	keys := room[:0]
	for k := range attrs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, `,"attrs":{`...)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, attrs[k])
	}
	return append(b, '}')
}

func appendField(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, key...)
	return appendString(b, value)
}

// appendTime writes t in UTC. JSON times end with the year 9999 (RFC 3339); a
// time outside of that is a broken clock and written as the zero time.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Time{}
	}
	return t.AppendFormat(b, time.RFC3339Nano)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(b, s[done:i]...)
				b = append(b, "\ufffd"...)
				done = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		b = append(b, s[done:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		done = i
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}
