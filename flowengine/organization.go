package flowengine

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/hours"
	"github.com/hookswitch/hookswitch/tags"
)

// DefaultOrganization is the organization of a folder that names none.
const DefaultOrganization = "default"

// Organization is one of those whose calls are run: all that it has, by names that are
// its own. It does not change.
type Organization struct {
	Name  string         // as it is referred to
	Title string         // for people
	Zone  *time.Location // where nothing else is said; nil: it does not say, and UTC holds

	Currency string // of its amounts, ISO 4217

	gateways   map[string]Gateway
	publishers map[string]Publisher
	buyers     map[string]Buyer
	targets    map[string]Target
	plans      map[string]*Plan
	campaigns  map[string]*Campaign
	flows      map[string]*Flow
	tags       map[string]*tags.Definition
	incoming   map[string]*Incoming
	endpoints  map[string]*Endpoint
}

// DefaultCurrency is the currency of an organization that names none.
const DefaultCurrency = "USD"

// Gateway is a way out of the switch that an organization may use.
type Gateway struct {
	Name    string
	Gateway string // name of the gateway on the switch
}

// Publisher is a source of calls.
type Publisher struct {
	Name  string
	Title string // for people
}

// Buyer takes calls, with its targets.
type Buyer struct {
	Name  string
	Title string // for people
}

// Target returns the target called name.
func (o *Organization) Target(name string) (Target, bool) { return get(o.targets, name) }

// Plan returns the routing plan called name as it is now; a call keeps that of its
// flow, see Session.Plan.
func (o *Organization) Plan(name string) (*Plan, bool) { return get(o.plans, name) }

// Campaign returns the campaign called name.
func (o *Organization) Campaign(name string) (*Campaign, bool) { return get(o.campaigns, name) }

// Flow returns the current version of a flow.
func (o *Organization) Flow(name string) (*Flow, bool) { return get(o.flows, name) }

// Gateway returns the name on the switch of a gateway that the organization may use.
// One that does not say which may use all, by the names that the switch has for them.
func (o *Organization) Gateway(name string) (onSwitch string, ok bool) {
	if len(o.gateways) == 0 {
		return name, true
	}
	g, ok := o.gateways[name]
	return g.Gateway, ok
}

// Publisher returns the publisher called name.
func (o *Organization) Publisher(name string) (Publisher, bool) { return get(o.publishers, name) }

// Buyer returns the buyer called name.
func (o *Organization) Buyer(name string) (Buyer, bool) { return get(o.buyers, name) }

// Tag returns the definition of a tag.
func (o *Organization) Tag(name string) (*tags.Definition, bool) { return get(o.tags, name) }

// Private says whether a tag is private: masked wherever nobody has asked for it.
func (o *Organization) Private(tag string) bool {
	d, ok := o.tags[tag]
	return ok && d.Privacy == tags.Private
}

// TagValue returns the value of a tag that an event spells: of the type of its definition,
// where it has one that the value fits, and else the text.
func (o *Organization) TagValue(name, text string) any {
	if d, ok := o.tags[name]; ok {
		if v, err := d.Read(text); err == nil {
			return v
		}
	}
	return text
}

// Incoming returns the incoming webhook called name.
func (o *Organization) Incoming(name string) (*Incoming, bool) { return get(o.incoming, name) }

// Endpoint returns the outgoing webhook called name.
func (o *Organization) Endpoint(name string) (*Endpoint, bool) { return get(o.endpoints, name) }

// Gateways returns the gateways by name; none where the organization does not say
// which it may use.
func (o *Organization) Gateways() []Gateway { return byName(o.gateways) }

// Publishers returns the publishers by name.
func (o *Organization) Publishers() []Publisher { return byName(o.publishers) }

// Buyers returns the buyers by name.
func (o *Organization) Buyers() []Buyer { return byName(o.buyers) }

// Targets returns the targets by name.
func (o *Organization) Targets() []Target { return byName(o.targets) }

// Plans returns the routing plans by name.
func (o *Organization) Plans() []*Plan { return byName(o.plans) }

// Campaigns returns the campaigns by name.
func (o *Organization) Campaigns() []*Campaign { return byName(o.campaigns) }

// Tags returns the definitions of tags by name.
func (o *Organization) Tags() []*tags.Definition { return byName(o.tags) }

// Incomings returns the incoming webhooks by name.
func (o *Organization) Incomings() []*Incoming { return byName(o.incoming) }

// Endpoints returns the outgoing webhooks by name.
func (o *Organization) Endpoints() []*Endpoint { return byName(o.endpoints) }

// Flows returns the current flows by name, those of the plans among them.
func (o *Organization) Flows() []*Flow { return byName(o.flows) }

func get[V any](m map[string]V, name string) (V, bool) {
	v, ok := m[name]
	return v, ok
}

func byName[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

// organizations returns the loaders of the organizations, each with the documents that
// are in its folder or below.
func (c *collection) organizations() []*loader {
	var found []*domain
	heads := map[*document]bool{}
	for _, d := range c.docs {
		if _, v := field(d.root, "organization"); v != nil {
			heads[d] = true
			found = c.organization(found, d, v)
		}
	}
	if len(found) == 0 {
		found = append(found, &domain{loader: newLoader(c, DefaultOrganization)})
	}
	outside := map[string]bool{} // files
	for _, d := range c.docs {
		i := slices.IndexFunc(found, func(o *domain) bool { return o.has(d) })
		switch {
		case i < 0 && !outside[d.file] && !c.unread && len(found) == len(heads):
			outside[d.file] = true
			d.at(d.root, "move it into the folder of one, or add a document with organization:", "the document is of no organization")
		case i >= 0 && !heads[d]:
			found[i].document(d)
		}
	}
	var out []*loader
	for _, o := range found {
		out = append(out, o.loader)
	}
	return out
}

// domain is the folder of an organization.
type domain struct {
	*loader
	dir  string
	head *document // that says so; nil: all documents are its
}

func (o *domain) has(d *document) bool {
	return o.head == nil || within(filepath.Dir(d.file), o.dir)
}

// within says whether a folder is another, or is in it.
func within(dir, folder string) bool {
	return dir == folder || folder == "." || strings.HasPrefix(dir, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator))
}

// organization reads the head of an organization: its names and where it is.
func (c *collection) organization(found []*domain, d *document, v *yaml.Node) []*domain {
	var s struct {
		Organization string     `yaml:"organization,required"`
		Name         title      `yaml:"name"`
		Zone         hours.Zone `yaml:"zone"`
		Currency     currency   `yaml:"currency"`
	}
	for _, k := range d.root.Content {
		if things[k.Value] != "" && k != v {
			d.at(k, "write --- between two documents", "%s cannot stand beside organization", quote(k.Value))
			return found
		}
	}
	before := len(c.problems)
	d.decode(d.root, reflect.ValueOf(&s).Elem(), "an organization")
	if len(c.problems) == before && !nameSyntax.MatchString(s.Organization) {
		d.at(v, nameHint, "%s cannot be the name of an organization", quote(s.Organization))
	}
	o := &domain{newLoader(c, s.Organization), filepath.Dir(d.file), d}
	o.org.Title, o.org.Zone = s.Name.or(s.Organization), s.Zone.Location()
	if s.Currency != "" {
		o.org.Currency = string(s.Currency)
	}
	for _, other := range found {
		_, at := field(other.head.root, "organization")
		switch {
		case other.org.Name == o.org.Name:
			d.at(v, "", "organization %s is defined already, at %s", quote(s.Organization), other.head.place(at))
		case within(o.dir, other.dir) || within(other.dir, o.dir):
			d.at(v, "give each a folder of its own, beside the other", "one organization is in the folder of another, see %s", other.head.place(at))
		default:
			continue
		}
		return found
	}
	return append(found, o)
}

// title is a name for people.
type title string

const maxTitle = 200

// UnmarshalText bounds the name.
func (t *title) UnmarshalText(text []byte) error {
	s := oneLine(strings.TrimSpace(string(text)))
	if n := utf8.RuneCountInString(s); n < 1 || n > maxTitle {
		return &SettingError{Message: "a name has 1 to 200 characters"}
	}
	*t = title(s)
	return nil
}

// or returns the title of something that may have none.
func (t title) or(name string) string {
	if t == "" {
		return name
	}
	return string(t)
}

// gateway reads NAME: {gateway:}.
func (l *loader) gateway(e entry) {
	s := struct {
		Gateway string `yaml:"gateway"`
	}{e.key.Value}
	if !e.decode(&s, "gateway", "write {gateway: NAME}, with its name on the switch") {
		return
	}
	if _, err := call.NumberAddress("0", s.Gateway); err != nil {
		e.doc.at(e.at("gateway"), "", "%s", err)
	}
	l.org.gateways[e.key.Value] = Gateway{e.key.Value, s.Gateway}
}

// publisher reads NAME: {name:}.
func (l *loader) publisher(e entry) {
	l.org.publishers[e.key.Value] = Publisher{e.key.Value, e.title("publisher")}
}

// buyer reads NAME: {name:}.
func (l *loader) buyer(e entry) {
	l.org.buyers[e.key.Value] = Buyer{e.key.Value, e.title("buyer")}
}

func (e entry) title(kind string) string {
	var s struct {
		Name title `yaml:"name"`
	}
	e.decode(&s, kind, "write {name: …}")
	return s.Name.or(e.key.Value)
}
