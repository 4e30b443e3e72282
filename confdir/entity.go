package confdir

import (
	"cmp"
	"slices"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// sections are the keys of documents that list entities, and the kind of these.
var sections = map[string]string{
	"numbers": store.NumberKind, "gateways": "gateway", "publishers": "publisher", "buyers": "buyer",
	"targets": "target", "plans": "plan", "campaigns": "campaign",
	"tags": "tag", "incoming": "incoming", "webhooks": "webhook",
}

// Contents are the files of an organization, and what their documents define.
type Contents struct {
	files    store.Files
	entities []entity // by kind and slug
}

// entity is something that the files define.
type entity struct {
	store.EntityKey
	name  string // as written
	file  string
	value *yaml.Node
}

// Parse parses the files of an organization.
func Parse(files store.Files) (*Contents, error) {
	var out []entity
	for name := range files {
		docs, err := documents(files, name)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if v := field(d.root, "flow"); v != nil {
				out = append(out, entity{store.EntityKey{Kind: "flow", Slug: v.Value}, v.Value, name, d.root})
				continue
			}
			if v := field(d.root, "organization"); v != nil {
				out = append(out, entity{store.EntityKey{Kind: "organization", Slug: v.Value}, v.Value, name, d.root})
				continue
			}
			for section, kind := range sections {
				list := field(d.root, section)
				if list == nil {
					continue
				}
				for i := 0; i+1 < len(list.Content); i += 2 {
					key := list.Content[i].Value
					e := entity{store.EntityKey{Kind: kind, Slug: key}, key, name, resolve(list.Content[i+1])}
					if kind == store.NumberKind {
						e.Slug = call.PlainNumber(key)
					}
					out = append(out, e)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b entity) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Slug, b.Slug)) })
	return &Contents{files, out}, nil
}

// Entities names what the files define.
func (c *Contents) Entities() []store.EntityKey {
	out := make([]store.EntityKey, len(c.entities))
	for i, e := range c.entities {
		out[i] = e.EntityKey
	}
	return out
}

// Definition is how the files define something.
type Definition struct {
	Name string // as it is written
	File string
	Text string // YAML, without what stands around it
}

// Definition returns how something is defined; false where it is not.
func (c *Contents) Definition(key store.EntityKey) (Definition, bool, error) {
	for _, e := range c.entities {
		if e.EntityKey == key {
			text, err := yaml.Dump(e.value, yaml.WithIndent(2))
			return Definition{e.name, e.file, string(text)}, true, err
		}
	}
	return Definition{}, false, nil
}
