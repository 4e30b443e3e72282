package geo

import (
	"maps"
	"slices"
	"strings"
)

// codes gives the two letters of a state or province, by the name under which
// the tables of the numbering plans have it.
var codes = map[string]string{
	"Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
	"Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI", "Idaho": "ID",
	"Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA",
	"Maine": "ME", "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN",
	"Mississippi": "MS", "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV",
	"New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC",
	"North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA",
	"Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN", "Texas": "TX",
	"Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA", "West Virginia": "WV",
	"Wisconsin": "WI", "Wyoming": "WY", "Washington D.C.": "DC",

	"Alberta": "AB", "British Columbia": "BC", "British Colombia": "BC", "Manitoba": "MB", "New Brunswick": "NB",
	"Newfoundland and Labrador": "NL", "Northwest Territories": "NT", "Nova Scotia": "NS", "Nunavut": "NU",
	"Ontario": "ON", "Prince Edward Island": "PE", "Quebec": "QC", "Saskatchewan": "SK", "Yukon": "YT",
}

// territories of the US are countries to ISO 3166-1 and to the numbering plans,
// and states to the mail.
var territories = []string{"AS", "GU", "MP", "PR", "VI"}

// military are the states of mail to the forces abroad.
var military = []string{"AA", "AE", "AP"}

var states = slices.Compact(slices.Sorted(slices.Values(slices.Concat(
	slices.Collect(maps.Values(codes)), territories, military))))

// StateCode returns the two letters of a state or province by its name in English;
// empty for what is none.
func StateCode(name string) string {
	for known, code := range codes {
		if strings.EqualFold(name, known) {
			return code
		}
	}
	return ""
}

// States returns the two-letter codes of the states of the US, its capital
// district, its territories and its forces' mail (AA, AE, AP), and of the
// provinces of Canada, in order.
func States() []string { return slices.Clone(states) }
