package call

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// MoneyRule is an amount that is due when a call has been connected for long enough.
type MoneyRule struct {
	Amount   Amount
	Currency string        // ISO 4217: USD
	After    time.Duration // connected time, in whole milliseconds; 0: it is due at the connection
}

var ruleSyntax = regexp.MustCompile(`^([0-9.]{1,20}) ([A-Z]{3}) after ([0-9]{1,12})$`)

// ParseMoneyRule reads what String writes.
func ParseMoneyRule(s string) (MoneyRule, error) {
	m := ruleSyntax.FindStringSubmatch(s)
	if m == nil {
		return MoneyRule{}, fmt.Errorf("%.60q is no rule: one such as 25.00 USD after 30000", s)
	}
	amount, err := ParseAmount(m[1])
	if err != nil {
		return MoneyRule{}, err
	}
	ms, err := strconv.ParseInt(m[3], 10, 64)
	return MoneyRule{amount, m[2], time.Duration(ms) * time.Millisecond}, err
}

// String is the form that events have, with the time in milliseconds: 25.00 USD after 30000.
func (r MoneyRule) String() string {
	return fmt.Sprintf("%s %s after %d", r.Amount, r.Currency, r.After.Milliseconds())
}
