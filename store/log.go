package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Log keeps the calls. What comes in is events, exactly as they stand in the
// journals of the nodes; what comes out are the records that Project makes of them.
type Log interface {
	// Append takes in what a journal holds between two positions: all of the batch, or
	// none of it. It fails with a *PositionError, and changes nothing, when the store is
	// not at Batch.From: then somebody was faster, or an earlier answer was lost. A
	// *RejectedError says that all was taken in but some calls.
	Append(ctx context.Context, b Batch) error

	// Position returns up to where a journal was taken in; the zero Position for one that
	// was never seen.
	Position(ctx context.Context, journal string) (Position, error)

	// Journals lists the journals that came under the name of a node, at most 100, the one
	// that was heard of last first.
	Journals(ctx context.Context, node string) ([]Journal, error)

	// Organizations lists those that have calls, sorted: "" among them where there are
	// calls to numbers that nobody has.
	Organizations(ctx context.Context) ([]string, error)

	// Search lists the calls of an organization, newest first.
	Search(ctx context.Context, org string, q Query) (Page, error)

	// Call returns a call with its legs, tags, why-not and events. The id may be cut
	// short as long as only one call of the organization begins with it; *AmbiguousError
	// otherwise.
	Call(ctx context.Context, org, id string) (*Call, error)

	// Settle marks the calls that ended, and of which every earlier controller's journal
	// has been taken in, as complete; and those that have waited for longer than patience, since
	// Settle first saw them, as incomplete, until it has. It returns how many of each.
	Settle(ctx context.Context, now time.Time, patience time.Duration) (complete, incomplete int, err error)

	// Prune removes the calls of an organization that ended before a moment, at most limit
	// of them, and returns how many.
	Prune(ctx context.Context, org string, before time.Time, limit int) (int, error)
}

// Pinger says whether a store answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Position is a place in a journal: everything before it was taken in. Its text is
// SEGMENT.OFFSET.
type Position struct {
	Segment int   // number of the segment
	Offset  int64 // in bytes, behind a whole line
}

func (p Position) String() string { return fmt.Sprintf("%d.%d", p.Segment, p.Offset) }

// Compare returns -1, 0 or 1 as p is before, at or behind q.
func (p Position) Compare(q Position) int {
	switch {
	case p == q:
		return 0
	case p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset:
		return -1
	}
	return 1
}

// ParsePosition reads the text of a position; the empty text is the zero Position.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	segment, offset, _ := strings.Cut(s, ".")
	n, err1 := strconv.Atoi(segment)
	at, err2 := strconv.ParseInt(offset, 10, 64)
	if p := (Position{n, at}); err1 == nil && err2 == nil && n >= 0 && at >= 0 && p.String() == s {
		return p, nil
	}
	return Position{}, fmt.Errorf("position %.40q is not SEGMENT.OFFSET", s)
}

// Batch is what a journal holds between two positions.
type Batch struct {
	Journal  string    // id of the journal
	Node     string    // name of the Hookswitch node that writes it
	From, To Position  // alike when there is nothing to tell but Until
	Until    time.Time // every event that the journal recorded before is in this batch or an earlier one
	Closed   bool      // the journal was closed, and nothing follows until it is opened again
	Lines    []Line    // in the order of the journal
}

// Journal is what the store knows of one.
type Journal struct {
	ID     string
	Until  time.Time // of the last batch
	Closed bool      // likewise
}

// Since returns when a journal began of which this is the first batch.
func (b Batch) Since() time.Time {
	if len(b.Lines) > 0 {
		return b.Lines[0].Event.Time
	}
	return b.Until
}

// Line is an event and the line of JSON that it was read from, with its newline.
type Line struct {
	Event call.Event
	Raw   []byte
}

// PositionError says that a store is elsewhere in a journal than the batch begins.
type PositionError struct{ Have Position }

func (e *PositionError) Error() string { return fmt.Sprintf("the store is at position %s", e.Have) }

// RejectedError says of which calls a batch held events that no record could be made of.
// They are set aside, as they are, in the table rejected; the rest of the batch was taken
// in, and the position has moved.
type RejectedError struct{ Calls []Rejected }

// Rejected is a call whose events were set aside.
type Rejected struct {
	Org, ID string
	Err     error
}

func (e *RejectedError) Error() string {
	first := e.Calls[0]
	return fmt.Sprintf("events of %d calls were set aside, the first of them %s: %v", len(e.Calls), first.ID, first.Err)
}

// QueryError says what is wrong with a query.
type QueryError struct{ Field, Why string }

func (e *QueryError) Error() string { return e.Field + ": " + e.Why }

// AmbiguousError says that several calls begin with the same part of an id.
type AmbiguousError struct {
	Part string
	IDs  []string // the first of them
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("several calls begin with %q: %s", e.Part, strings.Join(e.IDs, ", "))
}

// Query says which calls are wanted; the zero value of a field asks for nothing.
// All fields must hold.
type Query struct {
	From, To  time.Time // began at or after From, before To
	Number    string    // that was dialled; a leading + does not matter
	Caller    string    // as Number
	Campaign  string
	Target    string // was dialled
	Tag       string // NAME, or NAME=VALUE
	Cause     call.Cause
	State     State
	Converted *bool  // a conversion, or said not to be one
	Limit     int    // calls on the page, 1 to 1,000; 0: 50
	After     string // Page.Next of the page before
}

// Page is a part of what was found.
type Page struct {
	Calls []*Call // without events, legs, tags, why-not and ledger
	Next  string  // for Query.After; empty on the last page
}
