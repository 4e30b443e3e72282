package events

import (
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// The types of messages, besides the names that flows give to events of their own.
const (
	CallStarted      = "call.started"
	CallAnswered     = "call.answered"
	CallConnected    = "call.connected"
	CallMark         = "call.mark_%ds" // 5, 15, 30, 45, 60
	CallEnded        = "call.ended"
	CallFailed       = "call.failed"
	CallConverted    = "call.converted"
	CallCompleted    = "call.completed"
	CallRecorded     = "call.recorded"
	CallVoicemail    = "call.voicemail"
	TagsUpdated      = "call.tags_updated"
	RevenueUpdated   = "call.revenue_updated"
	TargetDialed     = "target.dialed"
	TargetFailed     = "target.failed"
	FlowError        = "flow.error"
	EndpointDisabled = "endpoint.disabled"
)

// Type is a type of messages.
type Type struct {
	Name  string
	Doc   string // when it is told
	event any    // a value of the struct that is data.event
}

// Types are all types, in the order of a call.
func Types() []Type {
	all := []Type{
		{CallStarted, "FreeSWITCH has handed the call over", Started{}},
		{CallAnswered, "the caller's leg was answered", Answered{}},
		{TargetDialed, "a target is called", Dialed{}},
		{TargetFailed, "a target that was called was not connected", NotConnected{}},
		{CallConnected, "caller and target are connected", Connected{}},
	}
	for _, d := range call.Marks {
		all = append(all, Type{markType(d), fmt.Sprintf("caller and target have been connected for %.0f s", d.Seconds()), Mark{}})
	}
	return append(all,
		Type{TagsUpdated, "a tag was written or removed, by the flow or from outside, during the call or after it", TagUpdate{}},
		Type{CallVoicemail, "the caller left a message", Voicemail{}},
		Type{CallRecorded, "a recording is finished, and the switch has the file", Recording{}},
		Type{FlowError, "a node of the flow failed; the call may go on", Fault{}},
		Type{CallFailed, "nobody could take the call", Failure{}},
		Type{CallEnded, "the call has ended", End{}},
		Type{CallConverted, "the call is a conversion: by the campaign's rule, told when it has ended, or since somebody says so. A later word that it is none is told as well, with converted false", Conversion{}},
		Type{RevenueUpdated, "revenue or payout of the call was set", Money{}},
		Type{CallCompleted, "the call has ended and all of it is in the call log. Of a call that a server has still to tell of for a minute this is told with state incomplete, and again with complete should the rest come", Completion{}},
		Type{EndpointDisabled, "an endpoint is sent nothing more, since it failed for days or said that it is gone; told to the other endpoints", Disabling{}})
}

// markType names the type of a mark.
func markType(d time.Duration) string { return fmt.Sprintf(CallMark, int(d.Seconds())) }

// Started is data.event of call.started.
type Started struct {
	Override string `json:"override,omitempty" doc:"override of the campaign that chose the plan"`
	Late     bool   `json:"late,omitempty" doc:"true: it is told after the fact, no server saw the call begin"`
}

// Answered is data.event of call.answered.
type Answered struct{}

// Dialed is data.event of target.dialed.
type Dialed struct {
	Leg     string `json:"leg" doc:"UUID of the channel"`
	Target  string `json:"target"`
	Attempt int    `json:"attempt" doc:"number of the attempt within the call, from 1; legs that ring at once have the same"`
	Address string `json:"address,omitempty" doc:"where it is called"`
	Step    string `json:"step,omitempty" doc:"node of the flow"`
}

// NotConnected is data.event of target.failed.
type NotConnected struct {
	Leg    string     `json:"leg" doc:"UUID of the channel"`
	Target string     `json:"target"`
	Cause  call.Cause `json:"cause" doc:"hangup cause, in FreeSWITCH's spelling: USER_BUSY, NO_ANSWER …"`
	Step   string     `json:"step,omitempty" doc:"node of the flow"`
}

// Connected is data.event of call.connected.
type Connected struct {
	Leg    string `json:"leg" doc:"UUID of the target's channel"`
	Target string `json:"target"`
}

// Mark is data.event of the marks.
type Mark struct {
	Leg     string `json:"leg" doc:"UUID of the target's channel"`
	Target  string `json:"target"`
	Seconds int    `json:"seconds" doc:"how long they have been connected"`
}

// TagUpdate is data.event of call.tags_updated.
type TagUpdate struct {
	Tag      string `json:"tag"`
	Value    any    `json:"value" type:"string,number,boolean,null" doc:"the value that it has now; null: it was removed"`
	Previous any    `json:"previous" type:"string,number,boolean,null" doc:"the value before; null: there was none"`
	Source   string `json:"source,omitempty" doc:"who wrote it: flow, webhook:NAME, api …"`
	Step     string `json:"step,omitempty" doc:"node of the flow that wrote it"`
}

// Voicemail is data.event of call.voicemail.
type Voicemail struct {
	Path    string  `json:"path" doc:"file of the message, on the switch"`
	Box     string  `json:"box,omitempty"`
	Seconds float64 `json:"seconds" doc:"length of the message"`
	Step    string  `json:"step,omitempty" doc:"node of the flow"`
}

// Recording is data.event of call.recorded.
type Recording struct {
	Path   string `json:"path" doc:"file of the recording, on the switch"`
	Of     string `json:"of" enum:"call,connection" doc:"call: what the node record records; connection: the talk with a target"`
	Leg    string `json:"leg,omitempty" doc:"of a connection: UUID of the target's channel"`
	Target string `json:"target,omitempty" doc:"of a connection"`
}

// Fault is data.event of flow.error.
type Fault struct {
	Step string `json:"step,omitempty" doc:"node of the flow"`
	Kind string `json:"kind,omitempty" doc:"kind of the node"`
	Why  string `json:"why" doc:"what failed, for people"`
}

// Failure is data.event of call.failed.
type Failure struct {
	Step string `json:"step,omitempty" doc:"last node of the flow"`
	Why  string `json:"why" doc:"for people"`
}

// End is data.event of call.ended.
type End struct {
	Cause call.Cause `json:"cause" doc:"hangup cause, in FreeSWITCH's spelling; UNKNOWN: the call was found to be gone"`
	Q850  int        `json:"q850,omitempty" doc:"its number in ITU-T Q.850"`
	By    string     `json:"by,omitempty" doc:"who hung up: caller or switch"`
	Late  bool       `json:"late,omitempty" doc:"true: no server saw the end"`
}

// Conversion is data.event of call.converted.
type Conversion struct {
	Converted bool       `json:"converted" doc:"false: what was said before is taken back"`
	Source    string     `json:"source" doc:"who says so: rule, webhook:NAME, api"`
	Reason    string     `json:"reason,omitempty"`
	At        *time.Time `json:"at,omitempty" doc:"since when it is one, where that is known"`
}

// Money is data.event of call.revenue_updated.
type Money struct {
	Kind     store.MoneyKind `json:"kind" enum:"revenue,payout" doc:"revenue: due from the buyer; payout: due to the publisher"`
	Sum      call.Sum        `json:"sum" doc:"what it is now"`
	Previous *call.Sum       `json:"previous" doc:"what it was before; null: nothing was said"`
	Source   string          `json:"source" doc:"who set it: rule, webhook:NAME, api"`
	Reason   string          `json:"reason,omitempty"`
}

// Completion is data.event of call.completed.
type Completion struct {
	State store.State `json:"state" enum:"complete,incomplete" doc:"as in call"`
}

// Disabling is data.event of endpoint.disabled.
type Disabling struct {
	Endpoint string `json:"endpoint" doc:"name of the endpoint"`
	Why      string `json:"why" doc:"for people"`
}

// Custom is data.event of what a flow tells by the node emit.
type Custom struct {
	Key  string            `json:"key" doc:"names the passing of the call through the node"`
	Step string            `json:"step,omitempty" doc:"node of the flow"`
	Data map[string]string `json:"data" doc:"the data of the node"`
}
