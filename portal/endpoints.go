package portal

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/events"
)

func (p *Portal) endpoints() {
	register(p, operation{
		method: http.MethodGet, path: "/endpoints", id: "list-endpoints", tag: tagHooks, scope: keys.ReadWebhooks,
		summary: "Lists endpoints and how they do",
		about:   "Lists the outgoing webhooks that the configuration defines: what they are told, what waits for them, since when they fail.",
	}, p.listEndpoints)
	register(p, operation{
		method: http.MethodGet, path: "/endpoints/{endpoint}", id: "get-endpoint", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{404},
		summary: "Gets one endpoint and how it does",
		about:   "Returns what an endpoint is told, what waits for it, and since when it fails or is disabled.",
	}, p.getEndpoint)
	register(p, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/enable", id: "enable-endpoint", tag: tagHooks, scope: keys.WriteWebhooks, errors: []int{404},
		summary: "Enables an endpoint",
		about:   "Lets an endpoint that was disabled have what waits for it, at once.",
	}, p.enableEndpoint)
	register(p, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/disable", id: "disable-endpoint", tag: tagHooks, scope: keys.WriteWebhooks, errors: []int{404},
		summary: "Disables an endpoint",
		about:   "Has an endpoint sent nothing more until it is enabled; what is due waits.",
	}, p.disableEndpoint)
	register(p, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/test", id: "test-endpoint", tag: tagHooks, scope: keys.WriteWebhooks, status: http.StatusAccepted, errors: []int{404},
		summary: "Sends an endpoint a sample",
		about:   "Sends an endpoint a sample of an event, whether it wants that or not. The deliveries show what became of it.",
	}, p.testEndpoint)
}

// EndpointPath names an endpoint.
type EndpointPath struct {
	Endpoint string `path:"endpoint" maxLength:"64" doc:"Name of the endpoint." example:"crm"`
}

// endpoint is an outgoing webhook and how it does.
type endpoint struct {
	Name     string     `json:"name" doc:"Its name." example:"crm"`
	Title    string     `json:"title" doc:"For people."`
	Defined  bool       `json:"defined" doc:"It is in the configuration; false where something of it is left."`
	Enabled  bool       `json:"enabled" doc:"The configuration has it enabled."`
	Events   []string   `json:"events,omitempty" doc:"What it is told." example:"[\"call.ended\"]"`
	Filter   string     `json:"filter,omitempty" doc:"Which of these."`
	Method   string     `json:"method,omitempty" doc:"HTTP method."`
	URL      string     `json:"url,omitempty" doc:"Template of the address."`
	Timeout  int64      `json:"timeout_ms,omitempty" doc:"Of an attempt."`
	AtOnce   int        `json:"at_once,omitempty" doc:"Attempts at once, of each server."`
	Pending  int        `json:"pending" doc:"Deliveries that wait; at most 10,000 are counted."`
	Oldest   *time.Time `json:"oldest,omitempty" doc:"Since when the oldest of them waits."`
	Failing  *time.Time `json:"failing,omitempty" doc:"Since when every attempt failed."`
	Disabled *time.Time `json:"disabled,omitempty" doc:"Since when it is sent nothing."`
	Why      string     `json:"why,omitempty" doc:"It is disabled."`
}

func endpointOf(e *flowengine.Endpoint, l store.Lane) endpoint {
	out := endpoint{Name: l.Endpoint, Title: l.Endpoint, Pending: l.Pending, Oldest: l.Oldest, Failing: l.Failing, Disabled: l.Disabled, Why: l.Why}
	if e == nil {
		return out
	}
	out.Name, out.Title, out.Defined, out.Enabled, out.Events, out.Method = e.Name, e.Title, true, e.Enabled, e.Events, e.Method
	out.URL, out.Timeout, out.AtOnce = e.URL.Source, e.Timeout.Milliseconds(), e.AtOnce
	if e.Filter != nil {
		out.Filter = e.Filter.Source
	}
	return out
}

// all returns the endpoints of the organization, by name.
func (p *Portal) all(ctx context.Context) ([]endpoint, error) {
	lanes, err := p.Store.Lanes(ctx, org(ctx))
	if err != nil {
		return nil, err
	}
	var out []endpoint
	if o := p.organization(org(ctx)); o != nil {
		for _, e := range o.Endpoints() {
			l := store.Lane{Endpoint: e.Name}
			if i := slices.IndexFunc(lanes, func(l store.Lane) bool { return l.Endpoint == e.Name }); i >= 0 {
				l = lanes[i]
				lanes = slices.Delete(lanes, i, i+1)
			}
			out = append(out, endpointOf(e, l))
		}
	}
	for _, l := range lanes { // of endpoints that are no more
		out = append(out, endpointOf(nil, l))
	}
	return out, nil
}

// defined wants an endpoint to be one of the organization's.
func (p *Portal) defined(ctx context.Context, name string) error {
	if o := p.organization(org(ctx)); o != nil {
		if _, has := o.Endpoint(name); has {
			return nil
		}
	}
	return problem(http.StatusNotFound, "there is no such endpoint")
}

func (p *Portal) listEndpoints(ctx context.Context, _ *struct{}) (*answer[list[endpoint]], error) {
	all, err := p.all(ctx)
	if err != nil {
		return nil, err
	}
	return listOf(all, ""), nil
}

func (p *Portal) getEndpoint(ctx context.Context, in *EndpointPath) (*answer[endpoint], error) {
	all, err := p.all(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Name == in.Endpoint {
			return &answer[endpoint]{e}, nil
		}
	}
	return nil, problem(http.StatusNotFound, "there is no such endpoint")
}

func (p *Portal) enableEndpoint(ctx context.Context, in *EndpointPath) (*struct{}, error) {
	if err := p.defined(ctx, in.Endpoint); err != nil {
		return nil, err
	}
	return nil, p.Store.Enable(ctx, org(ctx), in.Endpoint)
}

func (p *Portal) disableEndpoint(ctx context.Context, in *EndpointPath) (*struct{}, error) {
	if err := p.defined(ctx, in.Endpoint); err != nil {
		return nil, err
	}
	_, err := p.Store.Disable(ctx, org(ctx), in.Endpoint, "by "+author(ctx))
	return nil, err
}

// sent names what was sent.
type sent struct {
	Message string `json:"message" doc:"Id of the message: the header webhook-id."`
}

func (p *Portal) testEndpoint(ctx context.Context, in *struct {
	EndpointPath
	Body struct {
		Event string `json:"event" maxLength:"100" doc:"Type of the event, or a name that flows emit." example:"call.ended"`
	}
}) (*answer[sent], error) {
	if err := p.defined(ctx, in.Endpoint); err != nil {
		return nil, err
	}
	m, err := events.Sample(org(ctx), in.Body.Event, p.Now().UTC())
	if err != nil {
		return nil, wrong(field("body.event", "%v", err))
	}
	m.To = []string{in.Endpoint}
	if err := p.Store.Send(ctx, m); err != nil {
		return nil, err
	}
	return &answer[sent]{sent{m.ID}}, nil
}
