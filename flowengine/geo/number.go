package geo

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Warm loads what FromNumber needs, if nobody has asked for a number yet.
func Warm() { FromNumber("+12025550123", "") }

// northAmerica is the country code that its countries share.
const northAmerica = 1

// FromNumber returns the place of a telephone number, in international form or
// in the national form of defaultCountry ("US"; empty for none). The + may be 00, or
// missing. Not ok is what is no valid number, and what belongs to no place, such
// as the toll-free numbers that the countries of North America share.
func FromNumber(number, defaultCountry string) (place Place, ok bool) {
	n, ok := read(number, defaultCountry)
	if !ok {
		return Place{}, false
	}
	country := phonenumbers.GetRegionCodeForNumber(n)
	if len(country) != 2 || n.GetCountryCode() == northAmerica && !geographic(n) {
		return Place{}, false // 001 is the whole world, as of +800
	}
	place = Place{Country: country, AreaCode: areaCode(n)}
	switch {
	case slices.Contains(territories, country):
		place.Country, place.State = "US", country
	case country == "US" || country == "CA":
		place.State = stateOf(n)
	}
	return place, true
}

// E164 returns a telephone number as E.164 has it, +12125550123, of the forms that
// FromNumber takes. Not ok is what is no valid number.
func E164(number, defaultCountry string) (e164 string, ok bool) {
	n, ok := read(number, defaultCountry)
	if !ok {
		return "", false
	}
	return phonenumbers.Format(n, phonenumbers.E164), true
}

// read reads a number in international form, perhaps with 00 for its + or without either, or
// in national form.
func read(number, defaultCountry string) (*phonenumbers.PhoneNumber, bool) {
	if strings.Trim(number, "+0123456789 -.()") != "" {
		return nil, false // letters would be taken for those of a keypad
	}
	n, ok := parse(number, defaultCountry)
	if !ok && len(number) > 10 { // too long for one of North America
		n, ok = parse("+"+strings.TrimPrefix(number, "00"), "")
	}
	return n, ok
}

func parse(number, defaultCountry string) (*phonenumbers.PhoneNumber, bool) {
	n, err := phonenumbers.Parse(number, defaultCountry)
	return n, err == nil && phonenumbers.IsValidNumber(n)
}

// geographic says whether a number of North America is that of somebody
// somewhere. Others, such as toll-free ones, the tables take for those of the US.
func geographic(n *phonenumbers.PhoneNumber) bool {
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return true
	}
	return false
}

func areaCode(n *phonenumbers.PhoneNumber) string {
	digits := phonenumbers.GetNationalSignificantNumber(n)
	if n.GetCountryCode() == northAmerica {
		return digits[:3]
	}
	return digits[:phonenumbers.GetLengthOfGeographicalAreaCode(n)]
}

// stateOf returns the state of a number of the US or Canada: empty where
// provinces share the area code and the town is not known.
func stateOf(n *phonenumbers.PhoneNumber) string {
	name, err := phonenumbers.GetGeocodingForNumber(n, "en")
	if err != nil {
		return ""
	}
	if i := strings.LastIndex(name, ", "); i >= 0 { // a town: "Chicago, IL"
		if code := name[i+2:]; slices.Contains(states, code) {
			return code
		}
	}
	return codes[name]
}
