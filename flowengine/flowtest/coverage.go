package flowtest

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Coverage counts which nodes and exits calls have reached. The exits that "else" takes
// count as one, and the exit error, which every kind has, does not count. It may be used
// by several goroutines at once.
type Coverage struct {
	snapshot *flowengine.Snapshot
	mu       sync.Mutex
	reached  map[part]bool
}

// part is a node of a flow, or one of its exits.
type part struct {
	flow       *flowengine.Flow
	node, exit string
}

// NewCoverage returns the coverage of flows that no call has reached.
func NewCoverage(s *flowengine.Snapshot) *Coverage {
	return &Coverage{snapshot: s, reached: map[part]bool{}}
}

// Add counts what a call has reached.
func (c *Coverage) Add(r *Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var main *flowengine.Flow
	for _, e := range r.Events {
		if e.Type == call.Started || e.Type == call.Resumed {
			if main = nil; e.Org != "" {
				o, _ := c.snapshot.Organization(e.Org)
				main, _ = o.Flow(e.Attrs["flow"])
			}
		}
		if e.Step == "" || main == nil {
			continue
		}
		f := main
		ids := strings.Split(e.Step, "/")
		for _, id := range ids[:len(ids)-1] {
			c.reached[part{f, id, ""}] = true // it runs the flow of the next
			f = f.Runs(id)
		}
		last := ids[len(ids)-1]
		c.reached[part{f, last, ""}] = true
		if e.Exit != "" {
			c.reached[part{f, last, f.Way(last, e.Exit)}] = true
		}
	}
}

// FlowCoverage is how much of a flow was reached.
type FlowCoverage struct {
	Org     string    `json:"org,omitempty"` // where there are several
	Flow    string    `json:"flow"`
	Parts   int       `json:"parts"` // nodes and exits
	Reached int       `json:"reached"`
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a node that was not reached, or exits of one that was.
type Missing struct {
	Node  string   `json:"node"`
	Exits []string `json:"exits,omitempty"` // none: the node itself
}

// Flows returns the coverage of each flow, by organization and name.
func (c *Coverage) Flows() (out []FlowCoverage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	organizations := c.snapshot.Organizations()
	for _, o := range organizations {
		name := ""
		if len(organizations) > 1 {
			name = o.Name
		}
		out = append(out, c.of(name, o.Flows())...)
	}
	return out
}

func (c *Coverage) of(org string, flows []*flowengine.Flow) (out []FlowCoverage) {
	for _, f := range flows {
		of := FlowCoverage{Org: org, Flow: f.Name}
		for _, id := range f.NodeIDs() {
			of.Parts++
			missing := Missing{Node: id}
			if c.reached[part{f, id, ""}] {
				of.Reached++
			}
			ways := map[string]bool{}
			for exit := range f.Exits(id) {
				ways[f.Way(id, exit)] = true
			}
			delete(ways, flowengine.ErrorExit)
			for _, exit := range slices.Sorted(maps.Keys(ways)) {
				of.Parts++
				if c.reached[part{f, id, exit}] {
					of.Reached++
				} else {
					missing.Exits = append(missing.Exits, exit)
				}
			}
			switch {
			case !c.reached[part{f, id, ""}]:
				of.Missing = append(of.Missing, Missing{Node: id})
			case len(missing.Exits) > 0:
				of.Missing = append(of.Missing, missing)
			}
		}
		out = append(out, of)
	}
	return out
}
