package flowtest

import (
	"errors"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Script is what flows are tested with: a snapshot and the tests of it.
type Script struct {
	Snapshot *flowengine.Snapshot
	Tests    []Test
	Live     flowengine.Requester // answers the requests of which a test says nothing; nil: they fail

	number string // that is dialled when a test does not say
	flow   string // and the flow that takes it when the number has none
}

// NewScript returns a script without tests. Without a number among the flows one is
// made up for the first of them.
func NewScript(s *flowengine.Snapshot) *Script {
	out := &Script{Snapshot: s, number: defaultNumber}
	if numbers := s.Numbers(); len(numbers) > 0 {
		out.number = numbers[0].Number
		return out
	}
	var first *flowengine.Flow
	for _, f := range s.Flows() {
		if f.Plan() == "" && (first == nil || f.File < first.File || f.File == first.File && f.Line < first.Line) {
			first = f
		}
	}
	if first != nil {
		out.flow = first.Name
	}
	return out
}

// numberOf returns the number that is dialled when a test does not say.
func (s *Script) numberOf(org string) string {
	for _, r := range s.Snapshot.Numbers() {
		if r.Org.Name == org {
			return r.Number
		}
	}
	return s.number
}

// ParseScript reads a file that holds both: the documents of a flow folder, and
// documents with tests:. The problems are joined into the error.
func ParseScript(file string, data []byte, kinds flowengine.Kinds) (*Script, error) {
	r := flowengine.NewReader(kinds)
	var tests []*flowengine.Document
	for _, d := range r.Documents(file, data) {
		if d.Has("tests") {
			tests = append(tests, d)
		} else {
			r.Add(d)
		}
	}
	s, problems := read(r, tests)
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return s, errors.Join(errs...)
}

// LoadDir is flowengine.LoadDir, and reads the tests in the *.test.yaml beside the
// flows.
func LoadDir(dir string, kinds flowengine.Kinds) (*Script, []flowengine.Problem) {
	r := flowengine.NewReader(kinds)
	return read(r, r.Dir(dir))
}

// read reads the tests against the flows that r has.
func read(r *flowengine.Reader, tests []*flowengine.Document) (*Script, []flowengine.Problem) {
	snapshot := r.Snapshot()
	var s *Script
	if snapshot != nil {
		s = NewScript(snapshot)
	}
	named := map[string]flowengine.Place{}
	for _, d := range tests {
		var doc struct {
			Tests []Test `yaml:"tests,required"`
		}
		d.Decode(&doc, "a document of tests")
		for i := range doc.Tests {
			t, at := &doc.Tests[i], d.Root().Field("tests").Item(i)
			t.File, t.Line = d.File(), at.Line()
			if first, ok := named[t.File+t.Name]; ok && t.Name != "" {
				at.Field("name").Problem("", "there is a test %q already, at %s", t.Name, first)
			}
			named[t.File+t.Name] = at
			if s != nil {
				s.report(t, at)
			}
		}
		if s != nil {
			s.Tests = append(s.Tests, doc.Tests...)
		}
	}
	if problems := r.Problems(); len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// report tells what is wrong with a test at its place.
func (s *Script) report(t *Test, at flowengine.Place) {
	for _, f := range s.Check(t) {
		place := at
		for _, part := range f.At {
			switch part := part.(type) {
			case string:
				place = place.Field(part)
			case int:
				place = place.Item(part)
			case key:
				place = place.Key(string(part))
			}
		}
		place.Problem(f.Hint, "%s", f.Message)
	}
}
