package store

import (
	"maps"

	"github.com/hookswitch/hookswitch/call"
)

// Masked stands for the value of a tag that is hidden.
const Masked = "***"

// Hide takes the values of tags out of the record and its events, those that it held
// before as well.
func (c *Call) Hide(hidden func(tag string) bool) {
	for i := range c.Tags {
		if t := &c.Tags[i]; hidden(t.Name) {
			t.Value = Masked
			if t.Replaced != nil {
				t.Replaced = new(string)
				*t.Replaced = Masked
			}
		}
	}
	for i := range c.Events {
		if e := &c.Events[i]; e.Type == call.Tagged && hidden(e.Attrs["tag"]) {
			e.Attrs = maps.Clone(e.Attrs)
			for _, attr := range []string{"value", "replaced"} {
				if _, has := e.Attrs[attr]; has {
					e.Attrs[attr] = Masked
				}
			}
		}
	}
}
