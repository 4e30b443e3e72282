package esltest

import (
	"strconv"
	"strings"
	"time"
)

// recording is a file that is being recorded.
type recording struct {
	path  string
	began time.Time
	talk  time.Duration // of bridges before it began, when it records nothing else
	only  bool          // RECORD_BRIDGE_REQ
}

func recordSession(c *channel, data string) {
	path, _, _ := strings.Cut(data, " ")
	if path == "" || c.cause != "" {
		return
	}
	c.records = append(c.records, &recording{path, time.Now(), c.talked,
		isTrue(c.vars.get("RECORD_BRIDGE_REQ"))})
	c.fire("RECORD_START", nil, []header{{"Record-File-Path", path}})
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
// what they say (README, file 20).
func (c *channel) recorded(r *recording, cause string) {
	ms := time.Since(r.began).Milliseconds()
	if r.only {
		ms = (c.talked - r.talk).Milliseconds()
	}
	c.vars.set("record_file_size", strconv.FormatInt(44+ms*16, 10))
	c.vars.set("record_samples", strconv.FormatInt(ms*8, 10))
	c.vars.set("record_seconds", strconv.FormatInt(ms/1000, 10))
	c.vars.set("record_ms", strconv.FormatInt(ms, 10))
	c.vars.set("record_completion_cause", cause)
	c.fire("RECORD_STOP", nil, []header{{"Record-File-Path", r.path}, {"Record-Completion-Cause", cause}})
}
