package store

import (
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
)

// Matches says whether a query asks for the call, which has its legs and tags. The
// engines say the same in SQL.
func (q Query) Matches(c *Call) bool {
	name, value, valued := strings.Cut(q.Tag, "=")
	return (q.From.IsZero() || !c.Started.Before(q.From)) &&
		(q.To.IsZero() || c.Started.Before(q.To)) &&
		(q.Number == "" || call.PlainNumber(q.Number) == call.PlainNumber(c.Number)) &&
		(q.Caller == "" || call.PlainNumber(q.Caller) == call.PlainNumber(c.Caller)) &&
		(q.Campaign == "" || q.Campaign == c.Campaign) &&
		(q.Cause == "" || q.Cause == c.Cause) &&
		(q.State == "" || q.State == c.State) &&
		(q.Converted == nil || c.Converted != nil && *q.Converted == *c.Converted) &&
		(q.Target == "" || slices.ContainsFunc(c.Legs, func(l Leg) bool { return l.Target == q.Target })) &&
		(q.Tag == "" || slices.ContainsFunc(c.Tags, func(t Tag) bool { return t.Current && t.Name == name && (!valued || t.Value == value) }))
}
