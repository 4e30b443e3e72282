package call

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Amount is a sum of money in millionths of the currency's unit: exact, and never rounded.
type Amount int64

// MaxAmount bounds an amount, both ways: a billion.
const MaxAmount Amount = 1_000_000_000 * unit

const unit = 1_000_000

var amountSyntax = regexp.MustCompile(`^-?[0-9]{1,10}(\.[0-9]{1,6})?$`)

// ParseAmount reads a decimal number such as 25, 25.50 or -0.000001: no exponent, no
// grouping, at most six decimals.
func ParseAmount(s string) (Amount, error) {
	if !amountSyntax.MatchString(s) {
		return 0, fmt.Errorf("%.40q is no amount: a number such as 25.50, with at most six decimals", s)
	}
	whole, decimals, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	n, err := strconv.ParseInt(whole+decimals+strings.Repeat("0", 6-len(decimals)), 10, 64)
	if err != nil || Amount(n) > MaxAmount {
		return 0, fmt.Errorf("amount %.40s is above %s", s, MaxAmount)
	}
	if s[0] == '-' {
		n = -n
	}
	return Amount(n), nil
}

// String returns the amount with at least two decimals.
func (a Amount) String() string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -n
	}
	decimals := fmt.Sprintf("%06d", n%unit)
	return fmt.Sprintf("%s%d.%s", sign, n/unit, decimals[:2]+strings.TrimRight(decimals[2:], "0"))
}

// MarshalText writes the amount as String does.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads it as ParseAmount does.
func (a *Amount) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAmount(string(text))
	return err
}
