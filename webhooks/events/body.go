package events

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Version is that of the standard body. A field that is added leaves it as it is.
const Version = "1"

// Body is the standard body of a message. Its schemas are made of these structs.
type Body struct {
	Type      string    `json:"type" doc:"what happened: the type of the event"`
	Timestamp time.Time `json:"timestamp" doc:"when it happened"`
	Data      Data      `json:"data"`
}

// Data is what a message says.
type Data struct {
	Version      string `json:"version" doc:"of this form; fields may be added to it without another version"`
	ID           string `json:"id" doc:"the same as in the header webhook-id: that of this event, however often it is delivered"`
	Sequence     int64  `json:"sequence" doc:"place in the order of the call: of two events of a call the later one has the larger number; 0 for what is of no call"`
	Organization string `json:"organization" doc:"name of the organization"`
	Sample       bool   `json:"sample,omitempty" doc:"true: nothing of this happened, the endpoint is being tried out"`
	Call         *Call  `json:"call,omitempty"`
	Event        any    `json:"event"`
}

// Call is what is known of a call when a message is made: at least all up to its event,
// perhaps more.
type Call struct {
	ID        string      `json:"id" doc:"the id in the call log"`
	State     store.State `json:"state" enum:"open,settling,complete,incomplete" doc:"open: it has not ended; settling: it has, and a server has still to tell of it; complete: everything is there; incomplete: as settling, for too long"`
	Number    string      `json:"number" doc:"that was dialled, as delivered"`
	Caller    string      `json:"caller" doc:"number of the caller, as delivered"`
	Name      string      `json:"name,omitempty" doc:"display name of the caller, chosen by the caller"`
	Campaign  string      `json:"campaign,omitempty"`
	Publisher string      `json:"publisher,omitempty"`
	Mode      string      `json:"mode,omitempty" enum:"routing_plan,call_flow" doc:"what the campaign runs"`
	Plan      string      `json:"plan,omitempty" doc:"routing plan that it began with"`
	Flow      string      `json:"flow,omitempty" doc:"that the call runs, or ran last"`
	Target    string      `json:"target,omitempty" doc:"that was connected last"`
	Started   time.Time   `json:"started"`
	Answered  *time.Time  `json:"answered,omitempty" doc:"when the caller's leg was answered"`
	Connected *time.Time  `json:"connected,omitempty" doc:"when it was first connected with a target"`
	Ended     *time.Time  `json:"ended,omitempty"`
	Cause     call.Cause  `json:"cause,omitempty" doc:"hangup cause, in FreeSWITCH's spelling"`
	By        string      `json:"by,omitempty" doc:"who hung up: caller or switch"`

	Billed   store.Millis `json:"billed_ms" doc:"milliseconds from answer to end, as the switch bills them; 0 until the call has ended"`
	Duration store.Millis `json:"duration_ms" doc:"milliseconds from beginning to end; 0 until the call has ended"`
	Talked   store.Millis `json:"talked_ms" doc:"milliseconds connected with targets, all connections that have ended"`

	Revenue     *call.Sum  `json:"revenue,omitempty" doc:"due from the buyers"`
	Payout      *call.Sum  `json:"payout,omitempty" doc:"due to the publisher"`
	Converted   *bool      `json:"converted,omitempty" doc:"whether it is a conversion; absent while that is not decided"`
	ConvertedAt *time.Time `json:"converted_at,omitempty" doc:"since when it is one"`

	Tags map[string]any `json:"tags" doc:"current values, without those of privacy internal or private; a value is a string, a number or a boolean, as the tag is defined"`
}

// callOf takes from a record what endpoints are told.
func callOf(c *store.Call, o Organization) *Call {
	out := &Call{ID: c.ID, State: c.State, Number: c.Number, Caller: c.Caller, Name: c.Name, Campaign: c.Campaign, Publisher: c.Publisher,
		Mode: c.Mode, Flow: c.Flow, Target: c.Target, Started: c.Started, Answered: c.Answered, Connected: c.Connected, Ended: c.Ended,
		Cause: c.Cause, By: c.By, Billed: c.Billed, Duration: c.Duration, Talked: c.Talked,
		Revenue: c.Revenue, Payout: c.Payout, Converted: c.Converted, ConvertedAt: c.ConvertedAt, Tags: map[string]any{}}
	if i := slices.IndexFunc(c.Events, func(e call.Event) bool { return e.Attrs["plan"] != "" }); i >= 0 {
		out.Plan = c.Events[i].Attrs["plan"]
	}
	for _, t := range c.Tags {
		if !t.Current {
			continue
		}
		if value, public := o.Tag(t.Name, t.Value); public {
			out.Tags[t.Name] = value
		}
	}
	return out
}

// message writes a body.
func (b *Body) message(org string) (store.Message, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return store.Message{}, fmt.Errorf("the body of %s: %w", b.Type, err)
	}
	m := store.Message{Org: org, ID: b.Data.ID, Type: b.Type, Time: b.Timestamp, Body: text}
	if b.Data.Call != nil {
		m.Call = b.Data.Call.ID
	}
	return m, nil
}
