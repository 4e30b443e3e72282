package flowtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Data is what somebody outside has to say about the call.
type Data struct {
	After flowengine.Duration          `yaml:"after"` // so long after the beginning of the call; 0: it waited for the caller
	Tags  map[string]flowengine.Scalar `yaml:"tags,required"`
}

// Join returns the data that have come so far.
func (p *Phone) Join(context.Context, string, string, string) (inputs []flowengine.Input, fallback string) {
	for i := range p.Data {
		if !p.arrival(i).After(p.Clock.at) {
			inputs = append(inputs, p.input(i))
		}
	}
	return inputs, ""
}

func (p *Phone) arrival(i int) time.Time { return p.began.Add(time.Duration(p.Data[i].After)) }

func (p *Phone) input(i int) flowengine.Input {
	in := flowengine.Input{N: int64(i + 1), ID: fmt.Sprintf("data-%d", i+1)}
	for _, name := range slices.Sorted(maps.Keys(p.Data[i].Tags)) {
		in.Events = append(in.Events, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": name, "value": p.Data[i].Tags[name].String(), "source": "webhook"}})
	}
	return in
}

// arrive gives the data that come until a moment to the controller of the call; where
// there is none, the next one joins them.
func (p *Phone) arrive(until time.Time) {
	from := p.Clock.at
	for i := range p.Data {
		if at := p.arrival(i); at.After(from) && !at.After(until) {
			p.Clock.at = at
			p.engine.Deliver(p.Call.ID, p.input(i))
		}
	}
}
