package flowengine

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/tags"
)

// loader reads the documents of one organization.
type loader struct {
	*report
	kinds    Kinds
	org      *Organization
	alone    bool               // it is a flow by itself: nothing is known of what is around it
	sections map[string][]entry // by their key
	listed   []*document        // those with sections
	flows    []*document
	ends     map[string][]string // of flows, by name, also of those with problems
	built    []*flowBuilder      // of the flows without a problem of their own
	running  []runner
	silent   map[*step]bool   // nodes at which a silence was reported
	places   map[thing]string // where it is defined
	numbers  map[string]owner // of all organizations, by call.PlainNumber
	used     map[thing]bool   // something refers to it
	routes   []numbered
	warnings []Problem
}

// owner is the organization of a number, and where that is said.
type owner struct{ org, place string }

// entry is a name in a section of a document, and what is said under it.
type entry struct {
	doc        *document
	key, value *yaml.Node
}

// thing is something that is referred to by its name.
type thing struct{ kind, name string }

// things are the keys of the documents that list things by name, and one of these.
var things = map[string]string{
	"numbers": "number", "targets": "target", "gateways": "gateway", "publishers": "publisher", "buyers": "buyer", "plans": "plan", "campaigns": "campaign",
	"tags": "tag", "incoming": "incoming webhook", "webhooks": "webhook",
}

const documentHint = "a document begins with flow: or organization:, or lists things under numbers:, targets:, campaigns: and the like"

func newLoader(c *collection, organization string) *loader {
	return &loader{report: &c.report, kinds: c.kinds, numbers: c.numbers,
		org: &Organization{Name: organization, Title: organization, Currency: DefaultCurrency, gateways: map[string]Gateway{}, publishers: map[string]Publisher{}, buyers: map[string]Buyer{},
			targets: map[string]Target{}, plans: map[string]*Plan{}, campaigns: map[string]*Campaign{}, flows: map[string]*Flow{},
			tags: map[string]*tags.Definition{}, incoming: map[string]*Incoming{}, endpoints: map[string]*Endpoint{}},
		sections: map[string][]entry{}, ends: map[string][]string{}, silent: map[*step]bool{}, places: map[thing]string{}, used: map[thing]bool{}}
}

// document sorts a document by its kind. What is in it waits until all are there.
func (l *loader) document(d *document) {
	if d.root.Kind != yaml.MappingNode {
		d.at(d.root, documentHint, "the document is %s", what(d.root))
		return
	}
	if _, flow := field(d.root, "flow"); flow != nil {
		l.flows = append(l.flows, d)
		l.announce(d, flow)
		return
	}
	if !slices.ContainsFunc(d.root.Content, func(n *yaml.Node) bool { return things[n.Value] != "" && n.Kind == yaml.ScalarNode }) {
		l.strange(d)
		return
	}
	l.listed = append(l.listed, d)
	d.pairs(d.root, func(k, v *yaml.Node) {
		switch {
		case things[k.Value] == "":
			hint := DidYouMean(k.Value, sectionNames())
			if !strings.HasPrefix(hint, "did") {
				hint = "write --- between two documents"
			}
			d.at(k, hint, "%s cannot stand beside numbers or targets", quote(k.Value))
		case v.Kind == yaml.MappingNode:
			d.pairs(v, func(name, value *yaml.Node) { l.sections[k.Value] = append(l.sections[k.Value], entry{d, name, value}) })
		case isText(v) || v.Kind != yaml.ScalarNode:
			d.at(v, "", "%s must be a mapping, not %s", k.Value, what(v))
		}
	})
}

// strange reports a document of which nobody knows what it is.
func (l *loader) strange(d *document) {
	key, hint := d.root, documentHint
	if len(key.Content) > 0 {
		key = key.Content[0]
	}
	if key.Kind == yaml.ScalarNode {
		if near := DidYouMean(key.Value, append(sectionNames(), "flow", "organization")); strings.HasPrefix(near, "did") {
			hint = near
		}
	}
	d.at(key, hint, "the document is neither a flow nor numbers nor targets")
}

func sectionNames() (out []string) {
	for name := range things {
		out = append(out, name)
	}
	return out
}

// read reads everything in such an order that what is referred to is known.
func (l *loader) read() {
	for section := range things {
		if section != "numbers" { // which are once over all organizations
			l.define(section)
		}
	}
	l.each("tags", l.tag)
	l.each("incoming", l.incoming)
	l.each("gateways", l.gateway)
	l.each("publishers", l.publisher)
	l.each("buyers", l.buyer)
	l.each("targets", l.target)
	l.each("plans", l.plan)
	l.each("campaigns", l.campaign)
	l.each("numbers", l.number)
	l.planFlows()
	l.flowDocuments()
	l.each("webhooks", l.endpoint)
	if l.link() {
		l.prove()
	}
}

func (l *loader) each(section string, read func(e entry)) {
	for _, e := range l.sections[section] {
		read(e)
	}
}

// nameSyntax is the form of the names of flows, nodes, targets and the like: it begins
// with a letter, so that no name looks like a number, and passes as a file name.
var nameSyntax = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

const nameHint = "a letter, then letters, digits, - or _, at most 64"

// define makes the names of a section known, so that a fault in what is said under one
// is reported once. What has no name of its own is left out.
func (l *loader) define(section string) {
	kind := things[section]
	l.sections[section] = slices.DeleteFunc(l.sections[section], func(e entry) bool {
		if !nameSyntax.MatchString(e.key.Value) {
			e.doc.at(e.key, nameHint, "%s cannot be the name of a %s", quote(e.key.Value), kind)
			return true
		}
		return !l.once(e.doc, e.key, kind, e.key.Value)
	})
}

// once reports a second definition; both places are named.
func (l *loader) once(d *document, k *yaml.Node, kind, name string) bool {
	if first, ok := l.places[thing{kind, name}]; ok {
		d.at(k, "", "%s %s is defined already, at %s", kind, quote(name), first)
		return false
	}
	l.places[thing{kind, name}] = d.place(k)
	return true
}

// refer notes that a value names something, and reports it where there is no such
// thing. Where not all documents could be read, every name is taken for one.
func (l *loader) refer(d *document, n *yaml.Node, kind, name string) {
	if n == nil || name == "" {
		return
	}
	if !l.exists(kind, name) && !l.full() {
		d.at(n, l.nearest(kind, name), "there is no %s %s", kind, quote(name))
	}
}

// exists says whether there is such a thing, as far as that is known, and notes that it
// was asked for.
func (l *loader) exists(kind, name string) bool {
	l.used[thing{kind, name}] = true
	_, known := l.places[thing{kind, name}]
	if kind == "flow" {
		_, known = l.ends[name]
	}
	return known || l.unread || l.alone && kind != "plan" && kind != "flow"
}

// nearest suggests what is meant by a wrong name.
func (l *loader) nearest(kind, wrong string) string {
	var names []string
	for t := range l.places {
		if t.kind == kind {
			names = append(names, t.name)
		}
	}
	switch {
	case kind == "flow":
		return l.nearestFlow(wrong)
	case len(names) == 0:
		return fmt.Sprintf("no %ss are defined; add a document with %ss:", kind, kind)
	}
	return DidYouMean(wrong, names)
}

// number reads NUMBER: {campaign: NAME} | {flow: NAME}, and its publisher.
func (l *loader) number(e entry) {
	d, k := e.doc, e.key
	if !call.ValidNumber(k.Value) {
		d.at(k, "digits, with a + in front if the trunk sends it", "%s is no number", quote(k.Value))
		return
	}
	plain := call.PlainNumber(k.Value)
	switch first, ok := l.numbers[plain]; {
	case ok && first.org != l.org.Name:
		d.at(k, "a number belongs to one organization", "number %s is of organization %s already, at %s", quote(k.Value), first.org, first.place)
		return
	case ok:
		d.at(k, "", "number %s is defined already, at %s", quote(k.Value), first.place)
		return
	}
	l.numbers[plain] = owner{l.org.Name, d.place(k)}
	var s struct {
		Campaign  string `yaml:"campaign"`
		Flow      string `yaml:"flow"`
		Publisher string `yaml:"publisher"`
	}
	const leads = "write {campaign: NAME}, or {flow: NAME} for one without a campaign"
	if !e.decode(&s, "number", leads) {
		return
	}
	l.refer(d, e.at("campaign"), "campaign", s.Campaign)
	l.refer(d, e.at("flow"), "flow", s.Flow)
	l.refer(d, e.at("publisher"), "publisher", s.Publisher)
	if (s.Campaign == "") == (s.Flow == "") {
		message := "number %s leads nowhere"
		if s.Flow != "" {
			message = "number %s has both a campaign and a flow"
		}
		d.at(k, leads, message, k.Value)
		return
	}
	l.routes = append(l.routes, numbered{&Route{Number: k.Value, Org: l.org, Publisher: s.Publisher}, s.Campaign, s.Flow})
}

// numbered is a number, with the names of what it leads to.
type numbered struct {
	*Route
	campaign, flow string
}

// into adds what was read, without a problem, to a snapshot.
func (l *loader) into(s *Snapshot) {
	s.organizations[l.org.Name] = l.org
	s.warnings = append(s.warnings, l.warnings...)
	for _, f := range l.org.flows {
		s.versions[versionKey{f.Name, f.Version}] = f
	}
	for _, n := range l.routes {
		if n.Campaign = l.org.campaigns[n.campaign]; n.Campaign != nil {
			n.flow = n.Campaign.runs()
		}
		n.Flow = l.org.flows[n.flow]
		plain := call.PlainNumber(n.Number)
		s.numbers[plain] = n.Route
		if key, ok := packed(plain); ok {
			s.routes[key] = n.Route
		}
	}
}

// decode reads the settings of an entry, which are a mapping. It says whether all is
// well so far.
func (e entry) decode(into any, kind, hint string) bool {
	where := kind + " " + e.key.Value
	if e.value.Kind != yaml.MappingNode && (isText(e.value) || e.value.Kind != yaml.ScalarNode) {
		e.doc.at(e.value, hint, "%s must be a mapping, not %s", where, what(e.value))
		return false
	}
	before := len(e.doc.report.problems)
	e.doc.decode(e.value, reflect.ValueOf(into).Elem(), where)
	return len(e.doc.report.problems) == before
}

// at returns the value of a setting; the name of the entry where it is not given.
func (e entry) at(setting string) *yaml.Node {
	if _, v := field(e.value, setting); v != nil {
		return v
	}
	return e.key
}
