package portal

import (
	"context"
	"net/http"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

func (p *Portal) secrets() {
	register(p, operation{
		method: http.MethodGet, path: "/secrets", id: "list-secrets", tag: tagKeys, scope: keys.ReadWebhooks,
		summary: "Lists what templates read as secrets.NAME",
		about:   "Lists the names that have a value. The values cannot be read.",
	}, p.listSecrets)
	register(p, operation{
		method: http.MethodPut, path: "/secrets/{secret}", id: "set-secret", tag: tagKeys, scope: keys.WriteWebhooks,
		summary: "Gives a secret its value",
		about:   "Gives secrets.NAME a value, in the place of the one that it has. Every server has it within seconds.",
	}, p.setSecret)
	register(p, operation{
		method: http.MethodDelete, path: "/secrets/{secret}", id: "remove-secret", tag: tagKeys, scope: keys.WriteWebhooks, errors: []int{404},
		summary: "Takes the value of a secret away",
		about:   "What needs it is not sent until it has a value again.",
	}, p.removeSecret)
}

// SecretPath names a secret.
type SecretPath struct {
	Secret string `path:"secret" maxLength:"64" doc:"The NAME of secrets.NAME." example:"CRM"`
}

func (p *Portal) listSecrets(ctx context.Context, _ *struct{}) (*answer[list[credentials.Value]], error) {
	found, err := p.Secrets.List(ctx, org(ctx))
	if err != nil {
		return nil, err
	}
	return listOf(found, ""), nil
}

func (p *Portal) setSecret(ctx context.Context, in *struct {
	SecretPath
	Body struct {
		Value string `json:"value" minLength:"1" maxLength:"8192" doc:"The value. It is sealed, and never shown again."`
	}
}) (*struct{}, error) {
	if err := credentials.CheckName(in.Secret); err != nil {
		return nil, wrong(field("path.secret", "%v", err))
	}
	return nil, p.Secrets.SetValue(ctx, org(ctx), in.Secret, seal.NewSecret(in.Body.Value))
}

func (p *Portal) removeSecret(ctx context.Context, in *SecretPath) (*struct{}, error) {
	return nil, p.Secrets.RemoveValue(ctx, org(ctx), in.Secret)
}
