package nodes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/geo"
)

// fewDigits are an area code, or a ZIP code or its beginning.
var fewDigits = regexp.MustCompile(`^[0-9]{1,5}$`)

// Check wants names that can be exits, and places that exist.
func (g *Geo) Check(c *flowengine.Check) {
	if len(g.Cases) == 0 || len(g.Cases) > maxCases {
		c.Problem("cases", "", "cases: geo has 1 to %d cases, not %d", maxCases, len(g.Cases))
	}
	countries := geo.Countries()
	checkPlace(c, "country", "country", g.Country, countries, countryHint)
	var taken []string
	for i := range g.Cases {
		r, at := &g.Cases[i], fmt.Sprintf("cases/%d", i)
		checkExit(c, at+"/name", "a case", r.Name, taken...)
		taken = append(taken, r.Name)
		r.check(c, at, countries)
		switch {
		case g.ZIP.Empty() && len(r.ZIPs) > 0:
			c.Problem(at+"/zips", `gather it, and add zip: "{{ vars.NAME }}"`, "zips: a number does not tell the caller's ZIP code")
		case !g.ZIP.Empty() && len(r.AreaCodes) > 0:
			c.Problem(at+"/area_codes", "leave zip out", "area_codes: a ZIP code does not tell the caller's area code")
		}
	}
	if g.ZIP.Empty() {
		geo.Warm() // rather than when the first call comes
	}
}

const countryHint = "write its two letters (ISO 3166-1), such as US, CA or GB"

func (r *Region) check(c *flowengine.Check, at string, countries []string) {
	if len(r.States)+len(r.Countries)+len(r.AreaCodes)+len(r.ZIPs) == 0 {
		c.Problem(at, "add states, countries, area_codes or zips", "the case %s has no place", r.Name)
	}
	for i, state := range r.States {
		hint := "write its two letters, such as NY or ON"
		if code := geo.StateCode(state); code != "" {
			hint = "write " + code
		}
		checkPlace(c, fmt.Sprintf("%s/states/%d", at, i), "state", state, geo.States(), hint)
	}
	for i, country := range r.Countries {
		checkPlace(c, fmt.Sprintf("%s/countries/%d", at, i), "country", country, countries, countryHint)
	}
	for i, code := range r.AreaCodes {
		if !fewDigits.MatchString(code) {
			c.Problem(fmt.Sprintf("%s/area_codes/%d", at, i), "its digits in quotes, without the country's code", "%q is no area code", code)
		}
	}
	for i, zip := range r.ZIPs {
		if !fewDigits.MatchString(zip) {
			c.Problem(fmt.Sprintf("%s/zips/%d", at, i), "five digits in quotes, or fewer for all that begin so", "%q is no ZIP code", zip)
		}
	}
}

// checkPlace wants one of the known codes.
func checkPlace(c *flowengine.Check, at, what, code string, known []string, hint string) {
	if slices.Contains(known, code) {
		return
	}
	if upper := strings.ToUpper(code); slices.Contains(known, upper) {
		hint = "write " + upper
	}
	c.Problem(at, hint, "there is no %s %q", what, code)
}
