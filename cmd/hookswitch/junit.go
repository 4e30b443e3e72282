package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// The JUnit format as CI systems read it: a suite for each file, a case for each test.
// What is no character of XML, encoding/xml replaces.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Time     junitSeconds `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     junitSeconds `xml:"time,attr"`
		Cases    []junitCase  `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Time    junitSeconds  `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junitSeconds is a time in seconds with microseconds.
type junitSeconds float64

func (s junitSeconds) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%.6f", float64(s)), nil }

// newJUnit reports tests by their files.
func newJUnit(suites []*suite) *junitReport {
	report := &junitReport{}
	for _, s := range suites {
		var in *junitSuite // the file's
		for _, r := range s.results {
			if in == nil || in.Name != r.File {
				report.Suites = append(report.Suites, junitSuite{Name: r.File})
				in = &report.Suites[len(report.Suites)-1]
			}
			c := junitCase{Name: r.Name, Class: strings.TrimSuffix(r.File, ".test.yaml"), File: r.File, Line: r.Line, Time: junitSeconds(r.seconds)}
			if r.failure != nil {
				whats := make([]string, len(r.Differences))
				for i, d := range r.Differences {
					whats[i] = d.What
				}
				c.Failure = &junitFailure{Message: "not as expected: " + strings.Join(whats, ", "), Text: r.failure.Error()}
				in.Failures++
				report.Failures++
			}
			in.Cases = append(in.Cases, c)
			in.Tests++
			report.Tests++
			in.Time += c.Time
			report.Time += c.Time
		}
	}
	return report
}

func writeJUnit(path string, suites []*suite) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	encode := xml.NewEncoder(&b)
	encode.Indent("", "  ")
	if err := encode.Encode(newJUnit(suites)); err != nil {
		return fmt.Errorf("JUnit: %w", err)
	}
	b.WriteString("\n")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("JUnit: %w", err)
	}
	return nil
}
