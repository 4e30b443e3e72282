package store

import (
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// State is how far a call is.
type State string

// The states.
const (
	Open       State = "open"       // it has not ended, as far as is known
	Settling   State = "settling"   // it ended; the journal of an earlier controller is still to come
	Complete   State = "complete"   // it ended, and everything is there
	Incomplete State = "incomplete" // as settling, for too long
)

// Call is the record of a call. Project makes it of the call's events.
type Call struct {
	Org       string     `json:"org"`
	ID        string     `json:"id"` // UUID of the A leg's channel
	State     State      `json:"state"`
	Started   time.Time  `json:"started"`
	Answered  *time.Time `json:"answered,omitempty"`
	Connected *time.Time `json:"connected,omitempty"` // with the first target
	Ended     *time.Time `json:"ended,omitempty"`

	Number    string `json:"number"` // that was dialled, as delivered
	Caller    string `json:"caller"`
	Name      string `json:"name,omitempty"` // display name of the caller
	Campaign  string `json:"campaign,omitempty"`
	Publisher string `json:"publisher,omitempty"`
	Mode      string `json:"mode,omitempty"` // routing_plan or call_flow
	Flow      string `json:"flow,omitempty"`
	Version   string `json:"version,omitempty"`
	Target    string `json:"target,omitempty"` // that was connected last
	Step      string `json:"step,omitempty"`   // last node that is known

	Cause    call.Cause `json:"cause,omitempty"`
	Q850     int        `json:"q850,omitempty"`
	By       string     `json:"by,omitempty"` // who hung up: caller, switch …
	Billed   Millis     `json:"billed_ms"`
	Duration Millis     `json:"duration_ms"`
	Talked   Millis     `json:"talked_ms"` // connected with targets, all together

	Switch    string `json:"switch,omitempty"`
	SIPCallID string `json:"sip_call_id,omitempty"`
	Node      string `json:"node,omitempty"` // of the last controller
	Late      bool   `json:"late,omitempty"` // something was told after the fact
	Missing   []Gap  `json:"missing,omitempty"`

	Revenue     *call.Sum  `json:"revenue,omitempty"`      // due from the buyers
	Payout      *call.Sum  `json:"payout,omitempty"`       // due to the publisher
	Converted   *bool      `json:"converted,omitempty"`    // it is a conversion; null: that is not decided
	ConvertedAt *time.Time `json:"converted_at,omitempty"` // since when it is one

	Legs   []Leg        `json:"legs,omitempty"`
	Tags   []Tag        `json:"tags,omitempty"`
	WhyNot []WhyNot     `json:"why_not,omitempty"`
	Ledger []MoneyEntry `json:"ledger,omitempty"`
	Events []call.Event `json:"events,omitempty"`
}

// Millis is a duration in milliseconds.
type Millis int64

// Duration returns m as a time.Duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Leg is the CDR of one leg: that of the caller, A, and each that was dialled, B.
type Leg struct {
	UUID      string     `json:"uuid"`
	Leg       string     `json:"leg"` // A or B
	Attempt   int        `json:"attempt,omitempty"`
	Target    string     `json:"target,omitempty"`
	Address   string     `json:"address,omitempty"`
	Step      string     `json:"step,omitempty"`
	Dialed    time.Time  `json:"dialed"` // of A: when the call began
	Ringing   *time.Time `json:"ringing,omitempty"`
	Connected *time.Time `json:"connected,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
	Cause     call.Cause `json:"cause,omitempty"`
	Q850      int        `json:"q850,omitempty"`
	Billed    Millis     `json:"billed_ms"` // of A as the switch billed it; of B from connected to ended
	SIPCallID string     `json:"sip_call_id,omitempty"`
}

// Tag is one write or removal of a tag; the last one of a name is its value.
type Tag struct {
	Name     string    `json:"name"`
	Value    string    `json:"value"`
	Source   string    `json:"source,omitempty"`
	Step     string    `json:"step,omitempty"`
	Time     time.Time `json:"time"`
	Replaced *string   `json:"replaced,omitempty"` // the value before
	Removed  bool      `json:"removed,omitempty"`  // the tag was taken away
	Current  bool      `json:"current"`
}

// MoneyEntry is one entry of a call's ledger, which only grows. Amounts are absolute. The
// last entry of a kind counts; what a rule says counts where nothing else was said.
type MoneyEntry struct {
	Key  string    `json:"-"` // what the entry is about: an input, or a rule, which may be corrected
	Time time.Time `json:"time"`
	Kind MoneyKind `json:"kind"`
	call.Sum
	Source   string    `json:"source"` // rule, api, webhook:NAME
	Reason   string    `json:"reason,omitempty"`
	Replaced *call.Sum `json:"replaced,omitempty"`
}

// MoneyKind is what an amount is.
type MoneyKind string

// The kinds of amounts.
const (
	Revenue MoneyKind = "revenue"
	Payout  MoneyKind = "payout"
)

// WhyNot says why a target was not tried.
type WhyNot struct {
	Step   string    `json:"step"`
	Target string    `json:"target"`
	Rule   call.Rule `json:"rule"`
	Value  string    `json:"value,omitempty"`
	Time   time.Time `json:"time"`
}

// Gap is an earlier controller of a call whose journal may still hold events of it.
type Gap struct {
	Node  string    `json:"node"`
	Since time.Time `json:"since"` // when the next controller took the call
}
