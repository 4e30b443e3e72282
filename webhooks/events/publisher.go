// Package events decides what endpoints are told of calls: it makes messages of what
// happens, with a body that has a version and a schema for each type (docs/events.md).
//
// A message has its id by what it tells: the same thing has the same id, whoever tells of
// it, and when. So it does not matter that a store asks again after a failure, that two
// servers tell of the same end, or that a mark which nobody told in time is made of the
// end of the connection: a second message of an id is none.
package events

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// Organization is what an organization has configured about its events.
type Organization interface {
	// Hearing returns the endpoints that are told of events of a type, unless their filters
	// keep one from them.
	Hearing(typ string) []Endpoint
	// Tag returns the value of a tag as it is defined, a string, a number or a boolean,
	// and whether endpoints may see it.
	Tag(name, value string) (typed any, public bool)
}

// Endpoint is somebody who is told.
type Endpoint interface {
	Name() string
	// Wants says whether the filter lets an event through. It asks about the event only if
	// there is a filter.
	Wants(about func() (*flowengine.EventVariables, error)) (bool, error)
}

// Publisher makes messages of what happens to calls. It is a store.Publisher.
type Publisher struct {
	// Organization returns what is in force now of an organization; nil: none of its
	// endpoints is told of anything.
	Organization func(name string) Organization
	// Problem is told what kept an endpoint from being told, or all of them for "". It may
	// be told the same again, and waits for nothing.
	Problem func(org, endpoint string, err error)
}

// Publish returns what is to be told of a call of which some events are new. Where that
// fails, it says so aloud and returns what it has: the record of the call is kept.
func (p *Publisher) Publish(c *store.Call, news []call.Event) (out []store.Message) {
	org := p.Organization(c.Org)
	if org == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			p.Problem(c.Org, "", fmt.Errorf("what call %s tells: panic: %v", c.ID, v))
		}
	}()
	var about *Call // made when it is needed
	for _, t := range tell(c, news, org) {
		hearing := org.Hearing(t.typ)
		if len(hearing) == 0 {
			continue
		}
		if about == nil {
			about = callOf(c, org)
		}
		if m, ok := p.message(c.Org, t.body(c.Org, about), hearing); ok {
			out = append(out, m)
		}
	}
	return out
}

// Disabled returns what the other endpoints of an organization are told of one that is
// sent nothing more; false: none of them wants to know.
func (p *Publisher) Disabled(org, endpoint, why string, at time.Time) (store.Message, bool) {
	is := p.Organization(org)
	if is == nil {
		return store.Message{}, false
	}
	others := slices.DeleteFunc(slices.Clone(is.Hearing(EndpointDisabled)), func(e Endpoint) bool { return e.Name() == endpoint })
	t := disabling(endpoint, why, at)
	return p.message(org, t.body(org, nil), others)
}

// message writes the body for those who want it; false: nobody does.
func (p *Publisher) message(org string, b *Body, hearing []Endpoint) (store.Message, bool) {
	m, err := b.message(org)
	if err != nil {
		p.Problem(org, "", err)
		return m, false
	}
	about := sync.OnceValues(func() (*flowengine.EventVariables, error) { return Variables(m) })
	for _, e := range hearing {
		wants, err := e.Wants(about)
		if err != nil {
			p.Problem(org, e.Name(), fmt.Errorf("filter, at %s: %w", b.Type, err))
		} else if wants {
			m.To = append(m.To, e.Name())
		}
	}
	return m, len(m.To) > 0
}

// telling is one thing that is told.
type telling struct {
	what  string // names it within its call
	typ   string
	at    time.Time
	place place
	event any // data.event
}

// body returns what the endpoints of an organization are told.
func (t *telling) body(org string, about *Call) *Body {
	id := ""
	if about != nil {
		id = about.ID
	}
	return &Body{Type: t.typ, Timestamp: t.at.UTC().Truncate(time.Microsecond),
		Data: Data{Version: Version, ID: messageID(org, id, t.what), Sequence: t.place.sequence(), Organization: org, Call: about, Event: t.event}}
}

// disabling tells that an endpoint is sent nothing more.
func disabling(endpoint, why string, at time.Time) telling {
	return telling{what: fmt.Sprintf("%s %s %d", EndpointDisabled, endpoint, at.UnixNano()), typ: EndpointDisabled, at: at, event: Disabling{endpoint, why}}
}

// messageID names what is told of a call.
func messageID(org, call, what string) string {
	h := sha256.Sum256([]byte(org + "\x00" + call + "\x00" + what))
	return "msg_" + strings.ToLower(base32.StdEncoding.EncodeToString(h[:20]))
}

// place is where something belongs in a call: at an event, and before or after what the
// event itself tells.
type place struct{ epoch, seq, part int }

// The parts of a place.
const (
	earlier    = 0 // what comes before the event and was not told: a connection, marks
	itself     = 50
	conclusion = 60 // what follows from an end: money, conversion, completion
)

// sequence writes the place as one number, exact in JSON: EPOCH SSSSSS PP.
func (p place) sequence() int64 {
	return int64(p.epoch)*1e8 + int64(min(p.seq, 999_999))*100 + int64(min(p.part, 99))
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.epoch, q.epoch), cmp.Compare(p.seq, q.seq), cmp.Compare(p.part, q.part))
}

func (p place) before(q place) bool { return p.compare(q) < 0 }

func placeOf(e *call.Event, part int) place { return place{e.Epoch, e.Seq, part} }
