package call

import (
	"testing"
	"time"
)

func TestRules(t *testing.T) {
	for text, want := range map[string]MoneyRule{
		"25.00 USD after 30000":     {25 * unit, "USD", 30 * time.Second},
		"0.000001 EUR after 0":      {1, "EUR", 0},
		"1000000000.00 JPY after 1": {MaxAmount, "JPY", time.Millisecond},
	} {
		got, err := ParseMoneyRule(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v %s, %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "25.00 USD", "25.00 usd after 1", "-1.00 USD after 1", "1.0.0 USD after 1", "1000000001 USD after 1", "1.00 USD after -1", "1.00 USD after 1s", " 1.00 USD after 1", "1.00 USD after 9999999999999"} {
		if r, err := ParseMoneyRule(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
