package events

import (
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
)

// What a call of fourteen events costs: without endpoints, with three, and with three of
// which each has a filter.
func BenchmarkPublish(b *testing.B) {
	texan := func(v *flowengine.EventVariables) (bool, error) { return v.Tags["state"] == "TX", nil }
	three := func(wants func(*flowengine.EventVariables) (bool, error)) organization {
		return organization{{"crm", nil, wants}, {"ops", []string{CallFailed, FlowError}, wants}, {"sheet", []string{CallEnded, CallCompleted}, wants}}
	}
	events := laid(connected)
	c := record(events)
	for name, o := range map[string]organization{"none": nil, "three": three(nil), "filters": three(texan)} {
		b.Run(name, func(b *testing.B) {
			p := publisher(b, o)
			b.ReportAllocs()
			for b.Loop() {
				if n := len(p.Publish(c, events)); n > 0 != (len(o) > 0) {
					b.Fatalf("%d messages", n)
				}
			}
		})
	}
}
