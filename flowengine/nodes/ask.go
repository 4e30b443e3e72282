package nodes

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

const (
	noInput = "no_input"
	invalid = "invalid"
)

// question is a prompt that is repeated until the caller's digits fit.
type question struct {
	prompt  *flowengine.Prompt
	tries   int
	invalid *flowengine.Prompt // heard after wrong digits, before the next try
	noInput *flowengine.Prompt // heard after no key, before the next try
	fits    func(digits string) bool
}

// ask returns the digits that fit. When the tries are used up, it returns what was
// pressed last and the exit noInput or invalid.
func (q question) ask(ctx context.Context, s *flowengine.Session, g call.Gather) (d call.Digits, exit string, err error) {
	if g.Prompt, err = s.Prompt(q.prompt); err != nil {
		return d, "", err
	}
	for try := 1; ; try++ {
		if d, err = s.Gather(ctx, g); err != nil || q.fits(d.Value) {
			return d, "", err
		}
		exit, again := invalid, q.invalid
		if d.Value == "" && d.Terminator == "" {
			exit, again = noInput, q.noInput
		}
		if try >= q.tries {
			return d, exit, nil
		}
		if !again.Empty() {
			if err := s.Play(ctx, again); err != nil {
				return d, "", err
			}
		}
	}
}

// pressed tells people what was pressed.
func pressed(d call.Digits) string {
	if d.Value == "" && d.Terminator == "" {
		return "pressed nothing"
	}
	return "pressed " + d.Value + d.Terminator
}

// checkAsking holds the settings of a question within what a caller can follow.
func checkAsking(c *flowengine.Check, tries int, timeout flowengine.Duration) {
	if tries < 1 || tries > 10 {
		c.Problem("tries", "", "tries: %d is not between 1 and 10", tries)
	}
	checkWait(c, "timeout", timeout)
}

func checkWait(c *flowengine.Check, at string, wait flowengine.Duration) {
	if d := time.Duration(wait); d < time.Second || d > time.Minute {
		c.Problem(at, "", "%s: %s is not between 1s and 1m", at, call.ShortDuration(d))
	}
}
