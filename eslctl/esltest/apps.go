package esltest

import (
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// application is one of FreeSWITCH's. media: it opens the media of an
// unanswered call first (file 02b).
type application struct {
	run    func(c *channel, data string)
	media  bool
	zombie bool // runs also on a channel that is down (mod_dptools.c, SAF_ZOMBIE_EXEC)
}

var applications map[string]application

func init() {
	quiet := func(run func(c *channel, data string)) application { return application{run: run} }
	loud := func(run func(c *channel, data string)) application { return application{run: run, media: true} }
	late := func(run func(c *channel, data string)) application { return application{run: run, zombie: true} }
	applications = map[string]application{
		"answer":     quiet(func(c *channel, _ string) { c.doAnswer() }),
		"pre_answer": quiet(func(c *channel, _ string) { c.preAnswer() }),
		"ring_ready": quiet(func(c *channel, _ string) { c.ringReady() }),
		"set":        late(func(c *channel, data string) { c.assign(data) }),
		"export":     late(func(c *channel, data string) { c.assign(data) }),
		"unset":      late(func(c *channel, data string) { c.vars.set(data, "") }),
		"multiunset": late(func(c *channel, data string) {
			for _, name := range list(data) {
				c.vars.set(name, "")
			}
		}),
		"multiset": late(func(c *channel, data string) {
			for _, pair := range list(data) {
				c.assign(pair)
			}
		}),
		"sleep":   quiet(sleep),
		"hangup":  quiet(func(c *channel, data string) { c.hangup(causeNamed(data), false) }),
		"respond": quiet(respond),
		"transfer": quiet(func(c *channel, data string) {
			c.transferTo(data)
		}),
		"sched_hangup": quiet(func(c *channel, data string) { c.schedule(data) }),
		"socket":       quiet(func(c *channel, data string) { c.socket(data) }),
		"park":         quiet(func(c *channel, _ string) { c.park() }),
		"bridge":       quiet(func(c *channel, data string) { c.bridge(data) }),
		"playback":     loud(playback),
		"speak":        loud(speak),

		"play_and_get_digits":   loud(playAndGetDigits),
		"read":                  loud(read),
		"record":                loud(record),
		"record_session":        loud(recordSession),
		"record_session_mask":   loud(func(c *channel, data string) { c.mask(data, true) }),
		"record_session_unmask": loud(func(c *channel, data string) { c.mask(data, false) }),
		"stop_record_session":   quiet(stopRecordSession),
		"flush_dtmf":            quiet(func(c *channel, _ string) { c.digits = nil }),
		"log":                   quiet(func(*channel, string) {}),
	}
}

// list reads the arguments of multiset: separated by spaces, or ^^:a:b.
func list(data string) []string {
	if strings.HasPrefix(data, "^^") && len(data) > 2 {
		return strings.Split(data[3:], data[2:3])
	}
	return strings.Split(data, " ")
}

// assign is set: the value is expanded a second time (mod_dptools.c,
// base_set).
func (c *channel) assign(data string) {
	name, value, _ := strings.Cut(data, "=")
	value = c.expand(value)
	if value == "_undef_" {
		value = ""
	}
	if name = strings.TrimSpace(name); name != "" {
		c.vars.set(name, value)
	}
}

func (c *channel) ringReady() {
	if !c.hasMedia() && c.times.progress.IsZero() {
		c.times.progress = clock()
		c.fire("CHANNEL_PROGRESS", nil, nil)
	}
}

// respond refuses with a SIP status, which decides the cause (file 27c).
func respond(c *channel, data string) {
	status, _ := strconv.Atoi(strings.Fields(data + " 0")[0])
	if c.times.answered.IsZero() && status >= 400 {
		c.hangup(causeOf(status), false)
	}
}

// sleep ends at the first digit, which stays for whoever reads next (file 19b),
// unless sleep_eat_digits is set.
func sleep(c *channel, data string) {
	ms, _ := strconv.Atoi(data)
	d := time.Duration(ms) * time.Millisecond
	if c.parked > 0 {
		d = c.sw.span(d)
	}
	eats := isTrue(c.variable("sleep_eat_digits"))
	if eats {
		c.vars.set("playback_terminator_used", "")
	}
	c.during(d, func() bool {
		if eats {
			c.takeDigits()
		}
		return !c.ready() || c.brk || len(c.digits) > 0
	})
}

// outcome is how a sound ended.
type outcome int

const (
	played  outcome = iota // to its end, or another thread ended the call
	broken                 // by a digit or uuid_break
	missing                // never began
	cut                    // the caller hung up, or the call went elsewhere
)

// play plays one sound. key is asked for every digit whether it stops it.
func (c *channel) play(what string, key func(byte) bool) outcome {
	if text, ok := strings.CutPrefix(what, "say:"); ok {
		return c.say(what, text, key)
	}
	length, ok := c.sw.soundOf(what)
	if !ok {
		return missing
	}
	file := []header{{"Playback-File-Path", what}}
	if scheme, _, ok := strings.Cut(what, "://"); ok {
		file = []header{{"Playback-File-Type", scheme}, file[0]}
	}
	c.fire("PLAYBACK_START", nil, file)
	result, took := c.sound(what, length, key)
	c.setPlayed(took)
	status := "done"
	if result == broken {
		status = "break"
	}
	c.fire("PLAYBACK_STOP", nil, append(file, header{"Playback-Status", status}))
	return result
}

// say speaks by the engine that the channel's variables name, without PLAYBACK
// events; without an engine it says nothing and is content
// (switch_ivr_play_say.c, switch_ivr_play_file).
func (c *channel) say(what, text string, key func(byte) bool) outcome {
	switch engine := c.vars.get("tts_engine"); {
	case engine == "":
		return played
	case strings.HasPrefix(engine, "nosuch"):
		return cut
	}
	result, _ := c.sound(what, speech(text), key)
	return result
}

// sound lets the channel's person hear something.
func (c *channel) sound(what string, length time.Duration, key func(byte) bool) (outcome, time.Duration) {
	began := time.Now()
	heard := c.hears(what)
	result := played
	stopped := false
	stop := func() bool {
		for !stopped && len(c.digits) > 0 && c.cause == "" {
			if stopped = key(c.digit()); stopped {
				result = broken
			}
		}
		return stopped || !c.ready() || c.brk
	}
	c.during(c.sw.span(length), stop)
	heard()
	took := time.Since(began)
	switch {
	case result == broken:
	case c.brk && c.ready():
		result = broken
		c.brk = false
	case !c.ready():
		if c.cause == "" || c.left {
			result = cut
		}
	}
	return result, took
}

func (c *channel) setPlayed(took time.Duration) {
	ms := took.Milliseconds()
	c.vars.set("playback_last_offset_pos", strconv.FormatInt(ms*8, 10))
	c.vars.set("playback_seconds", strconv.FormatInt(ms/1000, 10))
	c.vars.set("playback_ms", strconv.FormatInt(ms, 10))
	c.vars.set("playback_samples", strconv.FormatInt(ms*8, 10))
}

// playback answers FILE PLAYED also when something other than the caller
// stopped it (mod_dptools.c, playback_function; files 22, 22d, 26).
func playback(c *channel, data string) {
	c.vars.set("playback_terminator_used", "")
	response := "FILE PLAYED"
	switch c.play(data, c.terminates()) {
	case missing:
		response = "FILE NOT FOUND"
	case cut:
		response = "PLAYBACK ERROR"
	}
	c.vars.set("current_application_response", response)
}

// terminates says of a digit whether it ends what runs (mod_dptools.c, on_dtmf).
func (c *channel) terminates() func(byte) bool {
	terminators := c.variable("playback_terminators")
	switch terminators {
	case "":
		terminators = "*"
	case "none":
		terminators = ""
	case "any":
		terminators = "0123456789*#"
	}
	return func(d byte) bool {
		if strings.IndexByte(terminators, d) < 0 {
			return false
		}
		c.vars.set("playback_terminator_used", string(d))
		return true
	}
}

// speak fires no PLAYBACK events, and says nothing of an engine that is not
// there (file 21).
func speak(c *channel, data string) {
	part := strings.SplitN(data, "|", 3)
	if len(part) < 3 || part[0] != "flite" {
		return
	}
	heard := c.hears("speak:" + part[2])
	c.during(c.sw.span(speech(part[2])), func() bool { return !c.ready() || c.brk })
	heard()
}

// speech is about how long flite takes to say something (file 21: 32
// characters in 2.5 s).
func speech(text string) time.Duration {
	return time.Duration(utf8.RuneCountInString(text)) * 75 * time.Millisecond
}

var (
	tones = regexp.MustCompile(`%\(\s*([0-9.]+)\s*,\s*([0-9.]+)`)
	loops = regexp.MustCompile(`(?:loops=|L=)(-?[0-9]+)`)
)

const forever = time.Duration(math.MaxInt64) / 4

// soundOf returns how long a sound plays; false when there is no such file.
// Where Files says nothing, a file is missing when its name contains "missing"
// or its extension is none of a sound (file 03).
func (s *Switch) soundOf(what string) (time.Duration, bool) {
	scheme, rest, _ := strings.Cut(what, "://")
	switch {
	case what == "":
		return 0, false
	case strings.HasPrefix(what, "say:"): // inside of file_string
		return speech(what[len("say:"):]), true
	case scheme == "local_stream":
		f, ok := s.Files[what]
		return forever, !f.Missing && (ok || !strings.Contains(rest, "missing"))
	case scheme == "tts": // engine|voice|text
		part := strings.SplitN(rest, "|", 3)
		return speech(part[len(part)-1]), len(part) == 3
	case scheme == "tone_stream":
		var total time.Duration
		for _, m := range tones.FindAllStringSubmatch(rest, -1) {
			on, _ := strconv.ParseFloat(m[1], 64)
			off, _ := strconv.ParseFloat(m[2], 64)
			total += time.Duration((on + off) * float64(time.Millisecond))
		}
		if m := loops.FindStringSubmatch(rest); m != nil {
			n, _ := strconv.Atoi(m[1])
			if n < 0 {
				return forever, true
			}
			total *= time.Duration(max(n, 1))
		}
		return total, total > 0
	case scheme == "silence_stream":
		ms, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(ms)
		if n < 0 {
			return forever, true
		}
		return time.Duration(n) * time.Millisecond, err == nil
	case scheme == "file_string":
		var total time.Duration
		for part := range strings.SplitSeq(rest, "!") {
			length, ok := s.soundOf(part)
			if !ok {
				return 0, false
			}
			total = min(total+length, forever)
		}
		return total, true
	}
	if f, ok := s.Files[what]; ok {
		return f.Length, !f.Missing
	}
	switch path.Ext(strings.SplitN(what, "?", 2)[0]) {
	case ".wav", ".mp3", ".ogg", ".opus", ".au", ".raw", ".ulaw", ".alaw", ".gsm", ".g722":
		return 2 * time.Second, !strings.Contains(path.Base(what), "missing")
	}
	return 0, false
}
