package portal

import (
	"context"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

func (p *Portal) endpointSecrets() {
	register(p, operation{
		method: http.MethodGet, path: "/endpoints/{endpoint}/secrets", id: "list-endpoint-secrets", tag: tagHooks, scope: keys.ReadWebhooks, errors: []int{404},
		summary: "Lists the secrets that sign what an endpoint is sent",
		about:   "Lists when they were made and when they end, newest first. The secrets themselves cannot be read.",
	}, p.listEndpointSecrets)
	register(p, operation{
		method: http.MethodPost, path: "/endpoints/{endpoint}/secrets", id: "rotate-endpoint-secret", tag: tagHooks, scope: keys.WriteWebhooks, status: http.StatusCreated, errors: []int{404},
		summary: "Gives an endpoint a new secret",
		about: "Makes a secret (Standard Webhooks), which is in this answer and never shown again. Those before sign beside it for the\n" +
			"time of overlap, in which the receiver takes the new one.",
	}, p.rotateEndpointSecret)
}

// Signing is a secret of an endpoint, without the secret.
type Signing struct {
	Created time.Time  `json:"created" doc:"When it was made."`
	Ends    *time.Time `json:"ends,omitempty" doc:"When it ends; left out where it does not."`
}

func (p *Portal) listEndpointSecrets(ctx context.Context, in *EndpointPath) (*answer[list[Signing]], error) {
	if err := p.defined(ctx, in.Endpoint); err != nil {
		return nil, err
	}
	found, err := p.Secrets.Signing(ctx, org(ctx), in.Endpoint)
	if err != nil {
		return nil, err
	}
	var out []Signing
	for _, s := range found {
		out = append(out, Signing{s.Created, s.Ends})
	}
	return listOf(out, ""), nil
}

// newSecret is a secret that was made.
type newSecret struct {
	Signing
	Secret string `json:"secret" doc:"The secret. It is shown this once." example:"whsec_…"`
}

func (p *Portal) rotateEndpointSecret(ctx context.Context, in *struct {
	EndpointPath
	Body struct {
		Overlap int64 `json:"overlap_ms" minimum:"0" doc:"How long those before sign beside it; at most 90 days." example:"86400000"`
	}
}) (*answer[newSecret], error) {
	if err := p.defined(ctx, in.Endpoint); err != nil {
		return nil, err
	}
	if in.Body.Overlap > credentials.MaxOverlap.Milliseconds() {
		return nil, wrong(field("body.overlap_ms", "at most %d", credentials.MaxOverlap.Milliseconds()))
	}
	found, err := p.Secrets.Rotate(ctx, org(ctx), in.Endpoint, time.Duration(in.Body.Overlap)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	return &answer[newSecret]{newSecret{Signing{found[0].Created, found[0].Ends}, found[0].Secret.Reveal()}}, nil
}
