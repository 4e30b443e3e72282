package flowtest_test

import (
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// Whatever stands in a file of tests, it is refused or can be played.
func FuzzTests(f *testing.F) {
	f.Add("tests:\n  - {name: a, digits: [\"1\"], targets: {alice: busy after 2s, bob: answers talks 1m presses 1}, expect: {path: [welcome 1, sales completed], ends: NORMAL_CLEARING}}")
	f.Add("tests:\n  - {name: a, flow: main, at: 2026-07-01 12:00 America/New_York, hangs_up: 3s, tags: {a: 1.5, b: 02139}, says: [5s], expect: &x {exits: {sales: busy}}}\n  - {name: b, lose: [1, 3], seed: 7, without: [bob], expect: *x}")
	f.Add("tests: &a [*a]")
	f.Add("tests:\n  - name: a\n    requests: {sales: '200 after 2s {\"a\": [1]}'}\n    expect: {why: {sales: x}, tags: {a: \"\"}, dialled: [], verbs: [answer], events: []}")
	f.Fuzz(func(t *testing.T, tests string) {
		s, err := flowtest.ParseScript("f.yaml", []byte(mainLine+"---\n"+tests), nodes.Kinds)
		if err != nil {
			return
		}
		coverage := flowtest.NewCoverage(s.Snapshot)
		for _, test := range s.Tests[:min(len(s.Tests), 10)] {
			r, err := s.Play(test)
			if err != nil && err.Error() == "" {
				t.Error("a failure without a word")
			}
			r.Tree()
			coverage.Add(r)
		}
	})
}
