package store

import (
	"context"
	"encoding/json"
	"time"
)

// Requests keeps every request that came to an incoming webhook.
type Requests interface {
	// KeepRequest keeps one, and returns its number.
	KeepRequest(ctx context.Context, org string, r Request) (int64, error)
	// Requests lists requests, newest first, without headers and bodies.
	Requests(ctx context.Context, org string, q RequestQuery) (RequestPage, error)
	// Request returns one with everything.
	Request(ctx context.Context, org string, n int64) (*Request, error)
	// PruneRequests removes those older than before.
	PruneRequests(ctx context.Context, before time.Time) error
}

// Request is one that came in, without its secrets.
type Request struct {
	N        int64           `json:"id"`
	Webhook  string          `json:"webhook"`
	Kind     string          `json:"kind"` // call-data, update-tags …
	At       time.Time       `json:"at"`
	Took     time.Duration   `json:"took_ns"`
	From     string          `json:"from"`   // address
	KeyID    string          `json:"key_id"` // of the key
	Request  HTTP            `json:"request"`
	Status   int             `json:"status"`
	Answer   json.RawMessage `json:"answer,omitempty"`   // with the outcome of each field
	Call     string          `json:"call,omitempty"`     // that it met
	Caller   string          `json:"caller,omitempty"`   // that it named
	Repeated bool            `json:"repeated,omitempty"` // an earlier one had its idempotency key
}

// RequestQuery says which requests are wanted; the zero value of a field asks for nothing.
type RequestQuery struct {
	Call, Caller, Webhook string
	Status                int
	From, To              time.Time
	Limit                 int // 1 to 1,000; 0: 50
	After                 string
}

// RequestPage is a part of what was found.
type RequestPage struct {
	Requests []Request
	Next     string
}
