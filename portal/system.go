package portal

import (
	"context"
	"net/http"
	"time"
)

func (p *Portal) system() {
	register(p, operation{
		method: http.MethodGet, path: "/whoami", id: "whoami", tag: tagSystem,
		summary: "Says whose key it is",
		about:   "Says of which organization the key of the request is, what it may do, and until when.",
	}, p.whoami)
	register(p, operation{
		method: http.MethodGet, path: "/health", id: "health", tag: tagSystem, open: true,
		summary: "Says whether the API can answer",
		about:   "Asks the database. /readyz of the server's own address says whether it can take calls.",
	}, p.health)
}

// identity is who asks.
type identity struct {
	Org    string     `json:"org" doc:"Organization that the key is of." example:"acme"`
	KeyID  string     `json:"key_id" doc:"The part of the key that may be shown." example:"7Qm2XbLc"`
	Name   string     `json:"name" doc:"What the key is called." example:"CRM"`
	Scopes []string   `json:"scopes" doc:"What the key may do." example:"[\"calls:read\",\"tags:write\"]"`
	Ends   *time.Time `json:"ends,omitempty" doc:"When the key ends; left out where it does not."`
}

func (p *Portal) whoami(ctx context.Context, _ *struct{}) (*answer[identity], error) {
	k := asking(ctx)
	return &answer[identity]{identity{Org: k.Org, KeyID: k.ID, Name: k.Name, Scopes: k.Scopes, Ends: k.Ends}}, nil
}

// health is what the API says of itself.
type health struct {
	Status  string `json:"status" enum:"ok" doc:"ok, or there is no such answer."`
	Version string `json:"version" doc:"Of the program." example:"1.4.0"`
}

func (p *Portal) health(ctx context.Context, _ *struct{}) (*answer[health], error) {
	if err := p.Store.Ping(ctx); err != nil {
		p.Log.Error().Err(err).Msg("the API cannot reach the database")
		return nil, later(problem(http.StatusServiceUnavailable, "the database does not answer"), 5*time.Second)
	}
	return &answer[health]{health{"ok", p.Version}}, nil
}
