package portal

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) entities() {
	register(p, operation{
		method: http.MethodGet, path: "/config/entities", id: "list-entities", tag: tagConfig, scope: keys.ReadConfig,
		summary: "Lists what the configuration defines",
		about:   "Lists numbers, targets, campaigns and so on, by kind and name, also what was defined once. An id stays the same for ever.",
	}, p.listEntities)
	register(p, operation{
		method: http.MethodGet, path: "/config/entities/{kind}/{name}", id: "get-entity", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Gets one entity with its definition",
		about:   "Returns what is defined under a name now: its id, the file it stands in, and its YAML.",
	}, p.getEntity)
}

func (p *Portal) listEntities(ctx context.Context, in *struct {
	Kind    string `query:"kind" maxLength:"50" doc:"Only of this kind: number, target, campaign, flow, plan …" example:"target"`
	Removed bool   `query:"removed" doc:"Also what is not defined any more."`
}) (*answer[list[store.Entity]], error) {
	found, err := p.Store.Entities(ctx, org(ctx))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e store.Entity) bool {
		return in.Kind != "" && e.Kind != in.Kind || !in.Removed && e.Last != 0
	})
	slices.SortStableFunc(found, func(a, b store.Entity) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Slug, b.Slug)) })
	return listOf(found, ""), nil
}

// definedEntity is something that is defined, and how.
type definedEntity struct {
	store.Entity
	Name string `json:"name" doc:"As it is written." example:"+15550100"`
	File string `json:"file" doc:"Path of the file that it stands in."`
	YAML string `json:"yaml" doc:"Its definition." example:"user: alice@acme"`
}

func (p *Portal) getEntity(ctx context.Context, in *struct {
	Kind string `path:"kind" maxLength:"50" doc:"number, target, campaign, flow, plan …" example:"target"`
	Name string `path:"name" maxLength:"200" doc:"Its name; of a number its digits." example:"alice"`
}) (*answer[definedEntity], error) {
	key := store.EntityKey{Kind: in.Kind, Slug: in.Name}
	if key.Kind == store.NumberKind {
		key.Slug = call.PlainNumber(in.Name)
	}
	all, err := p.Store.Entities(ctx, org(ctx))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(e store.Entity) bool { return e.EntityKey == key && e.Last == 0 })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	current, err := p.Store.Current(ctx)
	if err != nil {
		return nil, err
	}
	r, err := p.Store.Revision(ctx, org(ctx), current[org(ctx)])
	if err != nil {
		return nil, err
	}
	contents, err := confdir.Parse(r.Files)
	if err != nil {
		return nil, err
	}
	d, defined, err := contents.Definition(key)
	if err == nil && !defined { // it was taken out between the two questions
		err = store.ErrNotFound
	}
	return &answer[definedEntity]{definedEntity{all[i], d.Name, d.File, d.Text}}, err
}
