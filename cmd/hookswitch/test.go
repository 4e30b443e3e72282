package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// testOptions say which tests are played and what is told of them.
type testOptions struct {
	run      string
	junit    string
	cover    bool
	coverMin float64
	verbose  bool
	format   *output
}

func newTest() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [FOLDER…]",
		Short: "Plays the tests beside the flows: simulated calls, and what is expected of them",
		Long: "Plays the tests in the *.test.yaml of folders with numbers, targets and flows, in virtual time and on all\n" +
			"processors. Without FOLDER it takes the server's (config_dir). It fails when a test does, when a folder is\n" +
			"not valid, and when there is nothing to play.",
		RunE: func(cmd *cobra.Command, folders []string) error {
			if len(folders) == 0 {
				s, err := loadSettings(cmd)
				if err != nil {
					return err
				}
				if s.ConfigDir == "" {
					return &usageError{errors.New("name the folder; the server's configuration is in the database, and hookswitch export writes it into one")}
				}
				folders = []string{s.ConfigDir}
			}
			return runTests(cmd.OutOrStdout(), folders, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.run, "run", "", "play only tests whose name matches this regular expression")
	f.StringVar(&o.junit, "junit", "", "also write the results to this file, as JUnit XML")
	f.BoolVar(&o.cover, "cover", false, "tell which nodes and exits no call has reached")
	f.Float64Var(&o.coverMin, "cover-min", 0, "fail when less than this percentage of them was reached")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "also name the tests that pass")
	o.format = outputFlag(cmd)
	return cmd
}

// suite is a folder and what became of its tests.
type suite struct {
	dir      string
	script   *flowtest.Script
	results  []outcome
	coverage *flowtest.Coverage
}

// outcome is what became of one test; as JSON, one object a line.
type outcome struct {
	Folder      string                `json:"folder"`
	File        string                `json:"file"`
	Line        int                   `json:"line"`
	Name        string                `json:"name"`
	Passed      bool                  `json:"passed"`
	Path        []string              `json:"path"`
	Ends        string                `json:"ends"`
	Millis      int64                 `json:"ms"` // of the call
	Differences []flowtest.Difference `json:"differences,omitempty"`

	failure error
	seconds float64 // of the computer
}

// runTests plays the tests of all folders, and fails when one of them does.
func runTests(out io.Writer, folders []string, o testOptions) error {
	only, err := regexp.Compile(o.run)
	if err != nil {
		return &usageError{fmt.Errorf("--run: %w", err)}
	}
	suites, err := loadSuites(folders, only)
	if err != nil {
		return err
	}
	flows, tests, failed := 0, 0, 0
	for _, s := range suites {
		s.play()
		flows += writtenFlows(s.script.Snapshot)
		tests += len(s.results)
		for _, r := range s.results {
			if !r.Passed {
				failed++
			}
		}
	}
	if o.junit != "" {
		if err := writeJUnit(o.junit, suites); err != nil {
			return err
		}
	}
	report := &testReport{w: out, paint: painterFor(out), verbose: o.verbose}
	if *o.format == outputJSON {
		report.json(suites, o.cover)
	} else {
		report.text(suites)
		if o.cover || o.coverMin > 0 {
			report.coverage(suites)
		}
		report.printf("%s, %s, %d passed, %d failed\n", counted(flows, "flow"), counted(tests, "test"), tests-failed, failed)
	}
	switch covered := percentage(suites); {
	case report.err != nil:
		return report.err
	case failed > 0:
		return fmt.Errorf("%d of %s failed", failed, counted(tests, "test"))
	case covered < o.coverMin:
		return fmt.Errorf("the calls reach %.1f %% of nodes and exits, less than %g %%", covered, o.coverMin)
	}
	return nil
}

// loadSuites loads every folder once, before anything is played.
func loadSuites(folders []string, only *regexp.Regexp) ([]*suite, error) {
	var suites []*suite
	var errs []error
	matched := false
	for _, dir := range folders {
		script, problems := flowtest.LoadDir(dir, nodes.Kinds)
		switch {
		case len(problems) > 0:
			errs = append(errs, &invalidConfig{dir: dir, problems: problems})
			continue
		case len(script.Tests) == 0:
			errs = append(errs, fmt.Errorf("%s has no tests; write some into a file NAME.test.yaml beside the flows", dir))
			continue
		}
		all := script.Tests
		script.Tests = nil
		for _, t := range all {
			if only.MatchString(t.Name) {
				script.Tests = append(script.Tests, t)
			}
		}
		matched = matched || len(script.Tests) > 0
		suites = append(suites, &suite{dir: dir, script: script, coverage: flowtest.NewCoverage(script.Snapshot)})
	}
	if len(errs) == 0 && !matched {
		errs = append(errs, fmt.Errorf("no test has a name that matches %s", only))
	}
	return suites, errors.Join(errs...)
}

// play plays the tests. Their results stand in the order of the tests.
func (s *suite) play() {
	s.results = make([]outcome, len(s.script.Tests))
	s.script.PlayAll(s.script.Tests, func(i int, r *flowtest.Result, err error) {
		s.coverage.Add(r)
		t := &s.script.Tests[i]
		end, _ := r.End()
		got := outcome{Folder: s.dir, File: t.File, Line: t.Line, Name: t.Name, Passed: err == nil, Path: r.Path(), Ends: end,
			Millis: r.Lasted().Milliseconds(), failure: err, seconds: r.Took.Seconds()}
		if failure := (*flowtest.Failure)(nil); errors.As(err, &failure) {
			got.Differences = failure.Differences
		}
		s.results[i] = got
	})
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// percentage returns how much of the nodes and exits of all folders was reached.
func percentage(suites []*suite) float64 {
	parts, reached := 0, 0
	for _, s := range suites {
		for _, f := range s.coverage.Flows() {
			parts, reached = parts+f.Parts, reached+f.Reached
		}
	}
	return 100 * float64(reached) / float64(max(parts, 1))
}
