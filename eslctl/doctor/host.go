package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeouts are the kernel's settings that bound how long FreeSWITCH waits for a
// host that is gone; docs/operations.md, "A lost host", has what they cost.
var timeouts = []struct {
	name string
	most int
}{
	{"tcp_keepalive_time", 30}, // s
	{"tcp_keepalive_intvl", 10},
	{"tcp_keepalive_probes", 3},
	{"tcp_retries2", 6},
	{"tcp_syn_retries", 2},
}

// lostHost says how soon FreeSWITCH notices that the host of a remote server is
// gone.
func lostHost(ctx context.Context, x *exam) ([]Finding, error) {
	found, err := x.find(ctx)
	if err != nil {
		return nil, err
	}
	var remote []string
	for _, h := range found {
		for _, host := range h.lists() {
			here, err := lookUp(ctx, host.name)
			if err == nil && !slices.ContainsFunc(here, x.machine.has) && !slices.Contains(remote, host.String()) {
				remote = append(remote, host.String())
			}
		}
	}
	local, err := x.local(ctx)
	switch {
	case err != nil:
		return nil, err
	case !local:
		return skipped("FreeSWITCH's machine is not this one; its time-outs of TCP are the kernel's settings that docs/operations.md, \"A lost host\", names"), nil
	case len(remote) == 0:
		return fine("every server of the dialplan is on FreeSWITCH's own machine"), nil
	}
	var have, write []string
	for _, t := range timeouts {
		value, err := x.machine.kernel(t.name)
		if err != nil {
			return nil, err
		}
		if value > t.most {
			have = append(have, fmt.Sprintf("%s is %d", t.name, value))
			write = append(write, fmt.Sprintf("net.ipv4.%s = %d", t.name, t.most))
		}
	}
	if write == nil {
		return fine("a remote server that is lost is noticed within about a minute"), nil
	}
	return []Finding{{Severity: Warning, Says: fmt.Sprintf("%s, and there are servers on other machines: %s", strings.Join(have, ", "), strings.Join(remote, ", ")),
		Why:   "when one of them loses its power or network, its calls hear nothing for minutes, up to two hours",
		Write: write, File: "/etc/sysctl.d/60-hookswitch.conf on FreeSWITCH's machine"}}, nil
}

// maxSkew is how far two clocks may be apart: the switch tells whole seconds.
const maxSkew = 2 * time.Second

// clock compares the switch's clock with ours.
func clock(ctx context.Context, x *exam) ([]Finding, error) {
	before := time.Now()
	text, err := x.ask(ctx, "strepoch", "")
	if err != nil {
		return nil, err
	}
	after := time.Now()
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("strepoch says %q", text)
	}
	theirs := time.Unix(seconds, 0)
	off := time.Duration(0)
	switch {
	case theirs.After(after):
		off = theirs.Sub(after)
	case theirs.Add(time.Second).Before(before):
		off = before.Sub(theirs.Add(time.Second))
	}
	if off <= maxSkew {
		return fine("FreeSWITCH's clock agrees with ours"), nil
	}
	return []Finding{{Severity: Warning, Says: fmt.Sprintf("FreeSWITCH's clock is off ours by %v", off.Round(time.Second)),
		Why:   "the journal takes some times from FreeSWITCH: durations and the order of calls come out wrong",
		Write: []string{"systemctl enable --now chrony"}, File: "both machines"}}, nil
}
