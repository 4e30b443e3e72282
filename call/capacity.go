package call

import (
	"fmt"
	"strings"
	"time"
)

// Limits bound what one target takes. The zero value of each field is no bound.
type Limits struct {
	Concurrency int            // calls at once
	Hour        int            // connected calls in an hour of the clock
	Day         int            // … in a day
	Month       int            // … in a month
	Total       int            // … ever
	Zone        *time.Location // in which days and months begin; nil: UTC
	Within      time.Duration  // a caller who was connected within this time is a duplicate
	Of          Scope          // … with whom
}

// Scope says with whom a caller must have been connected to be a duplicate.
type Scope string

// The scopes.
const (
	OfTarget   Scope = "target"
	OfBuyer    Scope = "buyer" // with any target of the buyer
	OfCampaign Scope = "campaign"
)

// None says whether nothing is bounded.
func (l Limits) None() bool {
	return l.Concurrency == 0 && l.Hour == 0 && l.Day == 0 && l.Month == 0 && l.Total == 0 && l.Within == 0
}

// Periods returns when the hour, the day and the month of a moment began.
func (l Limits) Periods(at time.Time) (hour, day, month time.Time) {
	zone := l.Zone
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	y, m, d := at.Date()
	// Counted back, since an hour that comes twice has two beginnings.
	hour = at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	return hour.UTC(), time.Date(y, m, d, 0, 0, 0, 0, zone).UTC(), time.Date(y, m, 1, 0, 0, 0, 0, zone).UTC()
}

// Claim is the wish of a call for room at a target, for one leg.
type Claim struct {
	Org    string
	Target string
	Call   string
	Leg    string   // channel UUID of the leg; the same for the same attempt, whoever dials it
	Beside []string // legs of the same attempt to the same target: what they take counts

	Campaign string
	Buyer    string // of the target
	Caller   string // PlainNumber of the caller
	Switch   string // name of the FreeSWITCH that holds the call
	Node     string // name of the Hookswitch node that controls it
	At       time.Time
	Limits   Limits
}

// With returns the name of what a scope means of the claim; empty where it has none.
func (c *Claim) With(of Scope) string {
	switch of {
	case OfTarget:
		return c.Target
	case OfBuyer:
		return c.Buyer
	case OfCampaign:
		return c.Campaign
	}
	return ""
}

// Usage is what is taken of a target's limits. The counts hold what is reserved as
// well: a leg that is being dialled may be connected in a moment.
type Usage struct {
	Concurrency int
	Hour        int
	Day         int
	Month       int
	Total       int
	Last        time.Time // when the caller was last connected within Limits.Of; zero: never
}

// Rule names what keeps a target from being tried.
type Rule string

// The rules, in the order in which they are looked at.
const (
	NotConfigured Rule = "not_configured"
	Disabled      Rule = "disabled"
	Closed        Rule = "closed"
	Filtered      Rule = "filter"
	CapHour       Rule = "cap_hour"
	CapDay        Rule = "cap_day"
	CapMonth      Rule = "cap_month"
	CapTotal      Rule = "cap_total"
	Concurrency   Rule = "concurrency"
	Duplicate     Rule = "duplicate"
	Unavailable   Rule = "availability"
	NotReached    Rule = "not_reached" // another took the call, or the caller hung up
)

// Refusal is the rule that excludes a target, and the value that it met.
type Refusal struct {
	Rule  Rule
	Value string // for people, such as "3 of 3"
}

// String returns the refusal as it stands in events: "rule: value".
func (r Refusal) String() string { return string(r.Rule) + ": " + r.Value }

// ShortDuration writes a duration without the zeros at its end: 24h, not 24h0m0s.
func ShortDuration(d time.Duration) string {
	return strings.Replace(strings.Replace(d.String(), "m0s", "m", 1), "h0m", "h", 1)
}

// Refuse returns why a target with this usage takes no further call; nil when it
// does. Everybody who counts asks it, so that all count alike.
func (l Limits) Refuse(u Usage, at time.Time) *Refusal {
	for _, bound := range []struct {
		rule        Rule
		used, limit int
	}{{CapHour, u.Hour, l.Hour}, {CapDay, u.Day, l.Day}, {CapMonth, u.Month, l.Month}, {CapTotal, u.Total, l.Total}, {Concurrency, u.Concurrency, l.Concurrency}} {
		if bound.limit > 0 && bound.used >= bound.limit {
			return &Refusal{bound.rule, fmt.Sprintf("%d of %d", bound.used, bound.limit)}
		}
	}
	if l.Within > 0 && !u.Last.IsZero() && at.Sub(u.Last) < l.Within {
		return &Refusal{Duplicate, fmt.Sprintf("connected with the %s at %s, within %s", l.Of, u.Last.UTC().Format(time.RFC3339), ShortDuration(l.Within))}
	}
	return nil
}

// Admission is the answer to a Claim.
type Admission struct {
	Refused  *Refusal // nil: the leg may be dialled
	Fallback string   // why the figures shared by all nodes were not used; empty when they were
}
