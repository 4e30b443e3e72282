package portal

import (
	"context"
	"net/http"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/tags"
)

func (p *Portal) tags() {
	register(p, operation{
		method: http.MethodGet, path: "/tags", id: "list-tags", tag: tagConfig, scope: keys.ReadConfig,
		summary: "Lists the definitions of tags",
		about:   "Lists the tags that are defined, by name: only these can be written from outside.",
	}, p.listTags)
	register(p, operation{
		method: http.MethodGet, path: "/tags/{tag}", id: "get-tag", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Gets the definition of a tag",
		about:   "Returns what values a tag can hold, and who may write it.",
	}, p.getTag)
}

// tagDefinition is what a tag can hold.
type tagDefinition struct {
	Name        string   `json:"name" doc:"Of the tag." example:"state"`
	Type        string   `json:"type" enum:"string,number,boolean,enum,date" doc:"Of its values."`
	Values      []string `json:"values,omitempty" doc:"That an enum can hold." example:"[\"TX\",\"FL\"]"`
	Min         *float64 `json:"min,omitempty" doc:"Lowest number."`
	Max         *float64 `json:"max,omitempty" doc:"Highest number."`
	Sources     []string `json:"sources" doc:"Who may write it: webhook, flow, sip, geo, api, dni, rtb."`
	Privacy     string   `json:"privacy" enum:"public,internal,private" doc:"Where values go: public everywhere; internal not to webhooks; private only to keys with the scope private."`
	Description string   `json:"description,omitempty" doc:"For people."`
}

func definitionOf(d *tags.Definition) tagDefinition {
	out := tagDefinition{d.Name, string(d.Type), d.Values, d.Min, d.Max, d.Sources, string(d.Privacy), d.Description}
	if len(d.Sources) == 0 {
		out.Sources = tags.Sources
	}
	return out
}

func (p *Portal) listTags(ctx context.Context, _ *struct{}) (*answer[list[tagDefinition]], error) {
	var out []tagDefinition
	if o := p.organization(org(ctx)); o != nil {
		for _, d := range o.Tags() {
			out = append(out, definitionOf(d))
		}
	}
	return listOf(out, ""), nil
}

func (p *Portal) getTag(ctx context.Context, in *struct {
	Tag string `path:"tag" maxLength:"200" doc:"Name of the tag." example:"state"`
}) (*answer[tagDefinition], error) {
	if o := p.organization(org(ctx)); o != nil {
		if d, defined := o.Tag(in.Tag); defined {
			return &answer[tagDefinition]{definitionOf(d)}, nil
		}
	}
	return nil, problem(http.StatusNotFound, "there is no definition of this tag")
}
