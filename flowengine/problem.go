package flowengine

import (
	"cmp"
	"fmt"
	"slices"
)

// Problem is something in a document that keeps it from being used: where it
// is, what is wrong and, where there is something to say, what would be right.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0: the whole file
	Col     int    `json:"col"`  // in characters, from 1
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Warning bool   `json:"warning,omitempty"` // hardly meant, but the document can be used
	text    string // the line
}

// String returns "file:line:col: message; hint".
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
	s += ": " + p.Message
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Error is String, so that a Problem can be returned as an error.
func (p Problem) Error() string { return p.String() }

// maxProblems bounds what one load reports: more help nobody.
const maxProblems = 200

// sorted returns the problems by file and place, each once.
func sorted(ps []Problem) []Problem {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	ps = slices.Compact(ps)
	return ps[:min(len(ps), maxProblems)]
}
