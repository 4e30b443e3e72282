package main

import (
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/tags"
	"github.com/hookswitch/hookswitch/webhooks/events"
)

// newPublisher returns what decides what endpoints are told of calls, as the configuration
// in force says.
func newPublisher(c *configuration, m *metrics, log zerolog.Logger) *events.Publisher {
	said := complaints{}
	return &events.Publisher{
		Organization: (&audiences{current: c.current}).of,
		Problem: func(org, endpoint string, err error) {
			m.untold.Inc()
			if said.first(org, endpoint, err.Error()) {
				log.Error().Str("organization", org).Str("endpoint", endpoint).Err(err).Msg("an endpoint was not told of an event")
			}
		},
	}
}

// audiences are the endpoints that hear of events, by organization.
type audiences struct {
	current func() *flowengine.Snapshot
	made    atomic.Pointer[madeAudiences]
}

// madeAudiences are those of a snapshot.
type madeAudiences struct {
	from *flowengine.Snapshot
	of   map[string]events.Organization
}

// of returns the audience of an organization; nil where it has no endpoint that is enabled.
func (a *audiences) of(org string) events.Organization {
	s := a.current()
	made := a.made.Load()
	if made == nil || made.from != s {
		made = &madeAudiences{s, map[string]events.Organization{}}
		if s != nil {
			for _, o := range s.Organizations() {
				if enabled := enabledEndpoints(o); len(enabled) > 0 {
					made.of[o.Name] = &audience{Organization: o, enabled: enabled, hearing: map[string][]events.Endpoint{}}
				}
			}
		}
		a.made.Store(made)
	}
	return made.of[org]
}

func enabledEndpoints(o *flowengine.Organization) (enabled []*flowengine.Endpoint) {
	for _, e := range o.Endpoints() {
		if e.Enabled {
			enabled = append(enabled, e)
		}
	}
	return enabled
}

// audience is an organization as a Publisher knows it.
type audience struct {
	*flowengine.Organization
	enabled []*flowengine.Endpoint

	mu      sync.Mutex
	hearing map[string][]events.Endpoint // by type of event
}

// Hearing returns the endpoints that are told of events of a type.
func (a *audience) Hearing(typ string) []events.Endpoint {
	a.mu.Lock()
	defer a.mu.Unlock()
	hearing, known := a.hearing[typ]
	if !known {
		for _, e := range a.enabled {
			if e.Hears(typ) {
				hearing = append(hearing, listener{e, typ})
			}
		}
		a.hearing[typ] = hearing
	}
	return hearing
}

// Tag returns the value of a tag, and whether endpoints may see it: those that nobody has
// defined are written by flows for everybody.
func (a *audience) Tag(name, value string) (typed any, public bool) {
	d, defined := a.Organization.Tag(name)
	return a.TagValue(name, value), !defined || d.Privacy == tags.Public
}

// listener is an endpoint as a Publisher knows it.
type listener struct {
	*flowengine.Endpoint
	typ string
}

// Name returns the name of the endpoint.
func (l listener) Name() string { return l.Endpoint.Name }

// Wants says whether the filter lets an event through.
func (l listener) Wants(about func() (*flowengine.EventVariables, error)) (bool, error) {
	if l.Filter == nil {
		return true, nil
	}
	v, err := about()
	if err != nil {
		return false, err
	}
	return l.Endpoint.Wants(l.typ, v)
}

// complaints remembers what was said, so that it is said once.
type complaints struct {
	mu   sync.Mutex
	said map[[3]string]bool
}

// maxComplaints bounds what is remembered; beyond it, things are said again.
const maxComplaints = 1000

// first says whether this is said for the first time.
func (c *complaints) first(org, endpoint, what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said == nil || len(c.said) >= maxComplaints {
		c.said = map[[3]string]bool{}
	}
	is := [3]string{org, endpoint, what}
	defer func() { c.said[is] = true }()
	return !c.said[is]
}
