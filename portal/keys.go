package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) keys() {
	register(p, operation{
		method: http.MethodGet, path: "/keys", id: "list-keys", tag: tagKeys, scope: keys.WriteKeys,
		summary: "Lists keys",
		about:   "Lists the keys of the organization, newest first, also those that have ended. What makes a key one is not kept.",
	}, p.listKeys)
	register(p, operation{
		method: http.MethodPost, path: "/keys", id: "create-key", tag: tagKeys, scope: keys.WriteKeys, status: http.StatusCreated,
		summary: "Makes a key",
		about: "Makes a key, which is in this answer and never shown again. It can have no scope that the key of the request does\n" +
			"not have, but those of incoming webhooks, whose keys can do nothing else, and holds for no longer than that one.",
	}, p.createKey)
	register(p, operation{
		method: http.MethodDelete, path: "/keys/{key}", id: "revoke-key", tag: tagKeys, scope: keys.WriteKeys, errors: []int{404},
		summary: "Revokes a key",
		about:   "Ends a key at once.",
	}, p.revokeKey)
}

func (p *Portal) listKeys(ctx context.Context, _ *struct{}) (*answer[list[store.Key]], error) {
	found, err := p.Store.Keys(ctx, org(ctx))
	if err != nil {
		return nil, err
	}
	return listOf(found, ""), nil
}

// newKey is a key that was made.
type newKey struct {
	store.Key
	Secret string `json:"key" doc:"The key. It is shown this once." example:"hsk_7Qm2XbLc_…"`
}

func (p *Portal) createKey(ctx context.Context, in *struct {
	Body struct {
		Name   string     `json:"name" minLength:"1" maxLength:"100" doc:"What it is for." example:"CRM"`
		Scopes []string   `json:"scopes" doc:"What it may do." example:"[\"calls:read\"]"`
		Ends   *time.Time `json:"ends,omitempty" doc:"When it ends; left out, it does not."`
	}
}) (*answer[newKey], error) {
	b := in.Body
	if b.Name = strings.TrimSpace(b.Name); b.Name == "" || len(b.Name) > keys.MaxName || !oneLine(b.Name) {
		return nil, wrong(field("body.name", "a name is one line of 1 to %d bytes", keys.MaxName))
	}
	if err := keys.Check(b.Scopes); err != nil {
		return nil, wrong(field("body.scopes", "%v", err))
	}
	for _, scope := range b.Scopes {
		webhook, incoming := strings.CutPrefix(scope, keys.Incoming)
		if o := p.organization(org(ctx)); incoming && !hasIncoming(o, webhook) {
			return nil, wrong(field("body.scopes", "there is no incoming webhook %s", webhook))
		}
		if !incoming && !may(ctx, scope) {
			return nil, problem(http.StatusForbidden, "the key of the request does not have the scope "+scope+", and so can make no key that has it", field("body.scopes", "leave out %s", scope))
		}
	}
	now := p.Now().UTC()
	if b.Ends != nil && !b.Ends.After(now) {
		return nil, wrong(field("body.ends", "it is in the past"))
	}
	if own := asking(ctx).Ends; own != nil && (b.Ends == nil || b.Ends.After(*own)) {
		return nil, wrong(field("body.ends", "the key of the request ends at %s, and can make none that holds for longer", own.UTC().Format(time.RFC3339)))
	}
	made := keys.New()
	k := store.Key{ID: made.ID(), Name: b.Name, Hash: made.Hash(), Scopes: slices.Clone(b.Scopes), Created: now, By: author(ctx), Ends: b.Ends}
	if err := p.Store.AddKey(ctx, org(ctx), k); err != nil {
		return nil, err
	}
	return &answer[newKey]{newKey{k, made.Reveal()}}, nil
}

func (p *Portal) revokeKey(ctx context.Context, in *struct {
	Key string `path:"key" maxLength:"20" doc:"Id of the key, the part that may be shown." example:"7Qm2XbLc"`
}) (*struct{}, error) {
	return nil, p.Store.RevokeKey(ctx, org(ctx), in.Key, p.Now())
}
