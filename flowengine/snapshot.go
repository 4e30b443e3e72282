package flowengine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/call"
)

// Snapshot is all that was loaded at one moment. It does not change; a new
// one takes its place.
type Snapshot struct {
	organizations map[string]*Organization
	numbers       map[string]*Route // by call.PlainNumber
	routes        map[uint64]*Route // by packed call.PlainNumber, those that can be packed
	// The current versions and those carried along. A version says all that a flow
	// does, so that organizations share those that they have in common.
	versions map[versionKey]*Flow
	warnings []Problem
}

type versionKey struct{ name, version string }

// Route is what a number that a trunk delivers leads to.
type Route struct {
	Number    string // as written
	Org       *Organization
	Campaign  *Campaign // nil: the number has a flow of its own
	Publisher string    // name of who sends the calls; empty: nobody
	Flow      *Flow     // in which calls begin, unless an override says otherwise
}

// Lookup returns the route of a number, however its + is written.
func (s *Snapshot) Lookup(number string) (*Route, bool) {
	plain := call.PlainNumber(number)
	if key, ok := packed(plain); ok {
		r, ok := s.routes[key]
		return r, ok
	}
	r, ok := s.numbers[plain]
	return r, ok
}

// packed returns a number of at most 15 characters, which E.164 numbers are, as
// one word: among many, a key that lies elsewhere costs more than the search.
func packed(number string) (key uint64, ok bool) {
	if len(number) > 15 {
		return 0, false
	}
	for i := range len(number) {
		switch c := number[i]; {
		case '0' <= c && c <= '9':
			key = key<<4 | uint64(c-'0')
		case c == '*':
			key = key<<4 | 10
		case c == '#':
			key = key<<4 | 11
		default:
			return 0, false
		}
	}
	return key<<4 | uint64(len(number)), true
}

// Organization returns the organization called name. Where there is only one, the
// empty name is its.
func (s *Snapshot) Organization(name string) (*Organization, bool) {
	if name == "" && len(s.organizations) == 1 {
		for _, o := range s.organizations {
			return o, true
		}
	}
	o, ok := s.organizations[name]
	return o, ok
}

// Organizations returns the organizations by name.
func (s *Snapshot) Organizations() []*Organization { return byName(s.organizations) }

// Flow returns the current version of a flow, where there is only one organization.
func (s *Snapshot) Flow(name string) (*Flow, bool) {
	if o, ok := s.Organization(""); ok {
		return o.Flow(name)
	}
	return nil, false
}

// Target returns the target called name, where there is only one organization.
func (s *Snapshot) Target(name string) (Target, bool) {
	if o, ok := s.Organization(""); ok {
		return o.Target(name)
	}
	return Target{}, false
}

// Version returns a flow in the version that a call began with.
func (s *Snapshot) Version(name, version string) (*Flow, bool) {
	f, ok := s.versions[versionKey{name, version}]
	return f, ok
}

// Flows returns the current flows of all organizations, those of the plans among them,
// by organization and name.
func (s *Snapshot) Flows() (out []*Flow) {
	for _, o := range s.Organizations() {
		out = append(out, o.Flows()...)
	}
	return out
}

// Targets returns the targets of all organizations, by organization and name.
func (s *Snapshot) Targets() (out []Target) {
	for _, o := range s.Organizations() {
		out = append(out, o.Targets()...)
	}
	return out
}

// Numbers returns the numbers of all organizations, sorted.
func (s *Snapshot) Numbers() []*Route {
	return slices.SortedFunc(maps.Values(s.numbers), func(a, b *Route) int {
		return cmp.Compare(call.PlainNumber(a.Number), call.PlainNumber(b.Number))
	})
}

// Warnings returns what is not wrong in the documents, but hardly meant.
func (s *Snapshot) Warnings() []Problem { return s.warnings }

// Without returns a snapshot in which these targets are no longer configured,
// whatever the flows say: for asking what would happen.
func (s *Snapshot) Without(targets ...string) *Snapshot {
	out := *s
	out.organizations = make(map[string]*Organization, len(s.organizations))
	for name, o := range s.organizations {
		less := *o
		less.targets = maps.Clone(o.targets)
		for _, t := range targets {
			delete(less.targets, t)
		}
		out.organizations[name] = &less
	}
	return &out
}

// With returns a snapshot that also holds every version that previous holds, so
// that calls which began with one of them can be taken over.
func (s *Snapshot) With(previous *Snapshot) *Snapshot {
	if previous == nil {
		return s
	}
	out := *s
	out.versions = maps.Clone(previous.versions)
	maps.Copy(out.versions, s.versions)
	return &out
}
