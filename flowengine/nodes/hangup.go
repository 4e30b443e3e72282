package nodes

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Hangup ends the call.
type Hangup struct {
	Cause string `yaml:"cause"`
	SIP   int    `yaml:"sip"` // response that an unanswered caller gets
}

// Check wants a cause that FreeSWITCH knows.
func (h *Hangup) Check(c *flowengine.Check) {
	if h.Cause != "" && h.SIP != 0 {
		c.Problem("sip", "leave one out", "hangup has both cause and sip")
	}
	if h.Cause != "" && !call.Cause(h.Cause).Known() {
		hint := cmp.Or(flowengine.Nearest(h.Cause, causes()), "write it as FreeSWITCH does, as in NORMAL_CLEARING or USER_BUSY")
		c.Problem("cause", hint, "FreeSWITCH knows no cause %q", h.Cause)
	}
	if _, ok := call.CauseOfSIP(h.SIP); h.SIP != 0 && !ok {
		codes := strings.Trim(fmt.Sprint(call.SIPCodes()), "[]")
		c.Problem("sip", "there are "+strings.ReplaceAll(codes, " ", ", "), "no cause leads to SIP code %d", h.SIP)
	}
}

// causes returns the names of all causes.
func causes() []string {
	var names []string
	for _, c := range call.Causes() {
		names = append(names, string(c))
	}
	return names
}

// Run asks the engine to hang up.
func (h *Hangup) Run(context.Context, *flowengine.Session) (flowengine.Result, error) {
	cause := call.NormalClearing
	if h.Cause != "" {
		cause = call.Cause(h.Cause)
	} else if h.SIP != 0 {
		cause, _ = call.CauseOfSIP(h.SIP)
	}
	return flowengine.Result{Hang: cause, Why: string(cause)}, nil
}
