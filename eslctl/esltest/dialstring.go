package esltest

import "strings"

// dialing is a parsed dial string.
type dialing struct {
	globals []header
	rounds  [][]target // tried one after the other; the targets of a round at once
}

// target is one leg to dial.
type target struct {
	vars []header
	to   string
}

// parseDial reads a dial string (switch_ivr_originate.c,
// switch_ivr_originate): {} for all legs, | sequence, "," at once, [] for one
// leg. Enterprise (:_:) is not simulated.
func parseDial(s string) dialing {
	var d dialing
	for s = strings.TrimLeft(s, " "); strings.HasPrefix(s, "{"); s = strings.TrimLeft(s, " ") {
		inside, rest := bracket(s, '{', '}')
		d.globals = append(d.globals, pairs(inside)...)
		s = rest
	}
	for _, round := range cutTop(s, '|') {
		var targets []target
		for _, leg := range cutTop(round, ',') {
			var t target
			for leg = strings.TrimSpace(leg); strings.HasPrefix(leg, "["); {
				inside, rest := bracket(leg, '[', ']')
				t.vars = append(t.vars, pairs(inside)...)
				leg = rest
			}
			if t.to = strings.TrimSpace(leg); t.to != "" {
				targets = append(targets, t)
			}
		}
		if len(targets) > 0 {
			d.rounds = append(d.rounds, targets)
		}
	}
	return d
}

// bracket splits off the block at the start of s. Quotes do not protect the
// closing character (seen on 1.11.1).
func bracket(s string, left, right byte) (inside, rest string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case left:
			depth++
		case right:
			if depth--; depth == 0 {
				return s[1:i], s[i+1:]
			}
		}
	}
	return s[1:], ""
}

// cutTop splits at a character outside of brackets.
func cutTop(s string, at byte) []string {
	var out []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case at:
			if depth <= 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

// pairs reads name=value,name=value; \, is a comma, and ^^: in front makes
// another character the separator.
func pairs(s string) []header {
	sep := byte(',')
	if strings.HasPrefix(s, "^^") && len(s) > 2 {
		sep, s = s[2], s[3:]
	}
	var out []header
	var word strings.Builder
	flush := func() {
		name, value, ok := strings.Cut(word.String(), "=")
		if name = strings.TrimSpace(name); ok && name != "" {
			out = append(out, header{name, unquote(value)})
		}
		word.Reset()
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			word.WriteByte(s[i])
		case s[i] == sep:
			flush()
		default:
			word.WriteByte(s[i])
		}
	}
	flush()
	return out
}

// get returns the value of a variable; where {} and [] both have it, that of
// {} counts (switch_ivr_originate.c, without local_var_clobber), except origination_*.
func get(globals, own []header, name string) string {
	first, second := globals, own
	if strings.HasPrefix(name, "origination_") {
		first, second = own, globals
	}
	for _, list := range [][]header{first, second} {
		for _, h := range list {
			if h.name == name {
				return h.value
			}
		}
	}
	return ""
}

// destination is what a target of a dial string is called by SetCallee. A
// loopback's context takes the gateway's place.
func destination(to string) (endpoint, gateway, name string) {
	part := strings.SplitN(to, "/", 4)
	switch {
	case len(part) == 4 && part[0] == "sofia" && part[1] == "gateway":
		return "sofia", part[2], part[3]
	case len(part) >= 3 && part[0] == "sofia":
		uri := strings.TrimPrefix(strings.Join(part[2:], "/"), "sip:")
		uri, _, _ = strings.Cut(uri, ";")
		return "sofia", "", uri
	case len(part) == 2 && part[0] == "user":
		return "user", "", part[1]
	case len(part) >= 3 && part[0] == "loopback":
		return "loopback", part[2], "loopback/" + part[1]
	case len(part) == 2 && part[0] == "loopback":
		return "loopback", "", "loopback/" + part[1]
	}
	return "", "", to
}
