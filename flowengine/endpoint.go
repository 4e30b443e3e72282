package flowengine

import "time"

// EventVariables is what the expressions of an endpoint see. There are no Vars.
type EventVariables struct {
	Variables
	Event EventFields
}

// EventFields are the fields of event in an expression.
type EventFields struct {
	Type string         `expr:"type"`
	ID   string         `expr:"id"`   // of the message
	Time time.Time      `expr:"time"` // when it happened
	Data map[string]any `expr:"data"` // of the standard body, decoded
}
