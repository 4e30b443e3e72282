// Package geo knows where a caller is, as far as a telephone number or a ZIP
// code says. It has no clock, no network and no memory of its own.
//
// Take a Place for a hint: people keep their numbers when they move, and
// whoever sends a call writes its number. What is not known is empty and never
// guessed, so that a condition on it does not hold.
//
// The first number that is asked for loads the numbering plans, about 14 MB in
// 0.1 s. A server that will need them should Warm them before it takes calls.
package geo

import (
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// Place is where a caller is. What is not known is empty.
type Place struct {
	Country  string // one of Countries; US for its territories too
	State    string // of the US and Canada: one of States
	AreaCode string // of a geographic number; in North America three digits
	ZIP      string // five digits
}

// Countries returns the ISO 3166-1 codes of all countries that a Place can
// have, in order.
func Countries() []string {
	var out []string
	for region := range phonenumbers.GetSupportedRegions() {
		if !slices.Contains(territories, region) {
			out = append(out, region)
		}
	}
	slices.Sort(out)
	return out
}
