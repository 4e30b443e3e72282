package portal

import (
	"context"
	"maps"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/tags"
)

// masked stands for the value of a tag that the key may not see.
const masked = "***"

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
	for i := range c.Tags {
		if t := &c.Tags[i]; p.hidden(ctx, t.Name) {
			t.Value = masked
			if t.Replaced != nil {
				hide := masked
				t.Replaced = &hide
			}
		}
	}
	for i := range c.Events {
		if e := &c.Events[i]; e.Type == call.Tagged && p.hidden(ctx, e.Attrs["tag"]) {
			e.Attrs = maps.Clone(e.Attrs)
			for _, attr := range []string{"value", "replaced"} {
				if _, has := e.Attrs[attr]; has {
					e.Attrs[attr] = masked
				}
			}
		}
	}
}
