package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// testReport tells what became of tests. The first error of writing stays.
type testReport struct {
	w       io.Writer
	paint   painter
	verbose bool
	err     error
}

func (t *testReport) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(t.w, format, args...); t.err == nil {
		t.err = err
	}
}

func (t *testReport) json(suites []*suite, cover bool) {
	encode := json.NewEncoder(t.w)
	encode.SetEscapeHTML(false)
	for _, s := range suites {
		for _, r := range s.results {
			t.err = errors.Join(t.err, encode.Encode(r))
		}
		if cover {
			t.err = errors.Join(t.err, encode.Encode(map[string]any{"folder": s.dir, "coverage": s.coverage.Flows()}))
		}
	}
}

func (t *testReport) text(suites []*suite) {
	for _, s := range suites {
		for _, r := range s.results {
			switch {
			case r.failure != nil:
				t.failure(r.failure)
			case t.verbose:
				t.printf("%s %s:%d: %s\n", t.paint.paint(green, "ok"), r.File, r.Line, plain(r.Name))
			}
		}
	}
}

// failure prints what differs; what is missing and what came instead stand out.
func (t *testReport) failure(err error) {
	for i, line := range strings.Split(err.Error(), "\n") {
		s := style("")
		switch text := strings.TrimLeft(line, " "); {
		case i == 0:
			s = bold
		case strings.HasPrefix(text, "- "):
			s = red
		case strings.HasPrefix(text, "+ "):
			s = green
		}
		if line = plain(line); s != "" {
			line = t.paint.paint(s, line)
		}
		t.printf("%s\n", line)
	}
	t.printf("\n")
}

// coverage lists what no call has reached, flow by flow.
func (t *testReport) coverage(suites []*suite) {
	for _, s := range suites {
		for _, f := range s.coverage.Flows() {
			if len(f.Missing) == 0 {
				continue
			}
			name := f.Flow
			if f.Org != "" {
				name = f.Org + ", " + name
			}
			t.printf("%s: %d of %d nodes and exits; never reached are\n", name, f.Reached, f.Parts)
			for _, m := range f.Missing {
				if len(m.Exits) == 0 {
					t.printf("  %s\n", m.Node)
				} else {
					t.printf("  %s → %s\n", m.Node, strings.Join(m.Exits, ", "))
				}
			}
		}
	}
	t.printf("%.1f %% of nodes and exits reached\n", percentage(suites))
}
