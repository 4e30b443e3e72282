package portal

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) calls() {
	register(p, operation{
		method: http.MethodGet, path: "/calls", id: "list-calls", tag: tagCalls, scope: keys.ReadCalls, errors: []int{422},
		summary: "Lists calls",
		about:   "Lists calls, newest first, without their legs, tags and timelines. All parameters that are given must hold.",
	}, p.listCalls)
	register(p, operation{
		method: http.MethodGet, path: "/calls/{call}", id: "get-call", tag: tagCalls, scope: keys.ReadCalls, errors: []int{404, 409},
		summary: "Gets one call with all that is known of it",
		about: "Gets one call: its record, legs, tags with their history, why targets were not tried, and the events of its timeline.\n" +
			"Its id may be cut short as long as no other call begins with what is left.",
	}, p.getCall)
}

// CallFilter says which calls are wanted.
type CallFilter struct {
	From      time.Time `query:"from" doc:"Began at this time or later." example:"2026-10-01T00:00:00Z"`
	To        time.Time `query:"to" doc:"Began before this time."`
	Number    string    `query:"number" maxLength:"64" doc:"That was dialled; a leading + does not matter." example:"15550100"`
	Caller    string    `query:"caller" maxLength:"64" doc:"Number of the caller; likewise."`
	Campaign  string    `query:"campaign" maxLength:"200" doc:"Campaign that it came for."`
	Target    string    `query:"target" maxLength:"200" doc:"Was dialled."`
	Tag       string    `query:"tag" maxLength:"1000" doc:"NAME of a tag that the call has, or NAME=VALUE." example:"state=TX"`
	Cause     string    `query:"cause" maxLength:"64" doc:"Hangup cause." example:"NO_ANSWER"`
	State     string    `query:"state" enum:"open,settling,complete,incomplete" doc:"How far the call is."`
	Converted string    `query:"converted" enum:"true,false" doc:"true: conversions; false: calls of which it is decided that they are none."`
}

// query returns the filter for the store. Who may not see a tag may not search by its value.
func (p *Portal) query(ctx context.Context, f CallFilter) (store.Query, error) {
	if name, _, _ := strings.Cut(f.Tag, "="); p.hidden(ctx, name) {
		return store.Query{}, missing(keys.Private)
	}
	q := store.Query{From: f.From, To: f.To, Number: strings.TrimSpace(f.Number), Caller: strings.TrimSpace(f.Caller), Campaign: f.Campaign,
		Target: f.Target, Tag: f.Tag, Cause: call.Cause(f.Cause), State: store.State(f.State)}
	if f.Converted != "" {
		is := f.Converted == "true"
		q.Converted = &is
	}
	return q, nil
}

func (p *Portal) listCalls(ctx context.Context, in *struct {
	CallFilter
	Page
}) (*answer[list[*store.Call]], error) {
	q, err := p.query(ctx, in.CallFilter)
	if err != nil {
		return nil, err
	}
	q.Limit, q.After = in.Limit, in.After
	found, err := p.Store.Search(ctx, org(ctx), q)
	if err != nil {
		return nil, err
	}
	return listOf(found.Calls, found.Next), nil
}

// CallPath names a call.
type CallPath struct {
	Call string `path:"call" maxLength:"100" doc:"Id of the call, or its beginning." example:"7c2f6a2e-6f0e-4b4e-9d3b-2f1c9f0a8d11"`
}

// WholeCallPath names a call by its whole id.
type WholeCallPath struct {
	Call string `path:"call" maxLength:"100" doc:"Id of the call, whole." example:"7c2f6a2e-6f0e-4b4e-9d3b-2f1c9f0a8d11"`
}

func (p *Portal) getCall(ctx context.Context, in *CallPath) (*answer[*store.Call], error) {
	c, err := p.Store.Call(ctx, org(ctx), in.Call)
	if err != nil {
		return nil, err
	}
	p.mask(ctx, c)
	return &answer[*store.Call]{c}, nil
}
