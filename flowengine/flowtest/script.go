package flowtest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Script is a file of simulated calls: the documents of a flow folder, and
// documents with tests: beside them.
type Script struct {
	Snapshot *flowengine.Snapshot
	Tests    []Test
}

var beginsDocument = regexp.MustCompile(`(?m)^---[ \t]*$`)

// ParseScript reads a script. A flow without a number gets one.
func ParseScript(file string, data []byte, kinds flowengine.Kinds) (*Script, error) {
	var s Script
	var folder [][]byte
	flow := ""
	for _, doc := range beginsDocument.Split(string(data), -1) {
		var head map[string]yaml.Node
		if err := yaml.Load([]byte(doc), &head); err != nil && strings.TrimSpace(doc) != "" {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if _, ok := head["tests"]; !ok {
			folder = append(folder, []byte(doc))
			if n, ok := head["flow"]; ok && flow == "" {
				flow = n.Value
			}
			if _, ok := head["numbers"]; ok {
				flow = "-"
			}
			continue
		}
		var tests struct {
			Tests []Test `yaml:"tests"`
		}
		if err := yaml.Load([]byte(doc), &tests, yaml.WithKnownFields()); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		s.Tests = append(s.Tests, tests.Tests...)
	}
	if flow != "" && flow != "-" {
		folder = append(folder, fmt.Appendf(nil, "numbers: {\"1000\": {flow: %s}}\n", flow))
	}
	snapshot, problems := flowengine.LoadFile(file, bytes.Join(folder, []byte("\n---\n")), kinds)
	if len(problems) > 0 {
		errs := make([]error, len(problems))
		for i, p := range problems {
			errs[i] = p
		}
		return nil, errors.Join(errs...)
	}
	s.Snapshot = snapshot
	return &s, nil
}
