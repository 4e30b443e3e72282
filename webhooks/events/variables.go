package events

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// Variables returns what the filters and the templates of endpoints see of a message. The
// time, now, is that of the message: every attempt to deliver it says the same.
func Variables(m store.Message) (*flowengine.EventVariables, error) {
	var b struct{ Data map[string]any }
	if err := json.Unmarshal(m.Body, &b); err != nil {
		return nil, fmt.Errorf("the body of message %s: %w", m.ID, err)
	}
	plain(b.Data)
	v := &flowengine.EventVariables{Event: flowengine.EventFields{Type: m.Type, ID: m.ID, Time: m.Time, Data: b.Data}}
	v.Now, v.Tags, v.Campaign = m.Time, map[string]any{}, map[string]string{}
	c, ok := b.Data["call"].(map[string]any)
	if !ok {
		return v, nil
	}
	text := func(name string) string {
		s, _ := c[name].(string)
		return s
	}
	started, err := time.Parse(time.RFC3339, text("started"))
	if err != nil {
		return nil, fmt.Errorf("the body of message %s: started: %w", m.ID, err)
	}
	v.Call = flowengine.CallVariables{ID: text("id"), Started: started}
	v.Caller = flowengine.CallerVariables{Number: text("caller"), Name: text("name")}
	v.Number = text("number")
	if campaign := text("campaign"); campaign != "" {
		v.Campaign = map[string]string{"name": campaign, "mode": text("mode"), "plan": text("plan"), "publisher": text("publisher"), "organization": m.Org}
	}
	if tags, ok := c["tags"].(map[string]any); ok {
		v.Tags = tags
	}
	return v, nil
}

// plain makes of the whole numbers of a decoded document what the expressions of flows
// have: an int.
func plain(in any) any {
	switch t := in.(type) {
	case float64:
		if t == math.Trunc(t) && math.Abs(t) < 1<<53 {
			return int(t)
		}
	case map[string]any:
		for k, v := range t {
			t[k] = plain(v)
		}
	case []any:
		for i, v := range t {
			t[i] = plain(v)
		}
	}
	return in
}
