package incoming

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/geo"
	"github.com/hookswitch/hookswitch/store"
)

// Field says what became of a field of a request.
type Field struct {
	Field   string        `json:"field"`
	Tag     string        `json:"tag,omitempty"` // that it was for
	Outcome store.Outcome `json:"outcome"`
	Why     string        `json:"why,omitempty"` // it was refused

	event int    // that has its outcome, among those of the input; -1: none
	where string // in the request, where it was refused
}

// The outcomes of fields that lead to nothing; those of others are the store's.
const (
	Refused store.Outcome = "refused" // it does not fit
	Kept    store.Outcome = "kept"    // as data of the request, since nothing is defined by its name
)

// Recent is how far back the call of a caller may have begun that an update is for.
const Recent = 24 * time.Hour

// plan is what a request wants.
type plan struct {
	input  store.Input
	fields []Field
}

// evaluation makes a plan of the fields of a request.
type evaluation struct {
	org  *flowengine.Organization
	hook *flowengine.Incoming
	kind flowengine.Operation
	plan
	at     field           // that is taken in
	seen   map[string]bool // names of fields, and tags as "tag NAME"
	money  money
	source string
}

// evaluate holds fields against what an organization defines. A field that says which call
// is meant, an amount or a conversion must be right, or nothing is done; of tags, each is
// taken or refused by itself.
func evaluate(org *flowengine.Organization, hook *flowengine.Incoming, kind flowengine.Operation, fields []field, now time.Time) (*plan, error) {
	e := &evaluation{org: org, hook: hook, kind: kind, seen: map[string]bool{}, source: "webhook:" + hook.Name}
	e.input = store.Input{Org: org.Name, Webhook: hook.Name, Received: now}
	for _, f := range fields {
		if err := e.field(f); err != nil {
			return &e.plan, err
		}
	}
	if err := e.conclude(); err != nil {
		return &e.plan, err
	}
	switch {
	case len(e.fields) == 0 && kind != flowengine.CallData:
		return &e.plan, refuse(unprocessable, "body", "there is nothing to update")
	case e.input.Call == "" && e.input.Caller == "":
		return &e.plan, refuse(unprocessable, "body.caller_id", "neither caller_id nor call_id says which call is meant")
	case e.input.Call != "": // then the caller does not matter
		e.input.Caller = ""
	case kind == flowengine.CallData:
		e.input.Wait = hook.Life
	default:
		e.input.Since = now.Add(-Recent)
	}
	return &e.plan, nil
}

// wholeNames are the fields of an operation that may be objects.
func wholeNames(kind flowengine.Operation) []string {
	if kind == flowengine.UpdateTags || kind == flowengine.UpdateFields {
		return []string{"add", "remove"}
	}
	return nil
}

// field takes in a field.
func (e *evaluation) field(f field) error {
	if slices.Contains(flowengine.KeyFields, f.name) {
		return nil
	}
	e.at = f
	if e.seen[f.name] {
		e.refused(f.name, "", "there is a field of this name before it")
		return nil
	}
	e.seen[f.name] = true
	switch {
	case slices.Contains(flowengine.CallerFields, f.name):
		return e.caller(f)
	case slices.Contains(flowengine.CallFields, f.name):
		return e.call(f)
	case slices.Contains(flowengine.RequestFields, f.name):
		return e.key(f)
	case slices.Contains(wholeNames(e.kind), f.name):
		return e.list(f)
	}
	if taken, err := e.amount(f); taken || err != nil {
		return err
	}
	if e.kind == flowengine.UpdateRevenue {
		e.kept(f.name)
		return nil
	}
	e.tag(f)
	return nil
}

func (e *evaluation) kept(name string) {
	e.fields = append(e.fields, Field{Field: mask(name), Outcome: Kept, event: -1})
}

func (e *evaluation) refused(name, tag, why string) {
	where := e.at.where + strings.TrimPrefix(name, e.at.name) // of add.state, behind that of add
	e.fields = append(e.fields, Field{Field: mask(name), Tag: tag, Outcome: Refused, Why: why, event: -1, where: mask(where)})
}

// happens adds an event that a field leads to.
func (e *evaluation) happens(name, tag string, event call.Event) {
	e.fields = append(e.fields, Field{Field: mask(name), Tag: tag, event: len(e.input.Events)})
	e.input.Events = append(e.input.Events, event)
}

func (e *evaluation) caller(f field) error {
	text, _ := f.text()
	number, ok := Number(text)
	if !ok {
		return refuse(unprocessable, f.where, "it is no telephone number; +12125550123 is one")
	}
	if e.input.Caller != "" && e.input.Caller != number {
		return refuse(unprocessable, f.where, "it is another caller than the one before")
	}
	e.input.Caller = number
	return nil
}

const maxNumber = 15 // digits (E.164); what is longer is something else, such as a card's

// Number returns a telephone number as callers are compared by it: E.164, where it is one
// in any of the forms that are common in the US or abroad.
func Number(text string) (string, bool) {
	number, ok := geo.E164(text, "US")
	if !ok {
		number = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(text)
	}
	return number, len(strings.TrimPrefix(number, "+")) <= maxNumber && call.ValidNumber(number)
}

const maxID = 128 // bytes of a call's id

func (e *evaluation) call(f field) error {
	text, _ := f.text()
	if text == "" || len(text) > maxID || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return refuse(unprocessable, f.where, "it is no id of a call, of 1 to %d characters", maxID)
	}
	if e.input.Call != "" && e.input.Call != text {
		return refuse(unprocessable, f.where, "it is another call than the one before")
	}
	e.input.Call = text
	return nil
}

// key takes in the idempotency key, if the header did not have one.
func (e *evaluation) key(f field) error {
	text, _ := f.text()
	key, err := e.idempotency(f.where, text)
	if f.name == flowengine.RequestFields[0] || e.input.Key == "" {
		e.input.Key = key
	}
	return err
}

const maxKey = 200 // bytes of an idempotency key

// idempotency returns the key that the store compares. The operations of a webhook do not
// share keys: the id of a lead may be that of its revenue, too. It is a hash, since what
// senders take for a key may be what nobody should read.
func (e *evaluation) idempotency(where, text string) (string, error) {
	if text == "" || len(text) > maxKey {
		return "", refuse(unprocessable, where, "an idempotency key has 1 to %d bytes", maxKey)
	}
	return fmt.Sprintf("%s %x", e.kind, sha256.Sum256([]byte(text))), nil
}

// complete fills in the outcomes that the store told, one for each event.
func (p *plan) complete(outcomes []store.Outcome) []Field {
	fields := slices.Clone(p.fields)
	for i := range fields {
		if at := fields[i].event; at >= 0 {
			fields[i].Outcome = outcomes[at]
		}
	}
	return fields
}

// hopeless says whether every field that could have led to something was refused.
func (p *plan) hopeless() bool {
	return len(p.input.Events) == 0 && slices.ContainsFunc(p.fields, func(f Field) bool { return f.Outcome == Refused })
}

// refusals names the fields that were refused.
func (p *plan) refusals() (out []place) {
	for _, f := range p.fields {
		if f.Outcome == Refused {
			out = append(out, place{f.where, f.Why})
		}
	}
	return out
}
