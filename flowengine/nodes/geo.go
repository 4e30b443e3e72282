package nodes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/geo"
)

// Geo goes by where the caller is.
type Geo struct {
	ZIP     flowengine.Text `yaml:"zip"`     // empty: by the caller's number
	Country string          `yaml:"country"` // of numbers in national form
	Cases   []Region        `yaml:"cases,required"`
}

// Region is one exit of a Geo: for the places that any of its lists has.
type Region struct {
	Name      string   `yaml:"name,required"`
	States    []string `yaml:"states"`
	Countries []string `yaml:"countries"`
	AreaCodes []string `yaml:"area_codes"`
	ZIPs      []string `yaml:"zips"` // or how they begin
}

func newGeo() flowengine.Node { return &Geo{Country: "US"} }

// Exits are the names of the cases, and else.
func (g *Geo) Exits() []string {
	out := make([]string, 0, len(g.Cases)+1)
	for _, r := range g.Cases {
		if r.Name != "" {
			out = append(out, r.Name)
		}
	}
	return append(out, otherwise)
}

// Run finds the first case that has the place.
func (g *Geo) Run(_ context.Context, s *flowengine.Session) (flowengine.Result, error) {
	who, place, known, err := g.place(s)
	if err != nil {
		return flowengine.Result{}, err
	}
	if !known {
		return flowengine.Result{Exit: otherwise, Why: "nothing is known of the place of " + who}, nil
	}
	r := flowengine.Result{Exit: otherwise, Why: who + " is in " + place.Country}
	if place.State != "" {
		r.Why = fmt.Sprintf("%s is in %s, %s", who, place.State, place.Country)
	}
	if i := slices.IndexFunc(g.Cases, func(r Region) bool { return r.has(place) }); i >= 0 {
		r.Exit = g.Cases[i].Name
	}
	return r, nil
}

// place finds out where the caller is, and by what.
func (g *Geo) place(s *flowengine.Session) (who string, place geo.Place, known bool, err error) {
	if g.ZIP.Empty() {
		who = s.Call().Caller.Number
		place, known = geo.FromNumber(who, g.Country)
		return fmt.Sprintf("%.40s", cmp.Or(who, "a caller without a number")), place, known, nil
	}
	zip, err := s.Text(&g.ZIP)
	if err != nil {
		return "", place, false, fmt.Errorf("zip: %w", err)
	}
	place, known = geo.FromZIP(zip)
	return fmt.Sprintf("ZIP %.20s", zip), place, known, nil
}

// has says whether any of the lists has the place.
func (r *Region) has(p geo.Place) bool {
	return slices.Contains(r.States, p.State) || slices.Contains(r.Countries, p.Country) || slices.Contains(r.AreaCodes, p.AreaCode) ||
		slices.ContainsFunc(r.ZIPs, func(zip string) bool { return strings.HasPrefix(p.ZIP, zip) })
}
