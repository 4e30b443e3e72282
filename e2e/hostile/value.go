// Package hostile is what callers and other systems may write to do harm, and the
// judge of what a server makes of it: the commands it sends to FreeSWITCH, read as
// FreeSWITCH reads them. It shares no code with what it judges.
package hostile

import (
	"math/rand/v2"
	"net/url"
	"strings"
)

// Values are texts that mean something to one of those who read them: FreeSWITCH's
// expansion of variables, its splitting of arguments and dial strings, its event
// socket, HTTP, JSON, SIP, a shell. What they try, where it succeeds, makes a file.
type Values struct {
	random *rand.Rand
	canary string
}

// NewValues returns the values of a seed. The path of the file that must never
// appear has no spaces.
func NewValues(seed uint64, canary string) *Values {
	return &Values{rand.New(rand.NewPCG(seed, seed)), canary}
}

// Next returns another value: one to three attempts, one of them in a hundred many
// times over, sometimes encoded.
func (v *Values) Next() string {
	var b strings.Builder
	for range 1 + v.random.IntN(3) {
		b.WriteString(v.attempt())
	}
	s := b.String()
	if v.random.IntN(100) == 0 {
		s = strings.Repeat(s, 1+v.random.IntN(4000/len(s)+1))
	}
	switch v.random.IntN(20) {
	case 0:
		return url.QueryEscape(s)
	case 1:
		return url.PathEscape(url.PathEscape(s))
	case 2:
		return strings.ToUpper(s)
	case 3:
		return `"` + s + `"`
	case 4:
		return `'` + s + `'`
	}
	return s
}

// attempt is one thing that might be taken for more than text.
func (v *Values) attempt() string {
	switch v.random.IntN(9) {
	case 0, 1:
		return v.expansion(2)
	case 2:
		return v.breakout() + v.one("api ", "bgapi ", "sendmsg\ncall-command: execute\nexecute-app-name: system\nexecute-app-arg: ", "console_execute: true\n\napi ", "") +
			v.call() + v.breakout()
	case 3:
		return v.one(";", "';", ",", "\\,", "^^;", "%[", "{", "}{", "],[", "\",") +
			v.one("api_hangup_hook", "execute_on_answer", "execute_on_media", "record_post_process_exec_app", "hookswitch_socket", "socket_resume", "loops") +
			"=" + v.call() + v.one(";", "]", "}", ",", "'", "")
	case 4:
		return v.one("}", "]", "|", ",", ":_:", "&") + v.one("sofia/gateway/premium/900", "loopback/900", "error/user_busy", "null/x", "user/${x}") + v.one("", ",", "|")
	case 5:
		return v.one("say:", "tone_stream://", "file_string://x!", "shell_stream://touch "+v.canary+" ", "{loops=9}", "tts://flite|slt|", "http_cache://", "phrase:", "playback ",
			"execute:", "lua:", "./../../", "//", "?x=", "&x=", "#", "@", "%2e%2e%2f")
	case 6:
		return v.one("'", `"`, "`", `\`, `\'`, `\\`, "''", "{", "}", "[", "]", "(", ")", "<", ">", "|", ";", ",", "!", "~", "^^,", "%", "%%", "%00", "$", "$$", "#", "*", "&&", "=")
	case 7:
		return v.one("\u202e", "\u200f", "\u2028", "\u0085", "\ufeff", "\u202aZoë\u202c", "ﷺ", "🂡", "a\u0301\u0301", "\xff\xfe", "\xc0\x8a", "\xed\xa0\x80", "\xf8", "\x1b[2J", "\b\b", "\x00", "\x7f", "\t")
	}
	return v.one("{{ caller.name }}", "{{ 1 / 0 }}", "{{", "}}", `","admin":"1`, "</action>", "<!--", "&#10;api status", "_undef_", "ARRAY::a|:b", "1.9.evil.e30",
		"O'Brien & Söhne", "Press 1", "+15550100", "sip:a@b;x=y", "NaN", "-1", "true", "null")
}

// expansion is what FreeSWITCH would replace, of some depth.
func (v *Values) expansion(depth int) string {
	inner := v.call()
	if depth > 0 && v.random.IntN(3) == 0 {
		inner = v.expansion(depth-1) + v.one("", ":1:4", "[0]", " x")
	}
	return v.one("${", "$${", `\${`, `\\${`, "$ {", "${${", "%{", "#{", "${expand(${") + inner + v.one("}", "}", "}}", ")}", "")
}

// call is a command of the switch that would make the file.
func (v *Values) call() string {
	name := v.one("system", "bgsystem", "spawn", "bg_spawn", "expand system", "SYSTEM", "lua", "luarun", "jsrun")
	arg := "touch " + v.canary
	if strings.HasPrefix(name, "lua") {
		arg = `~os.execute("` + arg + `")`
	}
	switch v.random.IntN(3) {
	case 0:
		return name + "(" + arg + ")"
	case 1:
		return name + "('" + arg + "')"
	}
	return name + " " + arg
}

// breakout is what might end a line or a frame.
func (v *Values) breakout() string {
	return v.one("\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\n\r\n", "\\n", "%0a", "%0d%0a%0d%0a", "\x00\n\n", "\nContent-Length: 0\n\n", "\u2028", "\xc0\x8a\xc0\x8a", "\n loops: 9\n\n")
}

func (v *Values) one(of ...string) string { return of[v.random.IntN(len(of))] }
