package store

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Outbox keeps what is told to the endpoints of organizations, and what became of it.
//
// A message is written in the transaction that keeps the event it tells of, with a delivery
// for each endpoint that wants it. A delivery is leased to a node for an attempt; each
// lease has a token, and what a node says with an old one changes nothing. The deliveries
// of one call to one endpoint are made in order: a later one is leased only when each
// earlier one is done, or had its first attempt longer than Hold ago.
type Outbox interface {
	// Publish names who decides what is told; nil, as at first: nothing is. It is called
	// before the first Append.
	Publish(p Publisher)

	// Claim leases deliveries that are due, oldest first in each lane, taking from all
	// lanes in turn so that none waits behind another.
	Claim(ctx context.Context, c Claiming) (Claimed, error)

	// Finish enters what became of attempts, in one transaction. Those whose lease another
	// has by now are returned and change nothing but the list of attempts, and how long the
	// endpoint has failed: they tell that as well as any.
	Finish(ctx context.Context, attempts []Attempt) (stale []int64, err error)

	// Extend renews leases of a node, before they end.
	Extend(ctx context.Context, node string, lease time.Duration, deliveries []Lease) error

	// Forsake ends all leases of a node at once: it has been started again.
	Forsake(ctx context.Context, node string) error

	// Send makes deliveries of a message that is of no call, or was made by hand.
	Send(ctx context.Context, m Message) error

	// Resend makes deliveries anew, with the ids that the messages have, of the messages
	// that a Resending names, and returns how many.
	Resend(ctx context.Context, org string, r Resending) (int, error)

	// Deliveries lists deliveries, newest first, done ones too.
	Deliveries(ctx context.Context, org string, q DeliveryQuery) (DeliveryPage, error)

	// Delivery returns one with its message and its attempts.
	Delivery(ctx context.Context, org string, n int64) (*Delivery, error)

	// Lanes returns how the endpoints of an organization do, those of all for "".
	Lanes(ctx context.Context, org string) ([]Lane, error)

	// Disable has an endpoint sent nothing more until Enable; what is due waits. It says
	// whether the endpoint was enabled.
	Disable(ctx context.Context, org, endpoint, why string) (bool, error)

	// Enable makes what waits due now.
	Enable(ctx context.Context, org, endpoint string) error

	// PruneOutbox removes deliveries that are done, attempts and messages older than before,
	// and what has waited since then for an endpoint that is disabled.
	PruneOutbox(ctx context.Context, before time.Time) error
}

// Hold is how long a delivery holds up the later ones of its call to its endpoint, since
// its first attempt.
const Hold = time.Minute

// Publisher decides what is told to the outside.
type Publisher interface {
	// Publish returns what is to be told of a call of which some events are new; c is the
	// record of all events. It is asked within the transaction that keeps them, perhaps
	// again when that fails, waits for nothing, and answers alike.
	Publish(c *Call, news []call.Event) []Message
}

// Message is one thing that is told.
type Message struct {
	Org  string    `json:"org"`
	ID   string    `json:"id"`             // webhook-id: the same for every endpoint and attempt; a second message of this id is none
	Call string    `json:"call,omitempty"` // id of the call; empty: of none
	Type string    `json:"type"`           // call.connected …
	Time time.Time `json:"time"`           // of what happened
	Body []byte    `json:"body"`           // standard body, JSON
	To   []string  `json:"-"`              // names of endpoints
}

// LaneName names the endpoint of an organization.
type LaneName struct{ Org, Endpoint string }

// Claiming is a wish for work.
type Claiming struct {
	Node  string
	Lease time.Duration    // longer than any attempt
	Lanes map[LaneName]int // what may be under way to each endpoint; none of one that is not named
	Busy  map[LaneName]int // what the node has under way
	Limit int              // deliveries at once
}

// Claimed is the answer.
type Claimed struct {
	Deliveries []Delivery
	Next       time.Duration // until something else is due, at most an hour
}

// Lease is a node's right to a delivery.
type Lease struct {
	Org   string
	N     int64
	Token int64
}

// DeliveryState is how far a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	Pending   DeliveryState = "pending"   // it will be tried, again or for the first time
	Delivered DeliveryState = "delivered" // the endpoint answered 2xx
	GivenUp   DeliveryState = "given_up"  // it failed for as long as is tried
	Dropped   DeliveryState = "dropped"   // the endpoint is no more
)

// Delivery is a message to one endpoint.
type Delivery struct {
	Lease    `json:"-"`
	ID       int64         `json:"id"` // Lease.N, for people
	Endpoint string        `json:"endpoint"`
	Message  Message       `json:"message"`
	State    DeliveryState `json:"state"`
	Created  time.Time     `json:"created"`
	Due      time.Time     `json:"due"`              // while it is pending
	Tries    int           `json:"tries"`            // attempts so far
	First    *time.Time    `json:"first,omitempty"`  // attempt
	Status   int           `json:"status,omitempty"` // of the last answer
	Error    string        `json:"error,omitempty"`  // where there was none
	Resent   bool          `json:"resent,omitempty"`
	Attempts []Attempt     `json:"attempts,omitempty"` // by Delivery alone
}

// Attempt is one try to deliver, and what it means for the delivery.
type Attempt struct {
	Lease    `json:"-"`
	Endpoint string        `json:"-"`
	Try      int           `json:"try"` // 1, 2, …
	Node     string        `json:"node"`
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took_ns"`
	Request  HTTP          `json:"request"`  // without secrets; no body where it is the standard one
	Response HTTP          `json:"response"` // Status 0: none came
	Error    string        `json:"error,omitempty"`

	State DeliveryState `json:"state"` // of the delivery after it
	Due   time.Time     `json:"due"`   // of the next attempt, while it is pending
}

// HTTP is a request or a response as it is kept.
type HTTP struct {
	Method string            `json:"method,omitempty"`
	URL    string            `json:"url,omitempty"`
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   []byte            `json:"body,omitempty"`
	Cut    bool              `json:"cut,omitempty"` // the body was longer
}

// Resending names messages, and where they go. All fields that are set must hold.
type Resending struct {
	Delivery int64     // this one
	Call     string    // all of a call
	From, To time.Time // of what happened at or after From and before To
	Endpoint string    // that they were for
	Failed   bool      // only those that were not delivered
	Target   string    // endpoint that they go to; empty: those that they were for
}

// DeliveryQuery says which deliveries are wanted; the zero value of a field asks for nothing.
type DeliveryQuery struct {
	Call     string
	Endpoint string
	Type     string
	State    DeliveryState
	Status   int       // of the last answer; -1: there was none
	From, To time.Time // made at or after From, before To
	Limit    int       // 1 to 1,000; 0: 50
	After    string    // DeliveryPage.Next of the page before
}

// DeliveryPage is a part of what was found.
type DeliveryPage struct {
	Deliveries []Delivery // without bodies and attempts
	Next       string
}

// Lane is how an endpoint does.
type Lane struct {
	Org      string     `json:"-"`
	Endpoint string     `json:"endpoint"`
	Pending  int        `json:"pending"`            // at most 10,000 are counted
	Oldest   *time.Time `json:"oldest,omitempty"`   // creation of what has waited for longest
	Failing  *time.Time `json:"failing,omitempty"`  // since when every attempt failed
	Disabled *time.Time `json:"disabled,omitempty"` // since when
	Why      string     `json:"why,omitempty"`      // it is disabled
}
