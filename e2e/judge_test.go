//go:build freeswitch

package e2e

import (
	"bufio"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wire is one connection that controls a call.
type wire struct{ uuid, caller string }

// Parts of what a server may send.
const (
	aUUID   = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	aPath   = `/[A-Za-z0-9/._-]+`
	aNumber = `\+?[0-9*#]+`
	aLeg    = `\[origination_uuid=` + aUUID + `(,origination_caller_id_number=` + aNumber + `,origination_caller_id_name=` + aNumber + `)?(,leg_timeout=\d+)?\]` +
		`sofia/gateway/carrier/` + aNumber
)

// prompt is what may be played: no character of it is one that FreeSWITCH
// expands, splits at or unquotes.
var prompt = regexp.MustCompile("^(say:[^$\\\\'\"{}\\[\\]|;!^~`\\x00-\\x1f]+|tone_stream://[%();,.:=+A-Za-z0-9-]+|local_stream://[a-z]+|silence_stream://1|" + aPath + ")$")

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
	"api status":        regexp.MustCompile(`^api status()$`),
	"api uuid_kill":     regexp.MustCompile(`^api uuid_kill (` + aUUID + `) [A-Z_]+$`),
	"api uuid_break":    regexp.MustCompile(`^api uuid_break (` + aUUID + `)$`),
	"api uuid_transfer": regexp.MustCompile(`^api uuid_transfer (` + aUUID + `) [A-Za-z0-9+*#._-]+ XML [A-Za-z0-9._-]+$`),
}

// variables are those that a server sets, together and alone.
var (
	variables = regexp.MustCompile(`^(hookswitch_(checkpoint|socket|digits|recording|quiet|refused)|socket_resume|sensitive_dtmf|read_result|read_terminator_used` +
		`|record_completion_cause|continue_on_fail|hangup_after_bridge|playback_terminators|tts_engine|tts_voice|instant_ringback|ringback|transfer_ringback` +
		`|group_confirm_(key|file)|bridge_pre_execute_bleg_app|originate_(disposition|failed_cause|causes)|originated_legs|DIALSTATUS` +
		`|bridge_hangup_cause|last_bridge_(hangup_cause|to|role)|bridge_uuid)$`)
	texts = map[string]*regexp.Regexp{
		"ringback": nil, "transfer_ringback": nil, "group_confirm_file": nil, // a prompt, or part of one
		"bridge_pre_execute_bleg_data": regexp.MustCompile(`^\+\d+ ALLOTTED_TIMEOUT$`),
	}
)

// judge names a command; it fails on one that a server does not send for its call.
func (w wire) judge(p packet) (name string, err error) {
	line := stripCR(p.command)
	refuse := func(why string) (string, error) {
		return line, fmt.Errorf("%s: %q with body %q", why, p.command, p.body)
	}
	if line == "sendmsg" {
		return w.judgeMessage(p, refuse)
	}
	if len(p.header) > 0 || p.body != "" || p.command != line+"\n\n" {
		return refuse("more than one line")
	}
	if strings.Contains(line, "$") {
		return refuse("would be expanded")
	}
	for name, form := range lines {
		if part := form.FindStringSubmatch(line); part != nil && (part[1] == "" || part[1] == w.uuid) {
			return name, nil
		}
	}
	switch vars, multi := strings.CutPrefix(line, "api uuid_setvar_multi "+w.uuid+" "); {
	case w.uuid == "":
	case multi:
		for _, pair := range separate(vars, ';', 64) {
			if name, _, _ := strings.Cut(pair, "="); !variables.MatchString(name) {
				return refuse("sets " + name)
			}
		}
		return "api uuid_setvar_multi", nil
	default:
		one, ok := strings.CutPrefix(line, "api uuid_setvar ")
		words := separate(one, ' ', 3)
		if !ok || len(words) != 3 || words[0] != w.uuid {
			break
		}
		form, known := texts[words[1]]
		if !known {
			return refuse("sets " + words[1])
		}
		if form == nil {
			form = prompt
			words[2] = asPrompt(words[2])
		}
		for _, part := range strings.Split(strings.TrimPrefix(words[2], "file_string://"), "!") {
			if !form.MatchString(part) {
				return refuse("not the form of " + words[1])
			}
		}
		return "api uuid_setvar", nil
	}
	return refuse("no command of ours")
}

// asPrompt completes a variable that holds a prompt without its beginning, or with
// the application that plays it.
func asPrompt(s string) string {
	if strings.HasPrefix(s, "%(") {
		return "tone_stream://" + s
	}
	return strings.TrimPrefix(s, "playback ")
}

func (w wire) judgeMessage(p packet, refuse func(string) (string, error)) (string, error) {
	h := map[string]string{}
	for _, pair := range p.header {
		if _, twice := h[pair[0]]; twice {
			return refuse("says " + pair[0] + " twice")
		}
		h[pair[0]] = pair[1]
	}
	app := h["execute-app-name"]
	name := "execute " + app
	want := 4
	if p.body != "" {
		want = 6
	}
	form, known := applications[app]
	switch {
	case len(h) != want || h["call-command"] != "execute" || h["event-lock"] != "true" || !ownID.MatchString(h["event-uuid"]),
		p.body != "" && (h["content-type"] != "text/plain" || atoi(h["content-length"]) != len(p.body)):
		return refuse("not the headers of ours")
	case !known:
		return refuse("no application of ours")
	case strings.Contains(p.body, "$"):
		return refuse("would be expanded")
	case app == "play_and_get_digits":
		if !digits(p.body) {
			return refuse("not the form of " + app)
		}
	case !form.MatchString(p.body):
		return refuse("not the form of " + app)
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

// TestJudge: what a server sends passes, and nothing that was planted in it.
func TestJudge(t *testing.T) {
	t.Parallel()
	w := wire{uuid: "3c9a3f6e-0000-4000-8000-000000000001"}
	run := func(app, arg string) string {
		return fmt.Sprintf("sendmsg\ncall-command: execute\nexecute-app-name: %s\nevent-uuid: hs-1-1\nevent-lock: true\ncontent-type: text/plain\ncontent-length: %d\n\n%s", app, len(arg), arg)
	}
	good := []string{
		"connect\n\n", "linger 10\n\n", "filter Unique-ID " + w.uuid + "\n\n", "event plain CHANNEL_ANSWER CHANNEL_HANGUP\n\n", "api status\n\n",
		"api uuid_setvar_multi " + w.uuid + " hookswitch_checkpoint=1.1.a.e30;socket_resume=true;hookswitch_digits=\n\n",
		"api uuid_setvar " + w.uuid + " group_confirm_file playback say:A call, from Zoë\n\n",
		"api uuid_setvar " + w.uuid + " ringback %(400,200,440)\n\n",
		"sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-uuid: hs-1-1\nevent-lock: true\n\n",
		run("playback", "say:Hello"), run("play_and_get_digits", "1 4 1 5000 none 'say:Press: one' '' hookswitch_digits '' 2000"),
		"api uuid_kill " + w.uuid + " NORMAL_CLEARING\n\n",
	}
	bad := []string{
		"api system touch x\n\n", "connect\nX: y\n\n", "linger 10\napi system touch x\n\n", "api status\r\n\r\n", "api status\x00\n\n", "bgapi system touch x\n\n",
		"api uuid_kill 3c9a3f6e-0000-4000-8000-000000000002 NORMAL_CLEARING\n\n", "event plain ALL\n\n", "auth x\n\n", "sendevent X\n\n",
		"api uuid_setvar_multi " + w.uuid + " socket_resume=true;api_hangup_hook=system touch x\n\n",
		"api uuid_setvar_multi " + w.uuid + " socket_resume='x;execute_on_media=y\n\n",
		"api uuid_setvar_multi " + w.uuid + " hookswitch_refused=${system(touch x)}\n\n",
		"api uuid_setvar " + w.uuid + " group_confirm_file playback say:a'b\n\n", "api uuid_setvar " + w.uuid + " group_confirm_file hangup now\n\n",
		run("playback", "say:${system(touch x)}"), run("playback", "{loops=9}say:a"), run("system", "touch x"), run("bridge", "sofia/gateway/premium/900"),
		run("play_and_get_digits", "1 4 1 5000 none 'say:a' b' '' hookswitch_digits '' 2000"),
		strings.Replace(run("playback", "say:a"), "event-lock: true\n", "event-lock: true\nexecute-app-name: system\n", 1),
		run("playback", "say:a") + "api system touch x\n\n",
	}
	read := func(stream string) (err error) {
		in := bufio.NewReader(strings.NewReader(stream))
		for {
			p, end := readPacket(in)
			if end != nil {
				return err
			}
			if _, refused := w.judge(p); refused != nil && err == nil {
				err = refused
			}
		}
	}
	for i, s := range good {
		if err := read(s); err != nil {
			t.Errorf("refused what is ours: %v", err)
		}
		for _, b := range bad {
			if read(strings.Join(slices.Insert(slices.Clone(good), i, b), "")) == nil {
				t.Errorf("%q was not noticed before %q", b, s)
			}
		}
	}
}
