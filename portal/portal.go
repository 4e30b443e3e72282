// Package portal is the HTTP API: what an organization has, and what it may do, for whoever
// has a key of it. docs/openapi.yaml describes every operation; it is made of what is
// registered here, one file a resource.
//
// Every handler is a plain function of the store. What is the same for all of them is in
// one place each: who asks (auth.go), how often and how much (limit.go), what an error is
// in HTTP (problem.go).
package portal

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/ratelimit"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

// Base is the path under which the API is served.
const Base = "/api/v1"

// Options says what the API works with.
type Options struct {
	Store    store.Store
	Secrets  *credentials.Keeper         // what signs messages, and what templates read
	InForce  func() *flowengine.Snapshot // configuration that calls are run by; nil where there is none
	Folder   bool                        // it comes from a folder: what is applied to the store is not in force
	Received func()                      // something was written to a live call; may be nil
	Log      zerolog.Logger
	Version  string           // of the program
	Limits   Limits           // the zero value of a field: that of DefaultLimits
	Now      func() time.Time // nil: time.Now
}

// Portal answers the requests of the API.
type Portal struct {
	Options
	api      huma.API
	mux      *http.ServeMux
	spec     document
	address  *ratelimit.Limiter
	key      *ratelimit.Limiter
	room     chan struct{}   // holds one for each request under way
	shares   *ratelimit.Room // of organizations, for requests under way
	heavy    *ratelimit.Room
	exports  *ratelimit.Room
	lastUsed keys.Noted
}

// New returns the API.
func New(o Options) *Portal {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.InForce == nil {
		o.InForce = func() *flowengine.Snapshot { return nil }
	}
	if o.Received == nil {
		o.Received = func() {}
	}
	o.Limits = o.Limits.orDefault()
	p := &Portal{
		Options: o,
		mux:     http.NewServeMux(),
		address: ratelimit.New(time.Minute, o.Now),
		key:     ratelimit.New(time.Minute, o.Now),
		room:    make(chan struct{}, o.Limits.AtOnce),
		shares:  shared(o.Limits.AtOnce),
		heavy:   shared(o.Limits.Heavy),
		exports: shared(o.Limits.Exports),
	}
	p.api = humago.NewWithPrefix(p.mux, Base, description())
	p.api.UseMiddleware(p.authorize)
	for _, resource := range resources {
		resource(p)
	}
	p.describe()
	return p
}

// resources register their operations, in the order in which they are described.
var resources = []func(*Portal){
	(*Portal).system,
	(*Portal).calls,
	(*Portal).callTags,
	(*Portal).callMoney,
	(*Portal).export,
	(*Portal).configuration,
	(*Portal).revisions,
	(*Portal).flows,
	(*Portal).entities,
	(*Portal).tags,
	(*Portal).endpoints,
	(*Portal).endpointSecrets,
	(*Portal).deliveries,
	(*Portal).incoming,
	(*Portal).requests,
	(*Portal).keys,
	(*Portal).secrets,
}

// operation is one of the API.
type operation struct {
	method  string
	path    string // below Base
	id      string
	tag     string // the group it is described in
	scope   string // that its key must have; empty: any key will do
	open    bool   // no key is asked for
	summary string
	about   string
	status  int   // of success; 0: 200, or 204 without a body
	body    int64 // bytes that the request may have; 0: 64 KiB
	heavy   bool  // it is one of few at once, and may take longer
	errors  []int // that it may answer besides those that all may
}

// heavyLimit is how long something heavy may take.
const heavyLimit = 25 * time.Second

// register adds an operation. What h returns as an error is translated here, for all.
func register[I, O any](p *Portal, op operation, h func(context.Context, *I) (*O, error)) {
	huma.Register(p.api, p.described(op), func(ctx context.Context, in *I) (*O, error) {
		limit := p.Limits.Time
		if op.heavy {
			limit = heavyLimit
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		out, err := h(ctx, in)
		if err != nil {
			return nil, p.translate(ctx, err)
		}
		return out, nil
	})
}

// organization returns the organization of the request as calls are run by it; nil where
// there is none.
func (p *Portal) organization(name string) *flowengine.Organization {
	s := p.InForce()
	if s == nil {
		return nil
	}
	o, _ := s.Organization(name)
	return o
}

// list is a part of what was found.
type list[T any] struct {
	Items []T    `json:"items" nullable:"false" doc:"What was found, in the order that the operation describes."`
	Next  string `json:"next,omitempty" doc:"The parameter after of the next page; there is none on the last page."`
}

// listOf returns a page, which is never null.
func listOf[T any](items []T, next string) *answer[list[T]] {
	if items == nil {
		items = []T{}
	}
	return &answer[list[T]]{list[T]{items, next}}
}

// answer is a response with a body alone.
type answer[T any] struct{ Body T }

// Page are the parameters of operations that list.
type Page struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Items on a page."`
	After string `query:"after" maxLength:"500" doc:"What the page before has as next; leave it out for the first page."`
}
