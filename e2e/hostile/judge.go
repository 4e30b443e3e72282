package hostile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Channel is the UUID of the channel of which a connection has control.
type Channel string

// Parts of what a server may send.
const (
	aUUID   = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	aPath   = `/[A-Za-z0-9/._-]+`
	aName   = `[A-Za-z0-9][A-Za-z0-9._-]*`
	aNumber = `\+?[0-9*#]+`
	aLeg    = `\[origination_uuid=` + aUUID + `(,origination_caller_id_number=` + aNumber + `,origination_caller_id_name=` + aNumber + `)?(,leg_timeout=\d+)?\]` +
		`(sofia/gateway/` + aName + `/` + aNumber + `|sofia/` + aName + `/sip:[A-Za-z0-9+*#._-]+@[A-Za-z0-9.:-]+|user/[A-Za-z0-9._-]+@[A-Za-z0-9.-]+)`
)

// prompt is what may be played: no character of it is one that FreeSWITCH
// expands, splits at or unquotes.
var prompt = regexp.MustCompile("^((say:|tts://[a-z]+[|][a-z]+[|])[^$\\\\'\"{}\\[\\]|;!^~`\\x00-\\x1f\\x7f]*|tone_stream://[%();,.:=+A-Za-z0-9-]+|local_stream://[a-z]+|silence_stream://1|" + aPath + ")$")

// applications are those that a server runs, and the form of their arguments.
var applications = map[string]*regexp.Regexp{
	"answer":                regexp.MustCompile(`^$`),
	"ring_ready":            regexp.MustCompile(`^$`),
	"playback":              prompt,
	"play_and_get_digits":   nil, // see digits
	"unset":                 regexp.MustCompile(`^hookswitch_digits$`),
	"record":                regexp.MustCompile(`^%\[playback_terminators=(none|[0-9*#]+)\]` + aPath + ` \d+( \d+ \d+)?$`),
	"record_session":        regexp.MustCompile(`^` + aPath + ` \{[A-Z_]+=(true|false)(,[A-Z_]+=(true|false))*\}$`),
	"record_session_mask":   regexp.MustCompile(`^` + aPath + `$`),
	"record_session_unmask": regexp.MustCompile(`^` + aPath + `$`),
	"stop_record_session":   regexp.MustCompile(`^` + aPath + `$`),
	"bridge": regexp.MustCompile(`^\{originate_timeout=\d+,(bridge_early_media=true|ignore_early_media=ring_ready),tts_engine=\w+,tts_voice=\w+` +
		`(,group_confirm_timeout=\d+)?\}` + aLeg + `(,` + aLeg + `)*$`),
}

// ownID is what a server calls an application that it runs.
var ownID = regexp.MustCompile(`^hs-\d+-\d+$`)

// lines are the other commands; what is in the group is the channel.
var lines = map[string]*regexp.Regexp{
	"connect":           regexp.MustCompile(`^connect()$`),
	"linger":            regexp.MustCompile(`^linger \d+()$`),
	"filter":            regexp.MustCompile(`^filter (?:Unique-ID|Other-Leg-Unique-ID) (` + aUUID + `)$`),
	"event":             regexp.MustCompile(`^event plain(?: CHANNEL_[A-Z_]+)+()$`),
	"api status":        regexp.MustCompile(`^api status ()$`),
	"api uuid_kill":     regexp.MustCompile(`^api uuid_kill (` + aUUID + `) [A-Z_]+$`),
	"api uuid_break":    regexp.MustCompile(`^api uuid_break (` + aUUID + `)$`),
	"api uuid_transfer": regexp.MustCompile(`^api uuid_transfer (` + aUUID + `) [A-Za-z0-9+*#._-]+ XML [A-Za-z0-9._-]+$`),
}

// variables are those that a server sets, together and alone.
var (
	variables = regexp.MustCompile(`^(hookswitch_(checkpoint|socket|digits|recording|message|quiet|refused)|socket_resume|sip_ignore_remote_cause|sensitive_dtmf|read_result|read_terminator_used` +
		`|record_completion_cause|continue_on_fail|hangup_after_bridge|playback_terminators|tts_engine|tts_voice|instant_ringback|ringback|transfer_ringback` +
		`|group_confirm_(key|file)|bridge_pre_execute_bleg_app|originate_(disposition|failed_cause|causes)|originated_legs|DIALSTATUS` +
		`|bridge_hangup_cause|last_bridge_(hangup_cause|to|role)|bridge_uuid)$`)
	texts = map[string]*regexp.Regexp{
		"ringback": prompt, "transfer_ringback": prompt, "group_confirm_file": prompt,
		"bridge_pre_execute_bleg_data": regexp.MustCompile(`^\+\d+ ALLOTTED_TIMEOUT$`),
	}
)

// Judge names a command; it fails on one that a server does not send for its call.
func (c Channel) Judge(p Packet) (name string, err error) {
	line := stripCR(p.Command)
	switch {
	case line == "sendmsg":
		return c.message(p)
	case len(p.Header) > 0 || p.Body != "" || p.Command != line+"\n\n":
		return line, refused(p, "more than one line")
	case strings.Contains(line, "$"):
		return line, refused(p, "would be expanded")
	}
	for name, form := range lines {
		if part := form.FindStringSubmatch(line); part != nil && (part[1] == "" || part[1] == string(c)) {
			return name, nil
		}
	}
	name, args, _ := strings.Cut(strings.TrimPrefix(line, "api "), " ")
	uuid, vars, _ := strings.Cut(args, " ")
	why := "no command of ours"
	switch {
	case c == "" || uuid != string(c):
	case name == "uuid_setvar_multi":
		why = wrongVariables(vars)
	case name == "uuid_setvar":
		why = wrongText(args)
	}
	if why != "" {
		return line, refused(p, why)
	}
	return "api " + name, nil
}

func refused(p Packet, why string) error {
	return fmt.Errorf("%s: %q with body %q", why, p.Command, p.Body)
}

// wrongVariables says what is wrong with the pairs of uuid_setvar_multi.
func wrongVariables(pairs string) string {
	for _, pair := range separate(pairs, ';', 64) {
		if name, _, _ := strings.Cut(pair, "="); !variables.MatchString(name) {
			return "sets " + name
		}
	}
	return ""
}

// wrongText says what is wrong with the arguments of uuid_setvar.
func wrongText(args string) string {
	words := separate(args, ' ', 3)
	if len(words) != 3 {
		return "sets nothing"
	}
	form, known := texts[words[1]]
	if !known {
		return "sets " + words[1]
	}
	value := strings.TrimPrefix(words[2], "playback ")
	if strings.HasPrefix(value, "%(") {
		value = "tone_stream://" + value
	}
	for _, part := range strings.Split(strings.TrimPrefix(value, "file_string://"), "!") {
		if !form.MatchString(part) {
			return "not the form of " + words[1]
		}
	}
	return ""
}

// message names a sendmsg.
func (c Channel) message(p Packet) (string, error) {
	h := map[string]string{}
	for _, pair := range p.Header {
		h[pair[0]] = pair[1]
	}
	app := h["execute-app-name"]
	name := "execute " + app
	form, known := applications[app]
	ok := len(p.Header) == 4 && p.Body == "" ||
		len(p.Header) == 6 && h["content-type"] == "text/plain" && atoi(h["content-length"]) == len(p.Body)
	switch {
	case !ok || len(h) != len(p.Header) || h["call-command"] != "execute" || h["event-lock"] != "true" || !ownID.MatchString(h["event-uuid"]):
		return name, refused(p, "not the headers of ours")
	case !known:
		return name, refused(p, "no application of ours")
	case strings.Contains(p.Body, "$"):
		return name, refused(p, "would be expanded")
	case form == nil && !digits(p.Body), form != nil && !form.MatchString(p.Body):
		return name, refused(p, "not the form of "+app)
	}
	return name, nil
}

// digitsForm is the argument of play_and_get_digits, its words but for the prompt.
var digitsForm = regexp.MustCompile(`^\d+\n\d+\n1\n\d+\n(none|[0-9*#]+)\n\nhookswitch_digits\n\n\d+$`)

// digits says whether an argument of play_and_get_digits has the form of ours.
func digits(arg string) bool {
	words := separate(arg, ' ', 20)
	return len(words) == 10 && prompt.MatchString(words[5]) && digitsForm.MatchString(strings.Join(slices.Delete(words, 5, 6), "\n"))
}

// separate splits an argument as FreeSWITCH does (switch_utils.c,
// switch_separate_string).
func separate(s string, delim byte, most int) (out []string) {
	quoted := false
	for s != "" && len(out) < most-1 {
		at := 0
		for start := true; at < len(s); at++ {
			c := s[at]
			if start && delim == ' ' && c == ' ' {
				continue
			}
			start = false
			if c == '\\' {
				at++
			} else if c == '\'' && (delim == ' ' || quoted || strings.Contains(s[at+1:], "'")) {
				quoted = !quoted
			} else if c == delim && !quoted {
				break
			}
		}
		word := s[:min(at, len(s))]
		if s = s[len(word):]; s != "" {
			s = s[1:]
		}
		if delim == ' ' {
			s = strings.TrimLeft(s, " ")
		}
		out = append(out, unquote(word, delim))
	}
	if s != "" {
		out = append(out, unquote(s, delim))
	}
	return out
}

// unquote takes the quotes out of a part, as cleanup_separated_string does.
func unquote(s string, delim byte) string {
	var out []byte
	end, quoted := 0, false
	s = strings.TrimLeft(s, " ")
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if at := strings.IndexByte(`nrts`, s[i+1]); at >= 0 {
				out = append(out, "\n\r\t "[at])
			} else if n := s[i+1]; n == '\'' || n == '"' || n == '\\' || n == delim {
				out = append(out, n)
			} else {
				out = append(out, c)
				end = len(out)
				continue
			}
			i++
			end = len(out)
			continue
		}
		if c == '\'' && (quoted || strings.Contains(s[i+1:], "'")) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		if out = append(out, c); c != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}
