package portal

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) requests() {
	register(p, operation{
		method: http.MethodGet, path: "/requests", id: "list-requests", tag: tagHooks, scope: keys.ReadWebhooks,
		summary: "Lists requests to incoming webhooks",
		about:   "Lists what came in, newest first, without headers and bodies.",
	}, p.listRequests)
	register(p, operation{
		method: http.MethodGet, path: "/requests/{request}", id: "get-request", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{404},
		summary: "Gets one request to an incoming webhook",
		about:   "Returns what came in and what was answered, with the outcome of each field. Keys are taken out.",
	}, p.getRequest)
}

// exchanged is a request or a response as it is kept.
type exchanged struct {
	Method  string            `json:"method,omitempty" doc:"Of a request."`
	URL     string            `json:"url,omitempty" doc:"Of a request, without secrets."`
	Status  int               `json:"status,omitempty" doc:"Of a response; left out where none came."`
	Headers map[string]string `json:"headers,omitempty" doc:"Header fields, without secrets."`
	Body    string            `json:"body,omitempty" doc:"Body, where it is text."`
	Binary  []byte            `json:"body_base64,omitempty" doc:"Body, where it is not UTF-8."`
	Cut     bool              `json:"cut,omitempty" doc:"The body was longer."`
}

func exchangedOf(h store.HTTP) exchanged {
	out := exchanged{Method: h.Method, URL: h.URL, Status: h.Status, Headers: h.Header, Cut: h.Cut}
	if utf8.Valid(h.Body) {
		out.Body = string(h.Body)
	} else {
		out.Binary = h.Body
	}
	return out
}

// received is a request that came in.
type received struct {
	ID       int64           `json:"id" doc:"Its number."`
	Webhook  string          `json:"webhook" doc:"Incoming webhook."`
	Kind     string          `json:"kind" doc:"call-data, update-tags …"`
	At       time.Time       `json:"at" doc:"When it came."`
	Took     int64           `json:"took_ms" doc:"How long it took to answer."`
	From     string          `json:"from" doc:"Address that it came from."`
	KeyID    string          `json:"key_id" doc:"Of its key, the part that may be shown."`
	Status   int             `json:"status" doc:"That was answered."`
	Call     string          `json:"call,omitempty" doc:"Id of the call that it met."`
	Caller   string          `json:"caller,omitempty" doc:"Number that it named."`
	Repeated bool            `json:"repeated,omitempty" doc:"An earlier one had its idempotency key."`
	Request  *exchanged      `json:"request,omitempty" doc:"What came; not in lists."`
	Answer   json.RawMessage `json:"answer,omitempty" doc:"What was answered, with the outcome of each field; not in lists."`
}

func receivedOf(r store.Request) received {
	return received{ID: r.N, Webhook: r.Webhook, Kind: r.Kind, At: r.At, Took: r.Took.Milliseconds(), From: r.From, KeyID: r.KeyID,
		Status: r.Status, Call: r.Call, Caller: r.Caller, Repeated: r.Repeated}
}

func (p *Portal) listRequests(ctx context.Context, in *struct {
	Webhook string    `query:"webhook" maxLength:"64" doc:"To this incoming webhook."`
	Call    string    `query:"call" maxLength:"100" doc:"That met this call."`
	Caller  string    `query:"caller" maxLength:"64" doc:"That named this number."`
	Status  int       `query:"status" minimum:"100" maximum:"999" doc:"That were answered so." example:"422"`
	From    time.Time `query:"from" doc:"Came at this time or later."`
	To      time.Time `query:"to" doc:"Came before this time."`
	Page
}) (*answer[list[received]], error) {
	found, err := p.Store.Requests(ctx, org(ctx), store.RequestQuery{Webhook: in.Webhook, Call: in.Call, Caller: in.Caller,
		Status: in.Status, From: in.From, To: in.To, Limit: in.Limit, After: in.After})
	if err != nil {
		return nil, err
	}
	var out []received
	for _, r := range found.Requests {
		out = append(out, receivedOf(r))
	}
	return listOf(out, found.Next), nil
}

func (p *Portal) getRequest(ctx context.Context, in *struct {
	Request int64 `path:"request" minimum:"1" doc:"Number of the request." example:"17"`
}) (*answer[received], error) {
	r, err := p.Store.Request(ctx, org(ctx), in.Request)
	if err != nil {
		return nil, err
	}
	out, came := receivedOf(*r), exchangedOf(r.Request)
	out.Request, out.Answer = &came, r.Answer
	return &answer[received]{out}, nil
}
