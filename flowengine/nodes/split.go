package nodes

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Split divides calls by percentages.
type Split struct {
	Shares map[string]Percent `yaml:"shares,required"`
	Sticky string             `yaml:"sticky"`
}

// Percent is a share of all calls, in hundredths of a percent.
type Percent int

// whole is all calls.
const whole Percent = 10_000

const (
	notSticky    = "none"
	stickyCaller = "caller"
	maxShares    = 20
)

var percentSyntax = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,2}))?$`)

// UnmarshalText reads a number of 0 to 100 with at most two decimals.
func (p *Percent) UnmarshalText(text []byte) error {
	m := percentSyntax.FindSubmatch(text)
	if m == nil {
		return &flowengine.SettingError{Message: fmt.Sprintf("%.20q is no percentage", text), Hint: "a number of 0 to 100 with at most two decimals, as in 12.5"}
	}
	n, err := strconv.Atoi(string(m[1]) + (string(m[2]) + "00")[:2])
	*p = Percent(n)
	return err
}

// String returns the percentage as it is written, with its sign.
func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)/100, 'f', -1, 64) + " %"
}

// Exits are the names of the shares.
func (n *Split) Exits() []string { return slices.Sorted(maps.Keys(n.Shares)) }

// Check wants shares that are all calls together.
func (n *Split) Check(c *flowengine.Check) {
	if len(n.Shares) == 0 || len(n.Shares) > maxShares {
		c.Problem("shares", "", "shares: a split has 1 to %d shares, not %d", maxShares, len(n.Shares))
	}
	sum := Percent(0)
	for _, name := range n.Exits() {
		checkExit(c, "shares/"+name, "a share", name)
		sum += n.Shares[name]
	}
	if sum != whole {
		c.Problem("shares", "", "shares: they are %s together, not 100 %%", sum)
	}
	if n.Sticky != notSticky && n.Sticky != stickyCaller {
		c.Problem("sticky", "write caller or none", "sticky: %q is neither caller nor none", n.Sticky)
	}
}

// Run draws a share by chance and keeps it, or finds that of the caller.
func (n *Split) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	if caller := call.PlainNumber(s.Call().Caller.Number); n.Sticky == stickyCaller && call.ValidNumber(caller) {
		return n.result(n.share(pointOf(caller, s.Flow(), s.ID())), "by the caller's number"), nil
	}
	var name string
	resumed, err := s.Resumed(&name)
	if err == nil && !resumed {
		name = n.share(s.Float())
		err = s.Keep(ctx, name)
	}
	return n.result(name, "by chance"), err
}

func (n *Split) result(name, how string) flowengine.Result {
	return flowengine.Result{Exit: name, Why: fmt.Sprintf("%s, %s", n.Shares[name], how)}
}

// pointOf spreads callers evenly over [0,1), at each node in another way.
func pointOf(caller, flow, node string) float64 {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", caller, flow, node))
	return float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53)
}

// share returns the name of the share in which a point of [0,1) lies.
func (n *Split) share(point float64) string {
	names := n.Exits()
	i, at := 0, Percent(point*float64(whole))
	for at >= n.Shares[names[i]] {
		at -= n.Shares[names[i]]
		i++
	}
	return names[i]
}
