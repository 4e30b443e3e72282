package calllog

import (
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Cut makes a page of what Search.Page has found, and lists the numbers of the calls
// that may wait for a journal.
func (s *Search) Cut(calls []*Call) (page store.Page, waiting []int64) {
	if len(calls) > s.Limit {
		calls = calls[:s.Limit]
		last := calls[len(calls)-1]
		page.Next = Cursor(last.Started, last.N)
	}
	for _, c := range calls {
		page.Calls = append(page.Calls, c.Call)
		if c.State != store.Complete {
			waiting = append(waiting, c.N)
		}
	}
	return page, waiting
}

// Missing enters into calls what they wait for.
func Missing(calls []*Call, gaps map[int64][]store.Gap) {
	for _, c := range calls {
		c.Missing = gaps[c.N]
	}
}

// Organizations finds those that have calls, one step in the index each.
const Organizations = `WITH RECURSIVE found(org) AS (
	SELECT min(org) FROM calls
	UNION ALL
	SELECT (SELECT min(org) FROM calls WHERE org > found.org) FROM found WHERE found.org IS NOT NULL
) SELECT org FROM found WHERE org IS NOT NULL ORDER BY org`

// ByID finds the calls of organization $1 whose ids begin with $2, which is before $3:
// the id itself first.
var ByID = "SELECT " + Names("", CallColumns) + " FROM calls WHERE org = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT 6"

// Behind returns a text that is behind all that begin with a prefix.
func Behind(prefix string) string { return prefix + "\U0010ffff" }

// Only returns the one call that was meant by a part of its id.
func Only(found []*Call, part string) (*Call, error) {
	switch {
	case len(found) == 0:
		return nil, store.ErrNotFound
	case len(found) == 1 || found[0].ID == part:
		return found[0], nil
	}
	ambiguous := &store.AmbiguousError{Part: part}
	for _, c := range found[:min(len(found), 5)] {
		ambiguous.IDs = append(ambiguous.IDs, c.ID)
	}
	return nil, ambiguous
}

// Whole returns the call of a row with all that its events tell. What it waits for is
// known by the log alone, and so is what was entered in its ledger.
func Whole(row *Call, past Past, missing []store.Gap) (*store.Call, error) {
	p := Part{Org: row.Org, ID: row.ID, events: past.Events}
	c, err := p.Project()
	if err != nil {
		return nil, err
	}
	c.State, c.Missing, c.Ledger = row.State, missing, past.Ledger
	return c, nil
}

// Read completes a call of which a driver read the row.
func (c *Call) Read() {
	c.Started = c.Started.UTC()
	for _, t := range []*time.Time{c.Answered, c.Connected, c.Ended, c.ConvertedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	c.Revenue, c.Payout = c.revenue.read(), c.payout.read()
}
