package nodes

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Menu lets the caller choose an exit by digits.
type Menu struct {
	Prompt  flowengine.Prompt   `yaml:"prompt,required"`
	Tries   int                 `yaml:"tries"`
	Timeout flowengine.Duration `yaml:"timeout"` // for the first digit, after the prompt
	Invalid flowengine.Prompt   `yaml:"invalid"`
	NoInput flowengine.Prompt   `yaml:"no_input"`
}

// between is how long a menu with exits of several digits waits for each
// further one.
const between = 2 * time.Second

var digitExit = regexp.MustCompile(`^[0-9*#]{1,8}$`)

func newMenu() flowengine.Node {
	return &Menu{Tries: 3, Timeout: flowengine.Duration(5 * time.Second)}
}

// Accepts says that digits are exits.
func (m *Menu) Accepts(exit string) bool { return digitExit.MatchString(exit) }

// ExitForm describes the exits that Accepts accepts.
func (m *Menu) ExitForm() string { return `1 to 8 quoted digits, * or # ("1", "12", "#")` }

// Sets is what was pressed.
func (m *Menu) Sets(id string) []flowengine.Variable {
	return []flowengine.Variable{{Name: id, Type: flowengine.TextType}}
}

// Check holds the settings within what a caller can follow.
func (m *Menu) Check(c *flowengine.Check) {
	if m.Prompt.Empty() {
		c.Problem("prompt", "", "a menu without a prompt cannot be understood")
	}
	if !slices.ContainsFunc(c.Wired, m.Accepts) {
		c.Problem("", `add exits: {"1": NODE}`, "the menu has no digit among its exits")
	}
	checkAsking(c, m.Tries, m.Timeout)
	finite(c, "prompt", &m.Prompt)
	finite(c, "invalid", &m.Invalid)
	finite(c, "no_input", &m.NoInput)
}

// Run asks until the caller chose or the tries are used up. After a takeover
// it starts over.
func (m *Menu) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	choices := slices.DeleteFunc(s.Exits(), func(e string) bool { return !m.Accepts(e) })
	g := call.Gather{Min: 1, Max: longest(choices), Timeout: time.Duration(m.Timeout), Between: between}
	if g.Max > 1 && !strings.Contains(strings.Join(choices, ""), "#") {
		g.Terminators = "#"
	}
	fits := func(digits string) bool { return slices.Contains(choices, digits) }
	q := question{&m.Prompt, m.Tries, &m.Invalid, &m.NoInput, fits}
	switch d, exit, err := q.ask(ctx, s, g); {
	case err != nil:
		return flowengine.Result{}, err
	case exit != "":
		return flowengine.Result{Exit: exit, Why: pressed(d)}, nil
	default:
		return flowengine.Result{Exit: d.Value, Why: pressed(d)}, s.Set(s.ID(), d.Value)
	}
}

func longest(list []string) int {
	n := 1
	for _, s := range list {
		n = max(n, len(s))
	}
	return n
}
