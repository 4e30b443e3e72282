package nodes

import (
	"fmt"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/routing"
)

// Check resolves the members as far as the targets are known.
func (d *Dial) Check(c *flowengine.Check) {
	if len(d.Targets) == 0 || len(d.Targets) > maxTargets {
		c.Problem("targets", "", "targets: dial has 1 to %d targets, not %d", maxTargets, len(d.Targets))
	}
	for i, m := range d.Targets[:min(len(d.Targets), maxTargets)] {
		d.checkMember(c, fmt.Sprintf("targets/%d", i), m)
	}
	d.check(c)
	if d.Reroute != 0 && d.Strategy == routing.Simultaneous {
		c.Problem("reroute", "leave it out, or choose another strategy", "reroute: with simultaneous nobody is left to be tried")
	}
	if d.Gateway != "" {
		if _, err := call.NumberAddress("0", d.Gateway); err != nil {
			c.Problem("gateway", "", "%s", err)
		} else if !c.Gateway(d.Gateway) {
			c.Problem("gateway", c.NearestGateway(d.Gateway), "there is no gateway %q", d.Gateway)
		}
	}
}

func (d *Dial) checkMember(c *flowengine.Check, at string, m Member) {
	if m.Weight < 0 || m.Weight > 1_000_000 {
		c.Problem(at+"/weight", "", "weight: %d is not between 1 and 1000000", m.Weight)
	}
	wholeSeconds(c, at+"/ring", m.Ring, 10*time.Minute)
	switch {
	case strings.HasPrefix(m.To, sipScheme):
		if _, err := call.URIAddress(m.To); err != nil {
			c.Problem(at+"/to", "", "%s", err)
		}
	case call.ValidNumber(m.To):
		if d.Gateway == "" {
			c.Problem(at+"/to", "add gateway: NAME to the dial, or define a target with number and gateway",
				"number %s needs a gateway to be dialled through", m.To)
		}
	case strings.Contains(m.To, "@"):
		c.Problem(at+"/to", "write sip:"+m.To+", or define a target with user: for a registered user", "%q is no target", m.To)
	case !c.Target(m.To):
		c.Problem(at+"/to", c.NearestTarget(m.To), "there is no target %q", m.To)
	}
}

// wholeSeconds checks a time span that is left out or what the switch can count.
func wholeSeconds(c *flowengine.Check, at string, v flowengine.Duration, most time.Duration) {
	if d := time.Duration(v); d != 0 && (d < time.Second || d > most || d%time.Second != 0) {
		name := at[strings.LastIndexByte(at, '/')+1:]
		c.Problem(at, "", "%s: %s is not between 1s and %s, in whole seconds", name, call.ShortDuration(d), call.ShortDuration(most))
	}
}
