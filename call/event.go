package call

import "time"

// Type names what an Event tells.
type Type string

// The events of a call, in about the order in which they come.
const (
	Started       Type = "call.started"         // the switch handed the call over; Attrs: from, to, name, switch, sip_call_id, campaign, publisher, mode, plan, override, override_priority, flow, version, fallback, conversion (ms connected that make one), payout (a Terms)
	Resumed       Type = "call.resumed"         // another connection took the call over; Why says where it goes on; Attrs: from, to, flow, version, from_node, fallback, conversion, payout
	Refused       Type = "call.refused"         // the call was sent to the last resort; Why; Attrs: from_node
	Step          Type = "flow.step"            // a node was left: Step, Kind, Exit, Why, Millis
	FlowError     Type = "flow.error"           // a node failed: Step, Kind, Why
	Answered      Type = "call.answered"        // the A leg was answered
	Decided       Type = "routing.decided"      // targets were chosen: Step, Kind; Attrs: order, strategy, plan, fallback, and by target: not.NAME (rule and value), asked.NAME
	NotTried      Type = "routing.not_tried"    // chosen targets that were not dialled after all: Step, Kind; Attrs: not.NAME
	TargetDialed  Type = "target.dialed"        // an attempt began: Target, Leg; Attrs: attempt, address, fallback, recording (its file), revenue (a Terms)
	TargetRinging Type = "target.ringing"       // the B leg rings: Target, Leg; Attrs of LegFacts
	TargetFailed  Type = "target.failed"        // an attempt ended without a connection: Target, Leg, Cause; Attrs of LegFacts
	Connected     Type = "call.connected"       // both legs are bridged: Target, Leg; Attrs of LegFacts
	Released      Type = "call.released"        // the bridge ended: Target (unless late), Leg, Cause, Millis connected; Attrs of LegFacts, late, and then revenue
	Marked        Type = "call.mark"            // the caller has been connected for Millis: 5, 15, 30, 45 or 60 s; Target, Leg
	Tagged        Type = "call.tags_updated"    // a tag was written or removed: Step; Attrs: tag, value, source, replaced, key (of a flow's), input, removed (true), unchanged (true: an input found it like this)
	Money         Type = "call.revenue_updated" // an amount was set: Attrs: kind (revenue or payout), amount, currency, source, reason, replaced (Sum), input
	Converted     Type = "call.converted"       // whether the call is a conversion was decided: Attrs: converted (true or false), at (RFC 3339), source, reason, input
	Emitted       Type = "flow.emitted"         // a flow tells of something of its own: Step; Attrs: event, key, and the data
	Recordings    Type = "call.recording"       // the recording of the call was started, paused, resumed or stopped: Step, Exit; Attrs: do, path
	Voicemail     Type = "call.voicemail"       // the caller left a message: Step, Millis; Attrs: path, box, late
	Transferred   Type = "call.transferred"     // the call was given back to the dialplan: Step; Attrs: extension, context
	Failed        Type = "call.failed"          // nobody could take the call: Step, Why
	Taken         Type = "call.taken"           // another node controls the call now, and its journal tells the rest: Attrs: node
	Ended         Type = "call.ended"           // the last event of every call, exactly once: Cause; Attrs: billed, duration (both in milliseconds), by, source and ended where no controller saw the end
)

// Event is one thing that happened to a call. (Call, Epoch, Seq) is its
// identity and its order: the epoch is raised by every connection that takes
// control of the call, the sequence counts from 1 within an epoch.
type Event struct {
	Call   string            `json:"call"`
	Org    string            `json:"org,omitempty"` // organization that the call belongs to; empty for a number that nobody has
	Epoch  int               `json:"epoch"`
	Seq    int               `json:"seq"`
	Time   time.Time         `json:"time"`           // UTC
	Node   string            `json:"node,omitempty"` // Hookswitch node that wrote it
	Type   Type              `json:"type"`
	Step   string            `json:"step,omitempty"` // id of the flow's node
	Kind   string            `json:"kind,omitempty"` // kind of the flow's node
	Exit   string            `json:"exit,omitempty"`
	Why    string            `json:"why,omitempty"` // reason, for people
	Millis int64             `json:"ms,omitempty"`  // duration in milliseconds
	Leg    string            `json:"leg,omitempty"` // channel UUID
	Target string            `json:"target,omitempty"`
	Cause  Cause             `json:"cause,omitempty"`
	Attrs  map[string]string `json:"attrs,omitempty"`
}
