package portal

import (
	"context"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/tags"
)

// hidden says whether the key of the request may not see the values of a tag.
func (p *Portal) hidden(ctx context.Context, tag string) bool {
	return tag != "" && p.private(org(ctx), tag) && !may(ctx, keys.Private)
}

// private says whether the privacy of a tag is private, as it is defined now.
func (p *Portal) private(org, tag string) bool {
	o := p.organization(org)
	if o == nil {
		return false
	}
	d, defined := o.Tag(tag)
	return defined && d.Privacy == tags.Private
}

// mask takes out of a record what the key of the request may not see.
func (p *Portal) mask(ctx context.Context, c *store.Call) {
	c.Hide(func(tag string) bool { return p.hidden(ctx, tag) })
}
