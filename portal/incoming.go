package portal

import (
	"context"
	"net/http"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
)

func (p *Portal) incoming() {
	register(p, operation{
		method: http.MethodGet, path: "/incoming", id: "list-incoming", tag: tagHooks, scope: keys.ReadWebhooks,
		summary: "Lists incoming webhooks",
		about:   "Lists the incoming webhooks that the configuration defines, with what they accept and where.",
	}, p.listIncoming)
	register(p, operation{
		method: http.MethodGet, path: "/incoming/{webhook}", id: "get-incoming", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{404},
		summary: "Gets one incoming webhook",
		about:   "Returns what an incoming webhook accepts and where. A key for it is made with the scope incoming:NAME.",
	}, p.getIncoming)
}

// incomingWebhook is where other systems post data.
type incomingWebhook struct {
	Name   string            `json:"name" doc:"Its name." example:"leads"`
	Title  string            `json:"title" doc:"For people."`
	Paths  []string          `json:"paths" doc:"Of this server, to be posted to: the key goes behind it, or into the header Authorization." example:"[\"/call-data?key=KEY\"]"`
	Scope  string            `json:"scope" doc:"That its keys have." example:"incoming:leads"`
	Life   int64             `json:"life_ms" doc:"How long data waits for a caller's next call."`
	Fields map[string]string `json:"fields,omitempty" doc:"Tags by the names that the fields of requests have."`
	Rate   int               `json:"rate" doc:"Requests a second."`
}

func incomingOf(i *flowengine.Incoming) incomingWebhook {
	out := incomingWebhook{Name: i.Name, Title: i.Title, Scope: keys.Incoming + i.Name, Life: i.Life.Milliseconds(), Fields: i.Fields, Rate: i.Rate}
	for _, o := range i.Accepts {
		out.Paths = append(out.Paths, "/"+string(o)+"?key=KEY")
	}
	return out
}

// hasIncoming says whether an organization has an incoming webhook.
func hasIncoming(o *flowengine.Organization, name string) bool {
	if o == nil {
		return false
	}
	_, has := o.Incoming(name)
	return has
}

func (p *Portal) listIncoming(ctx context.Context, _ *struct{}) (*answer[list[incomingWebhook]], error) {
	var out []incomingWebhook
	if o := p.organization(org(ctx)); o != nil {
		for _, i := range o.Incomings() {
			out = append(out, incomingOf(i))
		}
	}
	return listOf(out, ""), nil
}

func (p *Portal) getIncoming(ctx context.Context, in *struct {
	Webhook string `path:"webhook" maxLength:"64" doc:"Name of the incoming webhook." example:"leads"`
}) (*answer[incomingWebhook], error) {
	if o := p.organization(org(ctx)); hasIncoming(o, in.Webhook) {
		i, _ := o.Incoming(in.Webhook)
		return &answer[incomingWebhook]{incomingOf(i)}, nil
	}
	return nil, problem(http.StatusNotFound, "there is no such incoming webhook")
}
