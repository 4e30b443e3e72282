package flowtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/tags"
)

// Fault is something in a Test that does not fit the flows.
type Fault struct {
	At      []any // what leads to it: names of fields, positions in lists, and last of all perhaps a key
	Message string
	Hint    string
}

// key is the name of a field, not what is behind it.
type key string

func (f Fault) Error() string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + "; " + f.Hint
}

// transferred is how the end of a call begins that was given to the dialplan.
const transferred = "transferred "

// Check says what in a test does not fit the flows.
func (s *Script) Check(t *Test) []Fault {
	c := &checker{script: s, test: t}
	c.call()
	c.names()
	c.tags()
	c.routing()
	c.expect()
	return c.faults
}

type checker struct {
	script *Script
	test   *Test
	org    *flowengine.Organization // nil: unknown
	flow   *flowengine.Flow         // nil: unknown
	faults []Fault
}

func (c *checker) add(at []any, hint, format string, args ...any) {
	c.faults = append(c.faults, Fault{at, fmt.Sprintf(format, args...), hint})
}

func at(path ...any) []any { return path }

// call finds the flow in which the call begins.
func (c *checker) call() {
	t, s := c.test, c.script.Snapshot
	scene := c.script.Scenario(*t)
	r, known := s.Lookup(scene.Call.Number)
	c.org, _ = s.Organization(t.Org)
	if known && t.Org == "" {
		c.org = r.Org
	}
	switch {
	case c.org == nil && t.Org != "":
		c.add(at("org"), flowengine.Nearest(t.Org, c.organizations()), "there is no organization %q", t.Org)
	case c.org == nil && scene.Flow != "":
		c.add(at("flow"), "add org:, "+flowengine.Nearest("", c.organizations()), "flow %q may be of several organizations", scene.Flow)
	case scene.Flow != "":
		var ok bool
		if c.flow, ok = c.org.Flow(scene.Flow); !ok {
			c.add(at("flow"), flowengine.Nearest(scene.Flow, c.flows()), "there is no flow %q", scene.Flow)
		}
	case known && r.Org != c.org:
		c.add(at("to"), "leave org out", "number %q is not of organization %s", scene.Call.Number, c.org.Name)
	default:
		if known {
			c.flow = r.Flow
		} else if t.Expect.Ends != string(call.UnallocatedNumber) {
			c.add(at("to"), flowengine.Nearest(t.To, c.numbers()), "there is no number %q", scene.Call.Number)
		}
	}
	if t.To != "" && !call.ValidNumber(t.To) {
		c.add(at("to"), "digits, with a + in front if the trunk sends it", "%q is no number", t.To)
	}
	for i, digits := range t.Digits {
		if strings.Trim(digits, "0123456789*#ABCD") != "" {
			c.add(at("digits", i), "0-9, * and #", "%q cannot be pressed", digits)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		if !strings.HasPrefix(strings.ToUpper(name), "X-") {
			c.add(at("headers", key(name)), "begin with X-", "flows do not see the header %q", name)
		}
	}
	for i, point := range t.Lose {
		if point < 0 {
			c.add(at("lose", i), "count from 1; 0 loses nothing", "there is no point %d", point)
		}
	}
}

// names looks up the targets that behave somehow or are gone, and the nodes that ask.
func (c *checker) names() {
	for _, name := range slices.Sorted(maps.Keys(c.test.Targets)) {
		c.target(at("targets", key(name)), name)
	}
	for i, name := range c.test.Without {
		c.target(at("without", i), name)
	}
	for _, node := range slices.Sorted(maps.Keys(c.test.Requests)) {
		if path := at("requests", key(node)); c.node(path, node) {
			c.request(path, node)
		}
	}
}

// tags holds all tags against their definitions.
func (c *checker) tags() {
	if c.org == nil {
		return
	}
	c.values(at("tags"), c.test.Tags)
	for i, d := range c.test.Data {
		c.values(at("data", i, "tags"), d.Tags)
	}
}

func (c *checker) values(path []any, values map[string]flowengine.Scalar) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d, ok := c.org.Tag(name); ok {
			if _, err := d.Read(values[name].Value); err != nil {
				c.add(append(slices.Clone(path), name), tagHint(d), "tag %s is of type %s, and this is %s", name, d.Type, err)
			}
		}
	}
}

// tagHint says which values a tag has.
func tagHint(d *tags.Definition) string {
	switch d.Type {
	case tags.Enum:
		return flowengine.Nearest("", d.Values)
	case tags.Text:
		return "put quotes around it"
	}
	return ""
}

func (c *checker) expect() {
	x := &c.test.Expect
	if x.nothing() {
		c.add(at("expect"), "add expect: with path, exits, why, tags, dialled, not_tried, events, verbs or ends", "the test expects nothing, and so cannot fail")
	}
	for i, step := range x.Path {
		node, exit, _ := strings.Cut(step, " ")
		if c.node(at("expect", "path", i), node) {
			c.exit(at("expect", "path", i), node, exit)
		}
	}
	for _, node := range slices.Sorted(maps.Keys(x.Exits)) {
		if c.node(at("expect", "exits", key(node)), node) {
			c.exit(at("expect", "exits", node), node, x.Exits[node])
		}
	}
	for _, node := range slices.Sorted(maps.Keys(x.Why)) {
		c.node(at("expect", "why", key(node)), node)
	}
	for i, name := range x.Dialled {
		c.target(at("expect", "dialled", i), name)
	}
	if cause := call.Cause(x.Ends); x.Ends != "" && !cause.Known() && !strings.HasPrefix(x.Ends, transferred) {
		hint := cmp.Or(flowengine.Nearest(x.Ends, append(causes(), strings.TrimSpace(transferred))), "write a cause such as NORMAL_CLEARING, or transferred EXTENSION")
		c.add(at("expect", "ends"), hint, "ends: there is no cause %q", x.Ends)
	}
}

// target checks who is dialled: a target, a number or a SIP address.
func (c *checker) target(path []any, name string) {
	if c.org == nil || call.ValidNumber(name) || strings.HasPrefix(name, "sip:") {
		return
	}
	if _, ok := c.org.Target(name); ok {
		return
	}
	var names []string
	for _, t := range c.org.Targets() {
		names = append(names, t.Name)
	}
	c.add(path, flowengine.Nearest(name, names), "there is no target %q", name)
}

// node looks up a node by its path.
func (c *checker) node(path []any, node string) bool {
	if c.flow == nil {
		return false
	}
	f, id := locate(c.flow, node)
	if f == nil {
		c.add(path, "", "node %s runs no flow in which %s could be", strings.TrimSuffix(node, "/"+id), id)
		return false
	}
	if f.Kind(id) == "" {
		c.add(path, flowengine.Nearest(id, f.NodeIDs()), "flow %s has no node %q", f.Name, id)
		return false
	}
	return true
}

// request wants a node that makes one.
func (c *checker) request(path []any, node string) {
	if f, id := locate(c.flow, node); !f.Asks(id) {
		c.add(path, "", "node %s (%s) makes no request", node, f.Kind(id))
	}
}

// exit checks the exit of a node; none is for a call that ends in it.
func (c *checker) exit(path []any, node, exit string) {
	f, id := locate(c.flow, node)
	exits := f.Exits(id)
	if _, ok := exits[exit]; ok || exit == "" || exit == flowengine.ErrorExit {
		return
	}
	hint := flowengine.Nearest(exit, slices.Collect(maps.Keys(exits)))
	if len(exits) == 0 {
		hint = "the call ends in it: write " + node + " alone"
	}
	c.add(path, hint, "node %s (%s) has no exit %q", node, f.Kind(id), exit)
}

// locate follows the path of a node from the flow in which a call began, and returns
// the flow that the node is in; nil when something on the way runs no flow.
func locate(f *flowengine.Flow, path string) (in *flowengine.Flow, id string) {
	ids := strings.Split(path, "/")
	for _, id := range ids[:len(ids)-1] {
		if f == nil {
			break
		}
		f = f.Runs(id)
	}
	return f, ids[len(ids)-1]
}

func (c *checker) flows() (out []string) {
	for _, f := range c.org.Flows() {
		out = append(out, f.Name)
	}
	return out
}

func (c *checker) organizations() (out []string) {
	for _, o := range c.script.Snapshot.Organizations() {
		out = append(out, o.Name)
	}
	return out
}

func (c *checker) numbers() (out []string) {
	for _, n := range c.script.Snapshot.Numbers() {
		out = append(out, n.Number)
	}
	return out
}
