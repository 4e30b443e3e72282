package portal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/tags"
)

// sourceAPI is the source of what is written here.
const sourceAPI = "api"

func (p *Portal) callTags() {
	register(p, operation{
		method: http.MethodGet, path: "/calls/{call}/tags", id: "list-call-tags", tag: tagCalls, scope: keys.ReadCalls, errors: []int{404, 409},
		summary: "Lists the tags of a call with their history",
		about:   "Lists every write of a tag: who wrote it, when, and what it replaced.",
	}, p.listCallTags)
	register(p, operation{
		method: http.MethodPut, path: "/calls/{call}/tags/{tag}", id: "set-call-tag", tag: tagCalls, scope: keys.WriteTags, errors: []int{404},
		summary: "Writes a tag of a call",
		about: "Writes a tag that is defined and takes values from the API. A call that has ended has it at once; one that is live\n" +
			"before its next node, or within some 200 ms where another server controls it.",
	}, p.setCallTag)
	register(p, operation{
		method: http.MethodDelete, path: "/calls/{call}/tags/{tag}", id: "remove-call-tag", tag: tagCalls, scope: keys.WriteTags, errors: []int{404}, status: http.StatusOK,
		summary: "Takes a tag of a call away",
		about:   "Takes a tag away, as it is written. What it held stays in its history.",
	}, p.removeCallTag)
}

func (p *Portal) listCallTags(ctx context.Context, in *CallPath) (*answer[list[store.Tag]], error) {
	c, err := p.Store.Call(ctx, org(ctx), in.Call)
	if err != nil {
		return nil, err
	}
	p.mask(ctx, c)
	return listOf(c.Tags, ""), nil
}

// CallTagPath names a tag of a call.
type CallTagPath struct {
	WholeCallPath
	Tag string `path:"tag" maxLength:"200" doc:"Name of the tag." example:"state"`
}

// Once are the parameters of operations that are done once however often they are asked for.
type Once struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"A text of your own: the same request with it once more changes nothing, and is answered as the first; another one with it is refused."`
}

// tagValue is a value as JSON has it: a text, a number or a truth.
type tagValue struct{ is any }

// UnmarshalJSON keeps numbers as they are written.
func (v *tagValue) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(&v.is)
}

// Schema says that the value is of any type that a tag can have.
func (*tagValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}},
		Description: "The value, as the definition of the tag asks for it.", Examples: []any{"TX"}}
}

func (p *Portal) setCallTag(ctx context.Context, in *struct {
	CallTagPath
	Once
	Body struct {
		Value tagValue `json:"value"`
	}
}) (*answer[receipt], error) {
	d, err := p.writable(ctx, in.Tag)
	if err != nil {
		return nil, err
	}
	value, err := d.Read(in.Body.Value.is)
	if err != nil {
		return nil, wrong(field("body.value", "the value is %v", err))
	}
	return p.receive(ctx, in.Call, "tag "+in.Tag, in.Once, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": in.Tag, "value": tags.Spell(value), "source": sourceAPI}})
}

func (p *Portal) removeCallTag(ctx context.Context, in *struct {
	CallTagPath
	Once
}) (*answer[receipt], error) {
	if _, err := p.writable(ctx, in.Tag); err != nil {
		return nil, err
	}
	return p.receive(ctx, in.Call, "tag "+in.Tag, in.Once, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": in.Tag, "removed": "true", "source": sourceAPI}})
}

// writable returns the definition of a tag that the API may write.
func (p *Portal) writable(ctx context.Context, tag string) (*tags.Definition, error) {
	if o := p.organization(org(ctx)); o != nil {
		if d, defined := o.Tag(tag); defined {
			if !d.Allowed(sourceAPI) {
				return nil, wrong(field("path.tag", "the tag takes nothing from the API; its definition lists api among its sources where it does"))
			}
			return d, nil
		}
	}
	return nil, wrong(field("path.tag", "no such tag is defined; the configuration defines it under tags:"))
}

// receipt says what became of what was written.
type receipt struct {
	ID       string `json:"id" doc:"Of what was written; the events that follow from it have it as input."`
	Call     string `json:"call" doc:"Id of the call."`
	Outcome  string `json:"outcome" enum:"applied,unchanged,live,queued" doc:"applied: the call has it; unchanged: it had it; live: on the way to the node that controls the call; queued: until the call has ended."`
	Repeated bool   `json:"repeated,omitempty" doc:"An earlier request had its Idempotency-Key: this is the answer of that one."`
}

// receive lets something happen to a call. what names it among all that can happen to one,
// so that a key is only good for the same.
func (p *Portal) receive(ctx context.Context, id, what string, once Once, e call.Event) (*answer[receipt], error) {
	in := store.Input{ID: uuid.NewString(), Org: org(ctx), Call: id, Received: p.Now().UTC(), Events: []call.Event{e}}
	if once.Key != "" {
		in.Key = fmt.Sprintf("%s %x", what, sha256.Sum256([]byte(id+" "+once.Key)))
	}
	r, err := p.Store.Receive(ctx, org(ctx), in)
	if err != nil {
		return nil, err
	}
	if len(r.Outcomes) != 1 {
		return nil, errors.New("the store tells of another number of events than it was given")
	}
	if r.Outcomes[0] == store.Passed {
		p.Received()
	}
	outcome := r.Outcomes[0]
	if outcome == store.Unchanged && p.hidden(ctx, e.Attrs["tag"]) { // it would tell the value
		outcome = store.Applied
	}
	return &answer[receipt]{receipt{r.ID, r.Call, string(outcome), r.Repeated}}, nil
}
