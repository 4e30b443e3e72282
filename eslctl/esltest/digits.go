package esltest

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// gathering is how digits are asked for.
type gathering struct {
	min, max    int
	timeout     time.Duration
	between     time.Duration
	terminators string
	prompt      string
	variable    string
}

// playAndGetDigits is play_and_get_digits: min max tries timeout terminators
// prompt invalid variable regexp between (mod_dptools.c,
// play_and_get_digits_function; switch_ivr_play_say.c,
// switch_play_and_get_digits). Old values stay where it sets none.
func playAndGetDigits(c *channel, data string) {
	arg := make([]string, 11)
	copy(arg, split(data, 11))
	g := gathering{terminators: arg[4], prompt: arg[5], variable: arg[7]}
	g.min, g.max = number(arg[0]), number(arg[1])
	g.max = max(g.max, g.min)
	g.timeout = time.Duration(max(number(arg[3]), 1000)) * time.Millisecond
	g.between = time.Duration(number(arg[9])) * time.Millisecond
	if g.terminators == "" {
		g.terminators = "#"
	}
	if arg[8] != "" && g.variable != "" {
		c.vars.set(g.variable+"_invalid", "")
	}
	for tries := number(arg[2]); tries > 0 && c.ready(); tries-- {
		got, result := c.gather(g)
		if result == "timeout" && len(got) >= g.min {
			result = "success"
		}
		if result == "success" && got != "" {
			if arg[8] == "" || matches(arg[8], got) {
				return
			}
			c.vars.set(g.variable, "")
			c.vars.set(g.variable+"_invalid", got)
		}
		if !c.ready() {
			return
		}
		c.play(arg[6], func(byte) bool { return false })
	}
}

// read is the read application: min max prompt variable timeout terminators
// between.
func read(c *channel, data string) {
	arg := make([]string, 7)
	copy(arg, split(data, 7))
	g := gathering{min: number(arg[0]), max: number(arg[1]), prompt: arg[2], variable: arg[3], terminators: arg[5]}
	g.max = max(g.max, g.min)
	g.timeout = time.Duration(max(number(arg[4]), 1000)) * time.Millisecond
	g.between = time.Duration(number(arg[6])) * time.Millisecond
	c.gather(g)
}

func number(s string) int { n, _ := strconv.Atoi(s); return n }

func matches(pattern, s string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(s)
}

// gather is switch_ivr_read: the prompt, which the first digit ends, then
// digits until there are enough, a terminator, or too long a pause.
func (c *channel) gather(g gathering) (got, result string) {
	if g.between == 0 {
		g.between = g.timeout
	}
	c.vars.set("read_result", "")
	c.vars.set(g.variable, "")
	terminator := ""
	// A terminator among digits already typed ends the input; but a single
	// digit that is all there may be is taken first and emptied at the end.
	if g.prompt != "" && g.prompt != "silence" {
		c.play(g.prompt, func(d byte) bool { got += string(d); return true })
	}
	result = "success"
	if len(got) < g.max || len(got) < g.min {
		if got != "" && strings.Contains(g.terminators, got) {
			terminator, got = got, ""
		} else {
			got, terminator, result = c.collect(got, g)
		}
	}
	if terminator != "" {
		c.vars.set("read_terminator_used", terminator)
	}
	if len(got) < g.min {
		result = "failure"
	}
	c.vars.set("read_result", result)
	if g.max == 1 && len(got) == 1 && strings.Contains(g.terminators, got) {
		got = ""
	}
	if got != "" {
		c.vars.set(g.variable, got)
	}
	return got, result
}

// collect is switch_ivr_collect_digits_count.
func (c *channel) collect(got string, g gathering) (digits, terminator, result string) {
	pause := g.timeout
	if got != "" {
		pause = g.between
	}
	for {
		// uuid_break does not end this wait.
		if !c.during(c.sw.span(pause), func() bool { return !c.ready() || len(c.digits) > 0 }) {
			return got, "", "timeout"
		}
		if !c.ready() {
			return got, "", "failure"
		}
		for len(c.digits) > 0 {
			d := string(c.digit())
			if strings.Contains(g.terminators, d) {
				return got, d, "success"
			}
			if got += d; len(got) >= g.max {
				return got, "", "success"
			}
		}
		pause = g.between
	}
}
