package flowengine

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// What a flow may have; a canvas shows no more (see docs/flows.md).
const (
	maxFlowNodes = 500
	maxExits     = 200 // of one node
)

func (l *loader) flowDocuments() {
	for _, d := range l.flows {
		l.flow(d)
	}
}

// flow reads one flow. It becomes part of the snapshot only without a problem.
func (l *loader) flow(d *document) {
	before := len(l.problems)
	f := &Flow{File: d.file, Line: d.before + 1, Source: d.source, Silence: silenceBudget, nodes: map[string]*step{}, subs: map[string]*Flow{}, plans: map[string]*Plan{}, root: d.root}
	b := &flowBuilder{loader: l, d: d, flow: f, keys: map[string]*yaml.Node{}}
	var nodes *yaml.Node
	d.pairs(d.root, func(k, v *yaml.Node) {
		switch k.Value {
		case "flow":
			b.name(v)
		case "start":
			d.text(v, "start", func(s string) error { f.Start = s; return nil })
		case "description":
			d.text(v, "description", func(string) error { return nil })
		case "silence":
			d.value(v, reflect.ValueOf((*Duration)(&f.Silence)).Elem(), "silence")
		case "nodes":
			nodes = v
		case "ends":
			b.ends(v)
		default:
			d.at(k, DidYouMean(k.Value, []string{"flow", "start", "nodes", "ends", "silence", "description"}), "a flow has no %s", quote(k.Value))
			b.loose = true
		}
	})
	switch {
	case nodes == nil && b.loose:
		return
	case nodes == nil:
		d.at(d.root, "add nodes: with one entry a node", "the flow has no nodes")
		return
	case nodes.Kind != yaml.MappingNode || len(nodes.Content) == 0:
		d.at(nodes, "write ID: and the node under it", "nodes must be a mapping of nodes, not %s", what(nodes))
		return
	case len(nodes.Content)/2 > maxFlowNodes:
		d.at(nodes, "split the flow", "the flow has %d nodes, at most %d are read", len(nodes.Content)/2, maxFlowNodes)
		return
	}
	d.pairs(nodes, func(k, v *yaml.Node) {
		b.keys[k.Value] = k
		b.order = append(b.order, k.Value)
		if slices.Contains(f.Ends, k.Value) {
			d.at(k, "", "%s is the name of an end of the flow", quote(k.Value))
		}
	})
	d.pairsQuietly(nodes, b.node)
	if !b.loose {
		b.graph()
	}
	if len(l.problems) > before {
		return
	}
	l.org.flows[f.Name] = f
	l.built = append(l.built, b)
}

// flowBuilder reads the nodes of one flow.
type flowBuilder struct {
	*loader
	d     *document
	flow  *Flow
	keys  map[string]*yaml.Node // by node id
	order []string              // node ids as written
	loose bool                  // something does not say where it leads, so that nobody can tell what hangs together
}

func (b *flowBuilder) name(v *yaml.Node) {
	b.d.text(v, "flow", func(s string) error {
		plain := s
		if b.d.made || b.alone {
			plain = strings.TrimPrefix(s, planPrefix)
		}
		if !nameSyntax.MatchString(plain) {
			return &SettingError{Message: quote(s) + " cannot be the name of a flow", Hint: nameHint}
		}
		b.flow.Name = s
		b.once(b.d, v, "flow", s)
		return nil
	})
}

// ends reads the names under which the flow can end.
func (b *flowBuilder) ends(v *yaml.Node) {
	b.d.value(v, reflect.ValueOf(&b.flow.Ends).Elem(), "ends")
	for i, name := range b.flow.Ends {
		switch {
		case !nameSyntax.MatchString(name):
			b.d.at(v, nameHint, "%s cannot be the name of an end", quote(name))
		case slices.Contains(b.flow.Ends[:i], name):
			b.d.at(v, "", "the end %s is there twice", name)
		case name == ErrorExit || name == elseExit:
			b.d.at(v, "it has a meaning of its own as an exit", "%s cannot be the name of an end", quote(name))
		}
	}
}

// node reads ID: {KIND: settings, exits: …} or {KIND: settings, next: …}.
func (b *flowBuilder) node(k, v *yaml.Node) {
	d, id := b.d, k.Value
	if !nameSyntax.MatchString(id) {
		d.at(k, nameHint, "%s cannot be the id of a node", quote(id))
	}
	if v.Kind != yaml.MappingNode {
		d.at(v, "write the kind under it, as in "+id+": {hangup: {}}", "node %s must be a mapping, not %s", id, what(v))
		return
	}
	n := &step{id: id, exits: map[string]string{}}
	var exits, next, settings, kindKey *yaml.Node
	var unknown []*yaml.Node
	d.pairs(v, func(key, value *yaml.Node) {
		kind, known := b.kinds.Find(key.Value)
		switch {
		case key.Value == "exits":
			exits = value
		case key.Value == "next":
			next = value
		case known && n.kind != nil:
			d.at(key, "make two nodes of it", "node %s is %s already", id, n.kind.Name)
		case known:
			n.kind, settings, kindKey = kind, value, key
		default:
			unknown = append(unknown, key)
		}
	})
	for _, key := range unknown {
		valid := []string{"exits", "next"}
		switch {
		case n.kind == nil:
			d.at(key, DidYouMean(key.Value, append(b.kinds.Names(), valid...)), "there is no kind %s", quote(key.Value))
		case slices.Contains(settingNames(settingsOf(reflect.TypeOf(n.kind.New()).Elem())), key.Value):
			d.at(key, "indent it under "+n.kind.Name+":", "%s is a setting of %s", quote(key.Value), n.kind.Name)
			d.report.mark(settings)
		case slices.Contains(n.kind.Exits, key.Value):
			d.at(key, fmt.Sprintf("write exits: {%s: NODE}", key.Value), "%s is an exit of %s", quote(key.Value), n.kind.Name)
		default:
			d.at(key, DidYouMean(key.Value, valid), "a node has no %s", quote(key.Value))
		}
		b.loose = b.loose || n.kind != nil
	}
	if n.kind == nil {
		if len(unknown) == 0 {
			d.at(k, "one of "+strings.Join(b.kinds.Names(), ", "), "node %s has no kind", id)
		}
		b.wire(n, exits, next, false)
		b.flow.nodes[id] = n
		return
	}
	b.flow.nodes[id] = n
	n.node = n.kind.New()
	d.value(settings, reflect.ValueOf(n.node).Elem(), n.kind.Name)
	b.runsPlan(n, settings)
	b.wire(n, exits, next, b.runs(n, settings) && len(unknown) == 0)
	if c, ok := n.node.(Checker); ok && (settings.Kind == yaml.MappingNode || !d.report.faulty[settings]) {
		node := settings
		if node.Kind == yaml.ScalarNode {
			node = kindKey
		}
		c.Check(&Check{Wired: slices.Sorted(maps.Keys(n.exits)), doc: d, node: node, loader: b.loader})
	}
}

// runs notes which flow a node runs. It says false when the exits of the node
// cannot be known because there is no such flow.
func (b *flowBuilder) runs(n *step, settings *yaml.Node) bool {
	r, ok := n.node.(Runner)
	if !ok {
		return true
	}
	name := r.Runs()
	at := settings
	if _, v := field(settings, "run"); v != nil {
		at = v
	}
	ends, known := b.loader.ends[name]
	if !known {
		if name != "" && !b.full() && !b.unread {
			b.d.at(at, b.nearestFlow(name), "there is no flow %s", quote(name))
		}
		return false
	}
	n.declared = append(n.declared, ends...)
	b.running = append(b.running, runner{b.d, at, b.flow, name})
	return true
}

// wire reads where the exits go and compares them with those the node has.
func (b *flowBuilder) wire(n *step, exits, next *yaml.Node, known bool) {
	d := b.d
	if known {
		n.declared = append(n.declared, n.kind.Exits...)
		if e, ok := n.node.(Exiter); ok {
			own := e.Exits()
			n.declared = append(n.declared, own...)
			known = len(own) > 0 // else its settings could not be read
		}
	}
	open, _ := n.node.(OpenExiter)
	strange := false
	goes := func(exit string, v *yaml.Node) {
		if !isText(v) {
			d.at(v, "", "exit %s must name a node, not %s", quote(exit), what(v))
			n.exits[exit], b.loose = "", true // one problem is enough
			return
		}
		n.exits[exit] = v.Value
		if b.keys[v.Value] == nil && !slices.Contains(b.flow.Ends, v.Value) && !b.full() {
			b.loose = true
			d.at(v, DidYouMean(v.Value, append(b.flow.Ends, b.order...)), "there is no node %s", quote(v.Value))
		}
	}
	if next != nil {
		switch {
		case known && len(n.declared) == 0 && open == nil:
			d.at(next, "leave next out", "%s ends the call, nothing comes after it", n.kind.Name)
			n.exits[NextExit] = next.Value
		case known && (len(n.declared) != 1 || n.declared[0] != NextExit || open != nil):
			d.at(next, "name its exits under exits:", "%s has more than one exit: %s", n.kind.Name, exitList(n, open))
			n.exits[elseExit] = next.Value // one problem is enough
		default:
			goes(NextExit, next)
		}
	}
	switch {
	case exits == nil:
	case exits.Kind != yaml.MappingNode:
		d.at(exits, `write exits: {EXIT: NODE}`, "exits must be a mapping, not %s", what(exits))
		n.exits[elseExit], b.loose = "", true
	case len(exits.Content)/2 > maxExits:
		d.at(exits, "", "node %s has %d exits, at most %d are read", n.id, len(exits.Content)/2, maxExits)
		n.exits[elseExit], b.loose = "", true
	default:
		d.pairs(exits, func(k, v *yaml.Node) {
			exit := k.Value
			valid := exit == ErrorExit || slices.Contains(n.declared, exit) || open != nil && open.Accepts(exit) ||
				exit == elseExit && (len(n.declared) > 0 || open != nil)
			if known && !valid && !b.full() {
				b.strange(n, open, k)
				strange = true
			}
			if exit == NextExit && next != nil {
				d.at(k, "", "next is there twice")
				return
			}
			goes(exit, v)
		})
	}
	if !known || strange { // a strange one may be one that is missing, misspelt
		return
	}
	for _, exit := range n.declared {
		if _, ok := n.next(exit); !ok {
			hint := "add exits: {" + exit + ": NODE}, or else: NODE for all that are not named"
			if exit == NextExit {
				hint = "add next: NODE"
			}
			d.at(b.keys[n.id], hint, "node %s (%s) does not say where exit %s goes", n.id, n.kind.Name, quote(exit))
		}
	}
}

// strange reports an exit that a node does not have.
func (b *flowBuilder) strange(n *step, open OpenExiter, exit *yaml.Node) {
	if r, ok := n.node.(Runner); ok && len(n.declared) == 0 {
		b.d.at(exit, fmt.Sprintf("add ends: [%s] to it", exit.Value), "flow %s has no end %s", r.Runs(), quote(exit.Value))
		return
	}
	b.d.at(exit, exitHint(n, open, exit.Value), "%s has no exit %s", n.kind.Name, quote(exit.Value))
}

func exitHint(n *step, open OpenExiter, wrong string) string {
	if len(n.declared) == 0 && open == nil {
		return "it ends the call; only error can be wired"
	}
	if hint := DidYouMean(wrong, append([]string{ErrorExit, elseExit}, n.declared...)); strings.HasPrefix(hint, "did") {
		return hint
	}
	return "it has " + exitList(n, open)
}

func exitList(n *step, open OpenExiter) string {
	list := slices.Clone(n.declared)
	if open != nil {
		list = append(list, open.ExitForm())
	}
	if !slices.Contains(list, ErrorExit) {
		list = append(list, ErrorExit)
	}
	return strings.Join(list, ", ")
}
