package flowtest

import (
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// UnmarshalText reads how a callee behaves; it fails with a *flowengine.SettingError.
func (c *Callee) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCallee(string(text))
	return err
}

// Behaviours are the words with which the behaviour of a callee begins, besides causes.
var Behaviours = []string{"answers", "busy", "rejects", "rings"}

// ParseCallee reads how a callee behaves: "busy", "rings", "rejects", a cause such as
// "GATEWAY_DOWN", or "answers", each with "after 5s"; "answers" also with "talks 40s"
// and "presses 1". It fails with a *flowengine.SettingError.
func ParseCallee(text string) (Callee, error) {
	c := Callee{After: time.Second}
	words := strings.Fields(text)
	if len(words) == 0 {
		return c, wrong("write one of "+strings.Join(Behaviours, ", "), "it does nothing")
	}
	details := []string{"after"}
	switch w := words[0]; {
	case w == "answers":
		c.Talks = defaultTalk
		details = append(details, "talks", "presses")
	case w == "busy":
		c.Cause = call.UserBusy
	case w == "rejects":
		c.Cause = call.CallRejected
	case w == "rings":
		c.Rings = true
	case call.Cause(w).Known():
		c.Cause = call.Cause(w)
	default:
		known := Behaviours
		if w == strings.ToUpper(w) {
			known = causes()
		}
		return c, wrong(flowengine.Nearest(w, known), "%q is no behaviour", w)
	}
	for i := 1; i < len(words); i += 2 {
		if !slices.Contains(details, words[i]) {
			return c, wrong(flowengine.Nearest(words[i], details), "%q cannot follow %s", words[i], words[0])
		}
		if i+1 == len(words) {
			return c, wrong("such as after 5s, talks 1m or presses 1", "nothing follows %q", words[i])
		}
		var err error
		switch value := words[i+1]; words[i] {
		case "after":
			c.After, err = span(value)
		case "talks":
			if c.Talks, err = span(value); err == nil && c.Talks == 0 {
				err = wrong("", "whoever answers talks longer than 0s")
			}
		case "presses":
			c.Presses = value
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// span reads a duration as a setting is read.
func span(text string) (time.Duration, error) {
	var d flowengine.Duration
	err := d.UnmarshalText([]byte(text))
	return time.Duration(d), err
}

func causes() []string {
	var out []string
	for _, c := range call.Causes() {
		out = append(out, string(c))
	}
	return out
}
