package portal

import (
	"context"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// hidden says whether the key of the request may not see the values of a tag.
func (p *Portal) hidden(ctx context.Context, tag string) bool {
	return tag != "" && p.private(org(ctx), tag) && !may(ctx, keys.Private)
}

// private says whether a tag is private, as it is defined now; where nothing is known of
// the organization, all are.
func (p *Portal) private(org, tag string) bool {
	o := p.organization(org)
	return o == nil || o.Private(tag)
}

// mask takes out of a record what the key of the request may not see.
func (p *Portal) mask(ctx context.Context, c *store.Call) {
	c.Hide(func(tag string) bool { return p.hidden(ctx, tag) })
}
