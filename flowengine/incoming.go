package flowengine

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
)

// Incoming is a webhook that another system calls, with a key of its own. It does not
// change.
type Incoming struct {
	Name    string
	Title   string            // for people
	Accepts []Operation       // what it may be used for
	Life    time.Duration     // how long data waits for the next call of a caller who has none
	Fields  map[string]string // tags by the names that the fields of requests have
	Rate    int               // requests a second
}

// Takes says whether the webhook may be used for something.
func (i *Incoming) Takes(o Operation) bool { return slices.Contains(i.Accepts, o) }

// Operation is what an incoming webhook is used for: the last part of its address.
type Operation string

// The operations.
const (
	CallData      Operation = "call-data"
	UpdateTags    Operation = "update-tags"
	UpdateRevenue Operation = "update-revenue"
	UpdateFields  Operation = "update-fields"
)

// Operations lists the operations.
var Operations = []Operation{CallData, UpdateTags, UpdateRevenue, UpdateFields}

// ReservedFields are the names of fields that mean something to every webhook: which call,
// whose key, and which request it is.
var ReservedFields = []string{"caller_id", "phone_number", "call_id", "call_log_id", "idempotency_key", "id", "key", "moja_auth_key"}

const (
	maxLife      = 30 * 24 * time.Hour
	maxRate      = 1000
	maxFields    = 200
	maxFieldName = 200 // bytes
)

// incoming reads NAME: {accepts:, life: …}.
func (l *loader) incoming(e entry) {
	s := struct {
		Name    title             `yaml:"name"`
		Accepts []string          `yaml:"accepts,required"`
		Life    span              `yaml:"life"`
		Fields  map[string]string `yaml:"fields"`
		Rate    int               `yaml:"rate"`
	}{Life: span(time.Hour), Rate: 50}
	if !e.decode(&s, "incoming webhook", "write {accepts: [call-data]}") {
		return
	}
	c := &Check{doc: e.doc, node: e.value}
	if len(s.Accepts) == 0 {
		c.Problem("accepts", DidYouMean("", texts(Operations)), "accepts: it accepts nothing")
	}
	listOf(c, "accepts", "use", s.Accepts, Operations)
	if d := time.Duration(s.Life); d > maxLife {
		c.Problem("life", "", "life: %s is not between 1s and %.0fh", call.ShortDuration(d), maxLife.Hours())
	}
	if s.Rate < 1 || s.Rate > maxRate {
		c.Problem("rate", "", "rate: %d is not between 1 and %d", s.Rate, maxRate)
	}
	if n := len(s.Fields); n > maxFields {
		c.Problem("fields", "", "fields: there can be %d, not %d", maxFields, n)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if n := len(name); n < 1 || n > maxFieldName || !utf8.ValidString(name) {
			c.Problem("fields/"+name, "", "the name of a field has 1 to %d bytes, not %d", maxFieldName, n)
		}
		if slices.Contains(ReservedFields, name) {
			c.Problem("fields/"+name, "leave it out, or have the sender name it otherwise", "fields: %s means something else already", name)
		}
		l.refer(e.doc, c.place("fields/"+name).node, "tag", s.Fields[name])
	}
	out := &Incoming{Name: e.key.Value, Title: s.Name.or(e.key.Value), Life: time.Duration(s.Life), Fields: s.Fields, Rate: s.Rate}
	for _, o := range s.Accepts {
		out.Accepts = append(out.Accepts, Operation(o))
	}
	l.org.incoming[out.Name] = out
}
