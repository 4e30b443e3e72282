package esltest

import (
	"strings"
	"unicode/utf8"
)

// variables are a channel's, in the order in which they were last set
// (switch_event.c: a header that is set again moves to the end).
type variables struct {
	list  []variable
	block []byte // all of them as lines of an event; nil: to be made again
}

type variable struct{ name, value string }

func (v *variables) get(name string) string {
	for i := range v.list {
		if v.list[i].name == name {
			return v.list[i].value
		}
	}
	return ""
}

// set sets a variable; an empty value unsets it.
func (v *variables) set(name, value string) {
	for i := range v.list {
		if v.list[i].name == name {
			if v.list[i].value == value && i == len(v.list)-1 {
				return
			}
			v.list = append(v.list[:i], v.list[i+1:]...)
			break
		}
	}
	v.block = nil
	if value != "" {
		v.list = append(v.list, variable{name, value})
	}
}

// push adds to a list (switch_event.c, switch_event_base_add_header with
// SWITCH_STACK_PUSH): "a", then "ARRAY::a|:b".
func (v *variables) push(name, value string) {
	switch old := v.get(name); {
	case old == "":
	case strings.HasPrefix(old, "ARRAY::"):
		value = old + "|:" + value
	default:
		value = "ARRAY::" + old + "|:" + value
	}
	v.set(name, value)
}

// isTrue is switch_true.
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	case "", "0":
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// lines renders the variables for an event.
func (v *variables) lines() []byte {
	if v.block == nil {
		size := 0
		for i := range v.list {
			size += len(v.list[i].name) + len(v.list[i].value) + 16
		}
		b := make([]byte, 0, size+size/8)
		for i := range v.list {
			b = append(b, "variable_"...)
			b = append(b, v.list[i].name...)
			b = append(b, ": "...)
			b = encode(b, v.list[i].value)
			b = append(b, '\n')
		}
		v.block = b
	}
	return v.block
}

// unsafe are the characters that an event's value encodes (switch_utils.c,
// switch_url_encode), besides those outside of ASCII and control characters.
const unsafe = "\r\n #%&+:;<=>?@[\\]^`{|}\""

var encodes = func() (t [256]bool) {
	for i := range t {
		t[i] = i < ' ' || i > '~'
	}
	for _, c := range []byte(unsafe) {
		t[c] = true
	}
	return t
}()

func encode(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; encodes[c] {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// expand replaces ${name} by the channel's variable. ${api(args)} and
// $${global} come to nothing: the shipped configuration turns the first off.
func (c *channel) expand(s string) string {
	for depth := 0; depth < 10 && strings.Contains(s, "${"); depth++ {
		var out strings.Builder
		for {
			before, rest, ok := strings.Cut(s, "${")
			out.WriteString(strings.TrimSuffix(before, "$"))
			if !ok {
				break
			}
			name, after, ok := strings.Cut(rest, "}")
			if !ok {
				out.WriteString("${" + rest)
				return out.String()
			}
			out.WriteString(c.lookup(name))
			s = after
		}
		s = out.String()
	}
	return s
}

// variable finds a variable as applications do: those of the running application
// alone first (switch_channel.c, switch_channel_get_variable_dup).
func (c *channel) variable(name string) string {
	for _, h := range c.scope {
		if h.name == name {
			return h.value
		}
	}
	return c.vars.get(name)
}

// lookup finds a variable, or a field of the caller's profile
// (switch_channel.c, switch_channel_get_variable_dup).
func (c *channel) lookup(name string) string {
	if v := c.variable(name); v != "" {
		return v
	}
	switch name {
	case "uuid":
		return c.uuid
	case "destination_number":
		return c.number
	case "caller_id_number":
		return c.cidNumber
	case "caller_id_name":
		return c.cidName
	case "context":
		return c.context
	case "channel_name":
		return c.name
	}
	return ""
}

// split cuts a string at spaces as switch_separate_string does: quotes keep
// together, and runs of spaces are one.
func split(s string, limit int) []string {
	var out []string
	for s = strings.TrimLeft(s, " "); s != "" && len(out) < limit; s = strings.TrimLeft(s, " ") {
		if len(out) == limit-1 {
			return append(out, unquote(strings.TrimRight(s, " ")))
		}
		word, quoted, i := strings.Builder{}, false, 0
		for i < len(s) {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == '\\' && i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == ' ') {
				word.WriteByte(s[i+1])
				i += 2
				continue
			}
			i += n
			if r == '\'' {
				quoted = !quoted
				continue
			}
			if r == ' ' && !quoted {
				break
			}
			word.WriteString(s[i-n : i])
		}
		out = append(out, word.String())
		s = s[i:]
	}
	return out
}

// cutOutside splits at a character outside of single quotes, which go away: a
// lone one takes the rest with it (switch_utils.c, switch_separate_string).
func cutOutside(s string, at byte) []string {
	var out []string
	var word strings.Builder
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == at && !quoted:
			out = append(out, word.String())
			word.Reset()
		default:
			word.WriteByte(s[i])
		}
	}
	return append(out, word.String())
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}
