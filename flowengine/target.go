package flowengine

import (
	"cmp"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// Target is a destination with a name.
type Target struct {
	Name         string
	Address      call.Address
	Ring         time.Duration // 0: that of the node
	Weight       int           // for the weighted strategy, at least 1
	Enabled      bool
	Buyer        string          // name of the buyer; empty: none
	Hours        *hours.Schedule // when it is open; nil: always
	Filter       *Condition      // which calls it takes, without secrets; nil: all
	Limits       call.Limits
	Availability *Availability // whom to ask whether somebody is there; nil: nobody
	Whisper      Prompt        // what it hears before it is connected; empty: that of the node
	Revenue      *call.Terms   // what the buyer pays; nil: nothing by rule
}

// Availability is how a target is asked whether somebody can take a call: by a GET. A
// number above 0 is yes.
type Availability struct {
	URL     Text
	Timeout time.Duration
	Path    string // fields and list positions with points between that lead to the number in a JSON answer; empty: the answer is the number
}

// targetSettings are NAME: {number:, gateway:} | {sip:} | {user:}, and when and how
// many calls it takes.
type targetSettings struct {
	Number       string                `yaml:"number"`
	Gateway      string                `yaml:"gateway"`
	SIP          string                `yaml:"sip"`
	User         string                `yaml:"user"`
	Ring         Duration              `yaml:"ring"`
	Weight       int                   `yaml:"weight"`
	Enabled      bool                  `yaml:"enabled"`
	Buyer        string                `yaml:"buyer"`
	Hours        later                 `yaml:"hours"`
	Filter       *filter               `yaml:"filter"`
	Caps         *caps                 `yaml:"caps"`
	Concurrency  *int                  `yaml:"concurrency"`
	Duplicates   *duplicates           `yaml:"duplicates"`
	Availability *availabilitySettings `yaml:"availability"`
	Whisper      Prompt                `yaml:"whisper"`
	Revenue      *moneySettings        `yaml:"revenue"`
}

// caps bound the connected calls of a target.
type caps struct {
	Hour  *int       `yaml:"hour"`
	Day   *int       `yaml:"day"`
	Month *int       `yaml:"month"`
	Total *int       `yaml:"total"`
	Zone  hours.Zone `yaml:"zone"`
}

// duplicates exclude callers who were connected before.
type duplicates struct {
	Within span       `yaml:"within,required"`
	Of     call.Scope `yaml:"of"`
}

// availabilitySettings are where a target says whether somebody is there.
type availabilitySettings struct {
	URL     Text     `yaml:"url,required"`
	Timeout Duration `yaml:"timeout"`
	Path    string   `yaml:"path"`
}

// later is a setting that is read once more is known.
type later struct{ node *yaml.Node }

func (l *later) decodeNode(_ *document, n *yaml.Node, _ string) { l.node = n }

// span is a Duration of up to a year.
type span time.Duration

const year = 366 * 24 * time.Hour

// UnmarshalText reads the duration; it fails with a *SettingError.
func (s *span) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return &SettingError{Message: quote(string(text)) + " is no duration", Hint: "write it like 720h for 30 days"}
	case v < time.Second || v > year:
		return &SettingError{Message: fmt.Sprintf("%s is not between 1s and %.0fh", text, year.Hours())}
	}
	*s = span(v)
	return nil
}

const (
	maxWeight = 1_000_000
	maxCap    = 1_000_000_000
	maxAtOnce = 100_000
	shortest  = 50 * time.Millisecond // of the time limits of an availability check
	longest   = 10 * time.Second
)

func (l *loader) target(e entry) {
	d, k := e.doc, e.key
	l.org.targets[k.Value] = Target{Name: k.Value, Weight: 1}
	const addresses = "write one of number: with gateway:, sip: or user:"
	if e.value.Kind == yaml.ScalarNode {
		d.at(e.value, addresses, "target %s must be a mapping, not %s", k.Value, what(e.value))
		return
	}
	s := targetSettings{Weight: 1, Enabled: true}
	if !e.decode(&s, "target", addresses) {
		return
	}
	if n := count(s.Number != "", s.SIP != "", s.User != ""); n != 1 {
		d.at(k, addresses, "target %s has %d addresses", k.Value, n)
		return
	}
	if (s.Gateway != "") != (s.Number != "") {
		d.at(e.at("gateway"), "a number needs the gateway it is dialled through, nothing else has one", "target %s: number and gateway go together", k.Value)
		return
	}
	t := Target{Name: k.Value, Ring: time.Duration(s.Ring), Weight: s.Weight, Enabled: s.Enabled, Buyer: s.Buyer, Whisper: s.Whisper}
	t.Address = l.address(e, &s)
	if msg := wrongRing(t.Ring); msg != "" && s.Ring != 0 {
		d.at(e.at("ring"), "", "ring: %s", msg)
	}
	if t.Weight < 1 || t.Weight > maxWeight {
		d.at(e.at("weight"), "", "weight: %d is not between 1 and %d", t.Weight, maxWeight)
	}
	l.refer(d, e.at("buyer"), "buyer", s.Buyer)
	if s.Filter != nil {
		t.Filter = &s.Filter.Condition
	}
	if strings.HasPrefix(s.Whisper.Source, "music:") {
		d.at(e.at("whisper"), "speak a sentence, or name a sound file", "whisper: music never ends")
	}
	t.Hours = l.hours(d, s.Hours.node)
	t.Limits = l.limits(e, &s, t.Hours)
	t.Availability = s.Availability.check(e)
	t.Revenue = l.money(&Check{doc: d, node: e.value}, "revenue", s.Revenue)
	l.org.targets[k.Value] = t
}

// address returns where the target is reached.
func (l *loader) address(e entry, s *targetSettings) (out call.Address) {
	var err error
	var name string
	switch {
	case s.Number != "":
		name = "number"
		gateway := s.Gateway
		if len(l.sections["gateways"]) > 0 {
			l.refer(e.doc, e.at("gateway"), "gateway", gateway)
			if own, ok := l.org.gateways[gateway]; ok {
				gateway = own.Gateway
			}
		}
		out, err = call.NumberAddress(s.Number, gateway)
	case s.SIP != "":
		name = "sip"
		out, err = call.URIAddress(s.SIP)
	default:
		name = "user"
		out, err = call.UserAddress(s.User)
	}
	if at := e.at(name); err != nil && !e.doc.report.faulty[e.at("gateway")] {
		e.doc.at(at, "", "%s", err)
	}
	return out
}

// hours reads a schedule, which is in the time zone of the organization unless it says
// in which.
func (l *loader) hours(d *document, n *yaml.Node) *hours.Schedule {
	if n == nil {
		return nil
	}
	if zone, _ := field(n, "zone"); zone == nil && n.Kind == yaml.MappingNode {
		if l.org.Zone == nil {
			d.at(n, "add zone:, or give one to the organization", "hours needs a time zone")
			return nil
		}
		zoned := *n
		zoned.Content = append(slices.Clone(n.Content), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "zone", Line: n.Line, Column: n.Column},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: l.org.Zone.String(), Line: n.Line, Column: n.Column})
		n = &zoned
	}
	out := new(hours.Schedule)
	before := len(l.problems)
	d.value(n, reflect.ValueOf(out).Elem(), "hours")
	if len(l.problems) == before {
		out.Compile((&Check{doc: d, node: n}).Problem)
	}
	return out
}

// limits checks the bounds of a target.
func (l *loader) limits(e entry, s *targetSettings, open *hours.Schedule) (out call.Limits) {
	c := &Check{doc: e.doc, node: e.value}
	bound := func(at string, v *int, most int) int {
		if v == nil {
			return 0
		}
		if *v < 1 || *v > most {
			c.Problem(at, "leave it out where there is no bound", "%s: %d is not between 1 and %d", path.Base(at), *v, most)
		}
		return *v
	}
	out.Concurrency = bound("concurrency", s.Concurrency, maxAtOnce)
	out.Zone = l.org.Zone
	if open != nil {
		out.Zone = open.Zone.Location()
	}
	if s.Caps != nil {
		out.Hour = bound("caps/hour", s.Caps.Hour, maxCap)
		out.Day = bound("caps/day", s.Caps.Day, maxCap)
		out.Month = bound("caps/month", s.Caps.Month, maxCap)
		out.Total = bound("caps/total", s.Caps.Total, maxCap)
		if s.Caps.Hour == nil && s.Caps.Day == nil && s.Caps.Month == nil && s.Caps.Total == nil {
			c.Problem("caps", "add hour, day, month or total", "caps bounds nothing")
		}
		if zone := s.Caps.Zone.Location(); zone != nil {
			out.Zone = zone
		}
	}
	if dup := s.Duplicates; dup != nil {
		out.Within, out.Of = time.Duration(dup.Within), cmp.Or(dup.Of, call.OfTarget)
		scopes := []string{string(call.OfTarget), string(call.OfBuyer), string(call.OfCampaign)}
		switch {
		case !slices.Contains(scopes, string(out.Of)):
			c.Problem("duplicates/of", DidYouMean(string(out.Of), scopes), "of: a caller is no duplicate of %s", quote(string(out.Of)))
		case out.Of == call.OfBuyer && s.Buyer == "":
			c.Problem("duplicates/of", "add buyer: to the target, or write of: target", "of: the target has no buyer")
		}
	}
	return out
}

var pathSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,15}$`)

func (a *availabilitySettings) check(e entry) *Availability {
	if a == nil {
		return nil
	}
	c := &Check{doc: e.doc, node: e.value}
	if wrong := a.URL.Address(); wrong != nil {
		c.Problem("availability/url", wrong.Hint, "url: %s", wrong.Message)
	}
	out := &Availability{a.URL, cmp.Or(time.Duration(a.Timeout), time.Second), a.Path}
	if out.Timeout < shortest || out.Timeout > longest {
		c.Problem("availability/timeout", "", "timeout: %s is not between %s and %s", out.Timeout, shortest, longest)
	}
	if a.Path != "" && !pathSyntax.MatchString(a.Path) {
		c.Problem("availability/path", "write names and list positions with points between, as in agents.free", "path: %s leads to no value", quote(a.Path))
	}
	return out
}

// wrongRing says what is wrong with a ring time; the switch counts whole seconds.
func wrongRing(d time.Duration) string {
	if d < time.Second || d > 10*time.Minute || d%time.Second != 0 {
		return fmt.Sprintf("%s is not between 1s and 10m, in whole seconds", d)
	}
	return ""
}

func count(bs ...bool) int {
	n := 0
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}
