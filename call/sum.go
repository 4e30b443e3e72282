package call

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sum is an amount in a currency. Its text is as 25.00 USD.
type Sum struct {
	Amount   Amount `json:"amount"`
	Currency string `json:"currency"` // ISO 4217
}

// ParseSum reads the text of a sum.
func ParseSum(s string) (Sum, error) {
	amount, currency, _ := strings.Cut(s, " ")
	a, err := ParseAmount(amount)
	if err != nil {
		return Sum{}, err
	}
	if !IsCurrency(currency) {
		return Sum{}, fmt.Errorf("%.40q is no currency: three capital letters, as USD", currency)
	}
	return Sum{a, currency}, nil
}

func (s Sum) String() string { return s.Amount.String() + " " + s.Currency }

// IsCurrency says whether s has the form of a code of ISO 4217.
func IsCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// Terms say what is due for a call, and how long the caller must have been connected for
// it. Their text, as it stands in events, is as 25.00 USD after 30000, in milliseconds.
type Terms struct {
	Sum
	After time.Duration
}

// ParseTerms reads the text of terms.
func ParseTerms(s string) (Terms, error) {
	sum, after, _ := strings.Cut(s, " after ")
	ms, err := strconv.ParseUint(after, 10, 32)
	if err != nil {
		return Terms{}, fmt.Errorf("%.60q is not AMOUNT CURRENCY after MILLISECONDS", s)
	}
	t := Terms{After: time.Duration(ms) * time.Millisecond}
	t.Sum, err = ParseSum(sum)
	return t, err
}

func (t Terms) String() string { return fmt.Sprintf("%s after %d", t.Sum, t.After.Milliseconds()) }
