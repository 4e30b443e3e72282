package portal

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
)

func (p *Portal) callMoney() {
	for _, kind := range []struct{ name, from string }{{"revenue", "due from the buyers"}, {"payout", "due to the publisher"}} {
		register(p, operation{
			method: http.MethodPut, path: "/calls/{call}/" + kind.name, id: "set-call-" + kind.name, tag: tagCalls, scope: keys.WriteTags, errors: []int{404},
			summary: "Sets the " + kind.name + " of a call",
			about: "Sets the amount that is " + kind.from + ". Amounts are absolute: each is an entry in the ledger of the call, and the last\n" +
				"one counts. One that the call has already changes nothing. Of a live call it is queued until the call has ended.",
		}, func(ctx context.Context, in *moneyOrder) (*answer[receipt], error) {
			return p.setAmount(ctx, kind.name, in)
		})
	}
	register(p, operation{
		method: http.MethodPut, path: "/calls/{call}/conversion", id: "set-call-conversion", tag: tagCalls, scope: keys.WriteTags, errors: []int{404},
		summary: "Says whether a call is a conversion",
		about:   "Says whether a call is a conversion, whatever the rule of its campaign says.",
	}, p.setConversion)
}

// moneyOrder sets an amount.
type moneyOrder struct {
	WholeCallPath
	Once
	Body struct {
		Amount   string `json:"amount" maxLength:"40" doc:"Decimal, with at most six decimals, not negative." example:"40.00"`
		Currency string `json:"currency,omitempty" maxLength:"3" doc:"ISO 4217; left out, that of the organization." example:"USD"`
		Reason   string `json:"reason,omitempty" maxLength:"500" doc:"Why, on one line." example:"the policy was sold"`
	}
}

func (p *Portal) setAmount(ctx context.Context, kind string, in *moneyOrder) (*answer[receipt], error) {
	b := in.Body
	amount, err := call.ParseAmount(b.Amount)
	switch {
	case err != nil:
		return nil, wrong(field("body.amount", "%v", err))
	case amount < 0:
		return nil, wrong(field("body.amount", "an amount is not negative"))
	case b.Currency != "" && !call.IsCurrency(b.Currency):
		return nil, wrong(field("body.currency", "a currency is three capital letters (ISO 4217), as USD"))
	case !oneLine(b.Reason):
		return nil, wrong(field("body.reason", "a reason is one line"))
	}
	attrs := map[string]string{"kind": kind, "amount": amount.String(), "currency": cmp.Or(b.Currency, p.currency(ctx)), "source": sourceAPI}
	if b.Reason != "" {
		attrs["reason"] = b.Reason
	}
	return p.receive(ctx, in.Call, kind, in.Once, call.Event{Type: call.Money, Attrs: attrs})
}

// currency returns that of the organization.
func (p *Portal) currency(ctx context.Context) string {
	if o := p.organization(org(ctx)); o != nil {
		return o.Currency
	}
	return flowengine.DefaultCurrency
}

func (p *Portal) setConversion(ctx context.Context, in *struct {
	WholeCallPath
	Once
	Body struct {
		Converted bool       `json:"converted" doc:"Whether it is one."`
		At        *time.Time `json:"at,omitempty" doc:"Since when it is one; left out, since now."`
		Reason    string     `json:"reason,omitempty" maxLength:"500" doc:"Why, on one line."`
	}
}) (*answer[receipt], error) {
	b := in.Body
	switch {
	case !oneLine(b.Reason):
		return nil, wrong(field("body.reason", "a reason is one line"))
	case b.At != nil && !b.Converted:
		return nil, wrong(field("body.at", "a call that is no conversion has no such moment"))
	}
	attrs := map[string]string{"converted": strconv.FormatBool(b.Converted), "source": sourceAPI}
	if b.At != nil {
		attrs["at"] = b.At.UTC().Format(time.RFC3339)
	}
	if b.Reason != "" {
		attrs["reason"] = b.Reason
	}
	return p.receive(ctx, in.Call, "conversion", in.Once, call.Event{Type: call.Converted, Attrs: attrs})
}

func oneLine(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) }
