// Package outbox is what both engines of the outbox have in common: the rows of messages,
// the pages of deliveries, and what attempts say of an endpoint.
package outbox

import (
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Messages returns the messages as they are kept: each id of an organization once, and
// those that nobody is told not at all.
func Messages(all []store.Message) []store.Message {
	type key struct{ org, id string }
	seen := make(map[key]bool, len(all))
	kept := make([]store.Message, 0, len(all))
	for _, m := range all {
		m.Org, m.ID, m.Call, m.Type = calllog.Name(m.Org), calllog.Name(m.ID), calllog.Name(m.Call), calllog.Name(m.Type)
		if k := (key{m.Org, m.ID}); len(m.To) > 0 && !seen[k] {
			seen[k] = true
			if m.Body == nil {
				m.Body = []byte{}
			}
			kept = append(kept, m)
		}
	}
	return kept
}

// Wait is after what time one that is behind another is looked at, if that is not done
// before.
const Wait = 5 * time.Second
