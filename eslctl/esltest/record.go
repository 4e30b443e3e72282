package esltest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// recording is a file that is being recorded.
type recording struct {
	path   string
	began  time.Time
	talk   time.Duration // of bridges before it began, when it records nothing else
	only   bool          // RECORD_BRIDGE_REQ
	masked bool
	told   []header // its options, in its events
}

// recordSession is record_session: path [+limit] [{options}]. A file that cannot
// be written is told by a variable alone (switch_ivr_async.c,
// switch_ivr_record_session_event).
func recordSession(c *channel, data string) {
	path, rest, _ := strings.Cut(data, " ")
	if path == "" || c.cause != "" || c.recording(path) != nil {
		return
	}
	if !c.sw.writable(path) {
		c.vars.set("record_completion_cause", "uri-failure")
		return
	}
	r := &recording{path: path, began: time.Now(), talk: c.talked, only: isTrue(c.variable("RECORD_BRIDGE_REQ"))}
	if i := strings.IndexByte(rest, '{'); i >= 0 {
		options, _ := bracket(rest[i:], '{', '}')
		for _, o := range pairs(options) {
			if o.name == "RECORD_BRIDGE_REQ" {
				r.only = isTrue(o.value)
			}
			r.told = append(r.told, header{"Recording-Variable-" + o.name, o.value})
		}
	}
	c.records = append(c.records, r)
	c.fire("RECORD_START", nil, append([]header{{"Record-File-Path", path}}, r.told...))
}

// writable says whether a recording can be written: where Files says nothing,
// when its path does not contain "missing".
func (s *Switch) writable(path string) bool {
	if f, ok := s.Files[path]; ok {
		return !f.Missing
	}
	return !strings.Contains(path, "missing")
}

func (c *channel) recording(path string) *recording {
	if i := slices.IndexFunc(c.records, func(r *recording) bool { return r.path == path }); i >= 0 {
		return c.records[i]
	}
	return nil
}

// mask silences a recording, or lets it hear again.
func (c *channel) mask(path string, on bool) {
	if r := c.recording(path); r != nil {
		r.masked = on
	}
}

func stopRecordSession(c *channel, data string) {
	for i, r := range c.records {
		if r.path == data || data == "all" {
			c.records = append(c.records[:i:i], c.records[i+1:]...)
			c.recorded(r, "success-maxtime")
			if data == "all" {
				stopRecordSession(c, data)
			}
			return
		}
	}
}

// stopRecordings ends what still records when the call does (file 20).
func (c *channel) stopRecordings(cause string) {
	for _, r := range c.records {
		c.recorded(r, cause)
	}
	c.records = nil
}

// recorded tells the end of a recording. The names of its cause do not mean
// what they say (file 20).
func (c *channel) recorded(r *recording, cause string) {
	ms := time.Since(r.began).Milliseconds()
	if r.only {
		ms = (c.talked - r.talk).Milliseconds()
	}
	c.vars.set("record_file_size", strconv.FormatInt(44+ms*16, 10))
	c.setRecorded(ms)
	c.vars.set("record_completion_cause", cause)
	c.fire("RECORD_STOP", nil, append(append([]header{{"Record-File-Path", r.path}}, r.told...), header{"Record-Completion-Cause", cause}))
}

func (c *channel) setRecorded(ms int64) {
	c.vars.set("record_samples", strconv.FormatInt(ms*8, 10))
	c.vars.set("record_seconds", strconv.FormatInt(ms/1000, 10))
	c.vars.set("record_ms", strconv.FormatInt(ms, 10))
}

// record is the record application: path, limit, and for how long the caller
// may be silent, in whole seconds (mod_dptools.c, record_function;
// switch_ivr_play_say.c, switch_ivr_record_file_event; file 20b). It hangs up
// when it cannot write, and when it was ended by anything but a key, silence, the
// limit or a break.
func record(c *channel, data string) {
	arg := append(split(data, 4), "", "", "", "")
	path := arg[0]
	c.vars.set("playback_terminator_used", "")
	if path == "" {
		return
	}
	if !c.sw.writable(path) {
		c.hangup("DESTINATION_OUT_OF_ORDER", false)
		return
	}
	c.vars.set("silence_hits_exhausted", "false")
	file := []header{{"Record-File-Path", path}}
	c.fire("RECORD_START", nil, file)
	began := time.Now()
	c.listen(began, number(arg[1]), number(arg[2]), number(arg[3]))
	ms := time.Since(began).Milliseconds()
	if c.sw.Speed > 0 {
		ms = int64(float64(ms) * c.sw.Speed)
	}
	c.vars.set("record_record_file_size", strconv.FormatInt(44+ms*16, 10))
	c.vars.set("record_file_size", strconv.FormatInt(44+ms*16, 10))
	c.setRecorded(ms)
	c.fire("RECORD_STOP", nil, file)
	if !c.ready() {
		c.hangup("DESTINATION_OUT_OF_ORDER", false)
	}
}

// listen lets the caller speak until one of the ends of record.
func (c *channel) listen(began time.Time, limit, threshold, hits int) {
	const silent = 3 // seconds, where hits are not given
	over := began.Add(forever)
	if limit > 0 { // it counts whole seconds: 2 means 2 to 3
		over = began.Add(c.sw.whole(limit + 1))
	}
	if hits == 0 {
		hits = silent
	}
	ends := c.terminates()
	for ended := false; !ended; {
		until, heard := over, c.speech
		if threshold > 0 {
			last := began
			if c.speech.After(last) {
				last = c.speech
			}
			if quiet := last.Add(c.sw.span(time.Duration(hits) * time.Second)); quiet.Before(until) {
				until = quiet
			}
		}
		c.during(time.Until(until), func() bool {
			for !ended && len(c.digits) > 0 && c.cause == "" {
				ended = ends(c.digit())
			}
			ended = ended || !c.ready() || c.brk
			return ended || c.speech != heard
		})
		if c.speech != heard {
			continue
		}
		if !ended && until.Before(over) {
			c.vars.set("silence_hits_exhausted", "true")
		}
		ended = true
	}
}
