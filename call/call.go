// Package call is the vocabulary of Hookswitch: what a call is, what happens
// to it and how it ends. It depends on nothing but the standard library, and
// every other package of the project speaks in its terms.
//
// A Call is all of one inbound attempt; a leg is one channel of it (the A leg
// is the caller, a B leg is somebody who was dialled). Causes are spelt as
// FreeSWITCH spells them.
package call

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Call is one inbound attempt as the switch delivered it. It does not change
// during the call; what happens to the call is told by Events.
type Call struct {
	ID        string            // UUID of the A leg's channel; also the id in the log
	Number    string            // number that was dialled, as the trunk delivered it
	Caller    Caller            // who calls
	Answered  bool              // the A leg was answered before we got it
	Headers   map[string]string // SIP headers X-… of the INVITE; written by the caller, trust them accordingly
	SIPCallID string            // Call-ID of the A leg's INVITE
	Switch    string            // name of the FreeSWITCH that holds the call
	Started   time.Time         // creation of the A leg's channel
	Transfers int               // how often the dialplan was entered anew for it
}

// Caller is what the network says of the calling party.
type Caller struct {
	Number string // as delivered, usually E.164
	Name   string // display name; free text written by the caller
}

// Attrs returns what an event tells of the call itself, without what is not known.
func (c *Call) Attrs() map[string]string {
	attrs := map[string]string{"from": c.Caller.Number, "to": c.Number, "name": c.Caller.Name, "switch": c.Switch, "sip_call_id": c.SIPCallID}
	maps.DeleteFunc(attrs, func(_, value string) bool { return value == "" })
	return attrs
}

// PlainNumber returns number without a leading +, so that two spellings of one
// E.164 number compare equal.
func PlainNumber(number string) string { return strings.TrimPrefix(number, "+") }

// HungUp says that the A leg is gone: the normal end of whatever was running.
// A call's context is cancelled with it.
type HungUp struct{ Cause Cause }

func (h *HungUp) Error() string { return fmt.Sprintf("call hung up: %s", h.Cause) }

// ErrLost says that the connection that controlled the call is gone while the
// call may live on. Whoever gets it stops at once and touches nothing: another
// connection controls the call now, or will.
var ErrLost = errors.New("control of the call was lost")
