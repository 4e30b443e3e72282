package call

import (
	"testing"
	"time"
)

func TestTerms(t *testing.T) {
	for text, want := range map[string]Terms{
		"25.00 USD after 30000": {Sum{25_000_000, "USD"}, 30 * time.Second},
		"0.00 EUR after 0":      {Sum{0, "EUR"}, 0},
		"-1.125 JPY after 1":    {Sum{-1_125_000, "JPY"}, time.Millisecond},
	} {
		got, err := ParseTerms(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "25.00", "25.00 USD", "25.00 after 30000", "25.00 usd after 1", "25.00 USDT after 1", "25.00 USD after -1", "25.00 USD after 1s",
		"25.00  USD after 1", "USD after 1", "25.00 USD after 1 after 1", "25.00 USD after 99999999999"} {
		if got, err := ParseTerms(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
