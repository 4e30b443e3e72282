package nodes

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Gather asks the caller for digits and keeps them.
type Gather struct {
	Prompt     flowengine.Prompt   `yaml:"prompt,required"`
	Min        int                 `yaml:"min"`
	Max        int                 `yaml:"max"`
	Length     int                 `yaml:"length"` // short for min and max
	Pattern    Pattern             `yaml:"pattern"`
	Terminator string              `yaml:"terminator"`
	Tries      int                 `yaml:"tries"`
	Timeout    flowengine.Duration `yaml:"timeout"` // for the first digit, after the prompt
	Between    flowengine.Duration `yaml:"between"` // for each further one
	Invalid    flowengine.Prompt   `yaml:"invalid"`
	NoInput    flowengine.Prompt   `yaml:"no_input"`
	Var        string              `yaml:"var"` // empty: the node's id
	Secret     bool                `yaml:"secret"`
}

const (
	gathered     = "ok"
	maxDigits    = 32
	noTerminator = "none"
)

func newGather() flowengine.Node {
	return &Gather{Min: 1, Max: maxDigits, Pattern: Pattern{anyDigits}, Terminator: "#", Tries: 3,
		Timeout: flowengine.Duration(5 * time.Second), Between: flowengine.Duration(between)}
}

// Pattern is what a text must be from its beginning to its end.
type Pattern struct{ whole *regexp.Regexp }

// anyDigits leaves out A to D, which a phone can send without having their keys.
var anyDigits = regexp.MustCompile(`^[0-9*#]*$`)

// UnmarshalText reads a regular expression in Go's syntax.
func (p *Pattern) UnmarshalText(text []byte) (err error) {
	if _, err = regexp.Compile(string(text)); err == nil {
		p.whole, err = regexp.Compile(`^(?:` + string(text) + `)$`)
	}
	return err
}

// Sets is what was pressed.
func (g *Gather) Sets(id string) []flowengine.Variable {
	return []flowengine.Variable{{Name: cmp.Or(g.Var, id), Type: flowengine.TextType, Secret: g.Secret}}
}

// Check holds the settings within what the switch can do and a caller can follow.
func (g *Gather) Check(c *flowengine.Check) {
	if g.Prompt.Empty() {
		c.Problem("prompt", "", "nobody presses anything without a prompt")
	}
	if c.Given("length") {
		if c.Given("min") || c.Given("max") {
			c.Problem("length", "leave it out, or min and max", "length says what min and max say")
		}
		if g.Length < 1 || g.Length > maxDigits {
			c.Problem("length", "", "length: %d is not between 1 and %d", g.Length, maxDigits)
		}
		g.Min, g.Max = g.Length, g.Length
	} else if g.Max < 1 || g.Max > maxDigits {
		c.Problem("max", "", "max: %d is not between 1 and %d", g.Max, maxDigits)
	} else if g.Min < 1 || g.Min > g.Max {
		c.Problem("min", "", "min: %d is not between 1 and %d, which is max", g.Min, g.Max)
	}
	if g.Terminator != noTerminator && (g.Terminator == "" || strings.Trim(g.Terminator, "*#") != "") {
		c.Problem("terminator", `write "#", "*", "*#" or none`, "terminator: %q is no key that can end the input", g.Terminator)
	}
	checkAsking(c, g.Tries, g.Timeout)
	finite(c, "prompt", &g.Prompt)
	finite(c, "invalid", &g.Invalid)
	finite(c, "no_input", &g.NoInput)
	checkWait(c, "between", g.Between)
	if c.Given("var") && !nameSyntax.MatchString(g.Var) {
		c.Problem("var", nameHint, "%q cannot be the name of a variable", g.Var)
	}
}

// Run asks until the digits fit or the tries are used up. After a takeover it starts
// over.
func (g *Gather) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	q := question{&g.Prompt, g.Tries, &g.Invalid, &g.NoInput, g.fits}
	d, exit, err := q.ask(ctx, s, call.Gather{Min: g.Min, Max: g.Max, Timeout: time.Duration(g.Timeout), Between: time.Duration(g.Between),
		Terminators: strings.TrimPrefix(g.Terminator, noTerminator), Secret: g.Secret})
	if err != nil {
		return flowengine.Result{}, err
	}
	why := pressed(d)
	if g.Secret && d.Value != "" {
		why = fmt.Sprintf("%d digits", len(d.Value))
	}
	switch name := cmp.Or(g.Var, s.ID()); {
	case exit != "":
		return flowengine.Result{Exit: exit, Why: why}, nil
	case g.Secret:
		err = s.SetSecret(name, d.Value)
	default:
		err = s.Set(name, d.Value)
	}
	return flowengine.Result{Exit: gathered, Why: why}, err
}

// fits says whether the digits are what was asked for. The switch hands over whatever
// was pressed in time.
func (g *Gather) fits(digits string) bool {
	return len(digits) >= g.Min && len(digits) <= g.Max && g.Pattern.whole.MatchString(digits)
}
