package incoming

import (
	"net/http"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

const unprocessable = http.StatusUnprocessableEntity

// money is what a request says of the worth of a call.
type money struct {
	sums      []sum
	converted *bool
	at        string // when it was converted, RFC 3339
	as        string // field that says whether or when
	currency  string
	reason    string
	unpaid    string   // why nothing is paid out
	about     []string // fields that are about the others: currency, reason
}

// sum is an amount that a field sets.
type sum struct {
	field, where, kind string
	amount             call.Amount
}

// amountNames are the fields that set amounts, and of what kind.
var amountNames = map[flowengine.Operation]map[string]string{
	flowengine.UpdateRevenue: {"revenue": "revenue", "amount": "revenue", "payout": "payout"},
	flowengine.UpdateFields:  {"revenue": "revenue", "revenue_paid_out": "revenue", "payout": "payout", "publisher_paid_out": "payout"},
}

// maxReason bounds a reason, in bytes.
const maxReason = 500

// amount takes in a field that says what the call is worth, if it is one.
func (e *evaluation) amount(f field) (taken bool, err error) {
	names := amountNames[e.kind]
	if names == nil {
		return false, nil
	}
	if kind, ok := names[f.name]; ok {
		return true, e.sum(f, kind)
	}
	fields := e.kind == flowengine.UpdateFields
	switch {
	case f.name == "converted":
		return true, e.conversion(f)
	case f.name == "call_converted_at" && fields:
		return true, e.convertedAt(f)
	case f.name == "currency":
		text, _ := f.text()
		if !call.IsCurrency(text) {
			return true, refuse(unprocessable, f.where, "it is no currency; USD is one")
		}
		e.money.currency, e.money.about = text, append(e.money.about, f.name)
		return true, nil
	case f.name == "reason", f.name == "no_payout_reason" && fields:
		return true, e.why(f)
	}
	return false, nil
}

func (e *evaluation) sum(f field, kind string) error {
	text, _ := f.text()
	amount, err := call.ParseAmount(text)
	switch {
	case err != nil:
		return refuse(unprocessable, f.where, "it is no amount; 25.50 is one, with at most six decimals and no exponent")
	case amount < 0:
		return refuse(unprocessable, f.where, "an amount is not below 0")
	}
	for _, other := range e.money.sums {
		if other.kind == kind {
			return refuse(unprocessable, f.where, "%s says this already", other.field)
		}
	}
	e.money.sums = append(e.money.sums, sum{f.name, f.where, kind, amount})
	return nil
}

func (e *evaluation) conversion(f field) error {
	text, _ := f.text()
	value := false
	switch text {
	case "true", "1":
		value = true
	case "false", "0":
	default:
		return refuse(unprocessable, f.where, "it is neither true nor false")
	}
	e.money.converted, e.money.as = &value, f.name
	return nil
}

func (e *evaluation) convertedAt(f field) error {
	if f.value == nil {
		e.kept(f.name)
		return nil
	}
	text, _ := f.text()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return refuse(unprocessable, f.where, "it is no moment; 2026-07-31T12:00:00Z is one")
	}
	e.money.at, e.money.about = at.UTC().Format(time.RFC3339Nano), append(e.money.about, f.name)
	return nil
}

func (e *evaluation) why(f field) error {
	text, ok := f.text()
	switch {
	case f.value == nil:
		e.kept(f.name)
		return nil
	case !ok || text == "" || len(text) > maxReason:
		return refuse(unprocessable, f.where, "a reason is a text of 1 to %d bytes", maxReason)
	case f.name == "reason":
		e.money.reason = mask(text)
	default:
		e.money.unpaid = mask(text)
	}
	e.money.about = append(e.money.about, f.name)
	return nil
}

// conclude makes events of what was said of the worth of the call.
func (e *evaluation) conclude() error {
	m := &e.money
	if err := e.unpaid(); err != nil {
		return err
	}
	switch {
	case e.kind == flowengine.UpdateRevenue && len(m.sums) == 0 && m.converted == nil:
		return refuse(unprocessable, "body.revenue", "there is nothing to update: neither revenue, nor payout, nor converted")
	case m.at != "" && m.converted != nil && !*m.converted:
		return refuse(unprocessable, "body.call_converted_at", "a call that is not converted has no such moment")
	case m.at != "" && m.converted == nil:
		yes := true
		m.converted, m.as = &yes, "call_converted_at"
	}
	first := len(e.input.Events)
	for _, s := range m.sums {
		currency := m.currency
		if currency == "" {
			currency = e.org.Currency
		}
		attrs := map[string]string{"kind": s.kind, "amount": s.amount.String(), "currency": currency, "source": e.source}
		reason := m.reason
		if s.kind == "payout" && m.unpaid != "" {
			reason = m.unpaid
		}
		put(attrs, "reason", reason)
		e.happens(s.field, "", call.Event{Type: call.Money, Attrs: attrs})
	}
	if m.converted != nil {
		attrs := map[string]string{"converted": "false", "source": e.source}
		if *m.converted {
			attrs["converted"] = "true"
		}
		put(attrs, "at", m.at)
		put(attrs, "reason", m.reason)
		e.happens(m.as, "", call.Event{Type: call.Converted, Attrs: attrs})
	}
	for _, name := range m.about { // they share the outcome of what they are about
		switch {
		case name == m.as, slices.ContainsFunc(m.sums, func(s sum) bool { return s.field == name }):
		case first < len(e.input.Events):
			e.fields = append(e.fields, Field{Field: name, event: first})
		default:
			e.kept(name)
		}
	}
	return nil
}

// unpaid makes of the reason why nothing is paid out a payout of nothing.
func (e *evaluation) unpaid() error {
	if e.money.unpaid == "" {
		return nil
	}
	for _, s := range e.money.sums {
		if s.kind == "payout" && s.amount != 0 {
			return refuse(unprocessable, s.where, "there is a no_payout_reason beside it")
		}
		if s.kind == "payout" {
			return nil
		}
	}
	e.money.sums = append(e.money.sums, sum{"no_payout_reason", "body.no_payout_reason", "payout", 0})
	return nil
}

func put(attrs map[string]string, name, value string) {
	if value != "" {
		attrs[name] = value
	}
}
