package portal

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) deliveries() {
	register(p, operation{
		method: http.MethodGet, path: "/deliveries", id: "list-deliveries", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{422},
		summary: "Lists deliveries",
		about:   "Lists what was sent, or will be, to endpoints, newest first, without bodies and attempts.",
	}, p.listDeliveries)
	register(p, operation{
		method: http.MethodGet, path: "/deliveries/{delivery}", id: "get-delivery", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{404},
		summary: "Gets one delivery with its attempts",
		about:   "Returns a delivery with its message, and of every attempt request, response and timing. Secrets are taken out.",
	}, p.getDelivery)
	register(p, operation{
		method: http.MethodPost, path: "/deliveries/{delivery}/resend", id: "resend-delivery", tag: tagHooks, scope: keys.WriteWebhooks, status: http.StatusAccepted, errors: []int{404},
		summary: "Sends one delivery again",
		about:   "Sends a message again under the id that it has, to the same endpoint or to another one.",
	}, p.resendDelivery)
	register(p, operation{
		method: http.MethodPost, path: "/deliveries/resend", id: "resend-deliveries", tag: tagHooks, scope: keys.WriteWebhooks, status: http.StatusAccepted, errors: []int{404},
		summary: "Sends many deliveries again",
		about:   "Sends again what was told of a call, or within a time, under the ids that the messages have. All that is given must hold.",
	}, p.resendDeliveries)
}

// message is what is told.
type message struct {
	ID   string          `json:"id" doc:"The header webhook-id, the same for every endpoint and attempt."`
	Call string          `json:"call,omitempty" doc:"Id of the call that it is about."`
	Type string          `json:"type" doc:"Type of the event." example:"call.ended"`
	Time time.Time       `json:"time" doc:"When it happened."`
	Body json.RawMessage `json:"body,omitempty" doc:"Standard body; not in lists."`
}

// attempt is one try to deliver.
type attempt struct {
	Try      int       `json:"try" doc:"1, 2, …"`
	Node     string    `json:"node" doc:"Hookswitch node that tried."`
	At       time.Time `json:"at" doc:"When."`
	Took     int64     `json:"took_ms" doc:"How long."`
	Request  exchanged `json:"request" doc:"What was sent; no body where it is the standard one."`
	Response exchanged `json:"response" doc:"What was answered."`
	Error    string    `json:"error,omitempty" doc:"Where there was no answer."`
	State    string    `json:"state" doc:"Of the delivery after it."`
}

// delivery is a message to one endpoint.
type delivery struct {
	ID       int64      `json:"id" doc:"Its number."`
	Endpoint string     `json:"endpoint" doc:"Name of the endpoint."`
	Message  message    `json:"message" doc:"What is told."`
	State    string     `json:"state" enum:"pending,delivered,given_up,dropped" doc:"pending: it will be tried; delivered: it was answered 2xx; given_up: it failed for as long as is tried; dropped: the endpoint is no more."`
	Created  time.Time  `json:"created" doc:"When it was made."`
	Due      *time.Time `json:"due,omitempty" doc:"When it is tried next, while it is pending."`
	Tries    int        `json:"tries" doc:"Attempts so far."`
	First    *time.Time `json:"first,omitempty" doc:"When the first attempt was."`
	Status   int        `json:"status,omitempty" doc:"Of the last answer."`
	Error    string     `json:"error,omitempty" doc:"Where there was none."`
	Resent   bool       `json:"resent,omitempty" doc:"It was asked for by hand."`
	Attempts []attempt  `json:"attempts,omitempty" doc:"Every attempt; not in lists."`
}

func deliveryOf(d store.Delivery) delivery {
	m := d.Message
	out := delivery{ID: d.ID, Endpoint: d.Endpoint, Message: message{m.ID, m.Call, m.Type, m.Time, m.Body}, State: string(d.State), Created: d.Created,
		Tries: d.Tries, First: d.First, Status: d.Status, Error: d.Error, Resent: d.Resent}
	if d.State == store.Pending {
		out.Due = &d.Due
	}
	for _, a := range d.Attempts {
		out.Attempts = append(out.Attempts, attempt{a.Try, a.Node, a.At, a.Took.Milliseconds(), exchangedOf(a.Request), exchangedOf(a.Response), a.Error, string(a.State)})
	}
	return out
}

func (p *Portal) listDeliveries(ctx context.Context, in *struct {
	Call     string    `query:"call" maxLength:"100" doc:"About this call."`
	Endpoint string    `query:"endpoint" maxLength:"64" doc:"To this endpoint."`
	Type     string    `query:"type" maxLength:"100" doc:"Of this type of event." example:"call.ended"`
	State    string    `query:"state" enum:"pending,delivered,given_up,dropped" doc:"How far they are."`
	Status   int       `query:"status" minimum:"-1" maximum:"999" doc:"Of the last answer; -1: there was none." example:"503"`
	From     time.Time `query:"from" doc:"Made at this time or later."`
	To       time.Time `query:"to" doc:"Made before this time."`
	Page
}) (*answer[list[delivery]], error) {
	found, err := p.Store.Deliveries(ctx, org(ctx), store.DeliveryQuery{Call: in.Call, Endpoint: in.Endpoint, Type: in.Type,
		State: store.DeliveryState(in.State), Status: in.Status, From: in.From, To: in.To, Limit: in.Limit, After: in.After})
	if err != nil {
		return nil, err
	}
	var out []delivery
	for _, d := range found.Deliveries {
		out = append(out, deliveryOf(d))
	}
	return listOf(out, found.Next), nil
}

// DeliveryPath names a delivery.
type DeliveryPath struct {
	Delivery int64 `path:"delivery" minimum:"1" doc:"Number of the delivery." example:"42"`
}

func (p *Portal) getDelivery(ctx context.Context, in *DeliveryPath) (*answer[delivery], error) {
	d, err := p.Store.Delivery(ctx, org(ctx), in.Delivery)
	if err != nil {
		return nil, err
	}
	return &answer[delivery]{deliveryOf(*d)}, nil
}

// resent says how much is sent again.
type resent struct {
	Deliveries int `json:"deliveries" doc:"That were made anew."`
}

// resend sends again, where it goes to an endpoint that there is.
func (p *Portal) resend(ctx context.Context, r store.Resending) (*answer[resent], error) {
	if r.Target != "" {
		if err := p.defined(ctx, r.Target); err != nil {
			return nil, wrong(field("body.to_endpoint", "there is no endpoint %s", r.Target))
		}
	}
	n, err := p.Store.Resend(ctx, org(ctx), r)
	if err != nil {
		return nil, err
	}
	return &answer[resent]{resent{n}}, nil
}

func (p *Portal) resendDelivery(ctx context.Context, in *struct {
	DeliveryPath
	Body struct {
		Target string `json:"to_endpoint,omitempty" maxLength:"64" doc:"Endpoint that it goes to; left out, the same."`
	}
}) (*answer[resent], error) {
	if _, err := p.Store.Delivery(ctx, org(ctx), in.Delivery); err != nil {
		return nil, err
	}
	return p.resend(ctx, store.Resending{Delivery: in.Delivery, Target: in.Body.Target})
}

func (p *Portal) resendDeliveries(ctx context.Context, in *struct {
	Body struct {
		Call     string     `json:"call,omitempty" maxLength:"100" doc:"All that was told of a call."`
		From     *time.Time `json:"from,omitempty" doc:"Of what happened at this time or later."`
		To       *time.Time `json:"to,omitempty" doc:"Of what happened before this time."`
		Endpoint string     `json:"endpoint,omitempty" maxLength:"64" doc:"That was for this endpoint."`
		Failed   bool       `json:"failed,omitempty" doc:"Only what was not delivered."`
		Target   string     `json:"to_endpoint,omitempty" maxLength:"64" doc:"Endpoint that it goes to; left out, the same."`
	}
}) (*answer[resent], error) {
	b := in.Body
	r := store.Resending{Call: b.Call, Endpoint: b.Endpoint, Failed: b.Failed, Target: b.Target}
	if b.From != nil {
		r.From = *b.From
	}
	if b.To != nil {
		r.To = *b.To
	}
	if r.Call == "" && (r.From.IsZero() || r.To.IsZero()) {
		return nil, wrong(field("body.call", "say of which call, or from when to when: call, or from and to"))
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return nil, wrong(field("body.to", "it is not after from"))
	}
	return p.resend(ctx, r)
}
