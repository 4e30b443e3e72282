package main

import (
	"context"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/events"
)

// outgoing is an endpoint of a configuration, for whoever delivers to it. It is a
// delivery.Endpoint.
type outgoing struct {
	is      *flowengine.Endpoint
	secrets *credentials.Keeper
}

// Render makes the request for a message of the templates of the endpoint, or with the
// standard body.
func (o *outgoing) Render(ctx context.Context, m store.Message) (r call.Request, hidden []string, err error) {
	about := &flowengine.EventVariables{}
	if !o.is.Fixed() { // the body of every message is decoded for it
		if about, err = events.Variables(m); err != nil {
			return r, nil, err
		}
	}
	values, err := o.secrets.Values(ctx, m.Org, o.is.SecretNames())
	if err != nil {
		return r, nil, err
	}
	if r, err = o.is.Render(about, values); err == nil && o.is.Standard() {
		r.Body = m.Body
	}
	return r, slices.Sorted(maps.Values(values)), err
}

// AtOnce is how many requests may be under way to it.
func (o *outgoing) AtOnce() int { return o.is.AtOnce }

// Enabled says whether it is sent anything.
func (o *outgoing) Enabled() bool { return o.is.Enabled }
