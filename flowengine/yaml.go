package flowengine

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// What a document may hold. Nothing is expanded or decoded before it was
// measured.
const (
	maxFile  = 1 << 20
	maxDepth = 64
	maxNodes = 100_000
)

// document is one YAML document of a file.
type document struct {
	file   string
	source string   // the document alone
	lines  []string // of the source
	before int      // lines of the file before the source
	root   *yaml.Node
	exprs  []placed // expressions in it
	made   bool     // it is no part of the file
	alias  bool     // aliases stand for what they name, bounded like everything else
	report *report
}

// report collects problems.
type report struct {
	problems []Problem
	faulty   map[*yaml.Node]bool // what was reported already
	unread   bool                // a document could not be read, and may have what others ask for
}

func (r *report) add(p Problem) {
	if !r.full() {
		p.Message, p.Hint = oneLine(p.Message), oneLine(p.Hint)
		r.problems = append(r.problems, p)
	}
}

// full says that further problems are not kept, so that nobody need look for them.
func (r *report) full() bool { return len(r.problems) >= maxProblems }

// oneLine keeps what documents hold from writing lines, or to terminals, of
// their own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func (r *report) mark(n *yaml.Node) {
	if r.faulty == nil {
		r.faulty = map[*yaml.Node]bool{}
	}
	r.faulty[n] = true
}

// within says whether n, or anything inside of it, was reported.
func (r *report) within(n *yaml.Node) bool {
	return r.faulty[n] || slices.ContainsFunc(n.Content, r.within)
}

// at reports a problem with n.
func (d *document) at(n *yaml.Node, hint, format string, args ...any) {
	d.report.mark(n)
	d.problem(n.Line, n.Column, hint, format, args...)
}

// problem reports a problem at a place of the document.
func (d *document) problem(line, col int, hint, format string, args ...any) {
	d.report.add(d.about(line, col, hint, fmt.Sprintf(format, args...)))
}

// about makes a problem of a message about a place of the document.
func (d *document) about(line, col int, hint, message string) Problem {
	p := Problem{File: d.file, Line: d.before + max(line, 1), Col: max(col, 1), Message: message, Hint: hint}
	if line >= 1 && line <= len(d.lines) {
		p.text = d.lines[line-1]
	}
	return p
}

// place names where n stands, for a message about something else.
func (d *document) place(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", d.file, d.before+n.Line, n.Column)
}

// readDocuments splits a file into its documents and parses each. A document
// that fails is reported and left out.
func readDocuments(file string, data []byte, r *report) []*document {
	whole := func(hint, format string, args ...any) []*document {
		r.add(Problem{File: file, Message: fmt.Sprintf(format, args...), Hint: hint})
		return nil
	}
	if why := tooLarge(string(data)); why != "" {
		return whole("split it into several files", "the file has %s", why)
	}
	if !utf8.Valid(data) {
		return whole("save it as UTF-8", "the file is not UTF-8 text")
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") { // a block of text would be another with one
		text += "\n"
	}
	var docs []*document
	for _, part := range split(text) {
		d := &document{file: file, source: part.text, before: part.before, report: r}
		d.lines = strings.Split(d.source, "\n")
		if d.parse() {
			docs = append(docs, d)
		}
	}
	return docs
}

// tooLarge says what a file has too much of to be read; empty for one that is.
func tooLarge(text string) string {
	if len(text) > maxFile {
		return fmt.Sprintf("%d bytes, at most %d are read", len(text), maxFile)
	}
	// A quick bound before the parser allocates a node for each.
	if strings.Count(text, ",") > maxNodes {
		return fmt.Sprintf("more than %d values", maxNodes)
	}
	return ""
}

type part struct {
	text   string
	before int
}

var startsDocument = regexp.MustCompile(`(?m)^---(?:[ \t]|$)`)

// split cuts a file at its --- lines: at the beginning of a line they begin a
// document wherever they stand (YAML 1.2.2, section 9.1.2, c-forbidden).
func split(text string) []part {
	cuts := []int{0}
	for _, at := range startsDocument.FindAllStringIndex(text, -1) {
		cuts = append(cuts, at[0])
	}
	cuts = append(cuts, len(text))
	var parts []part
	for i := range len(cuts) - 1 {
		if cuts[i] < cuts[i+1] {
			parts = append(parts, part{text[cuts[i]:cuts[i+1]], strings.Count(text[:cuts[i]], "\n")})
		}
	}
	return parts
}

// parse fills in the root; false for an empty document or a reported one.
func (d *document) parse() bool {
	if blank(d.lines) {
		return false
	}
	var n yaml.Node
	if err := yaml.Load([]byte(d.source), &n); err != nil {
		d.syntax(err)
		return false
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return false
	}
	d.root = n.Content[0]
	tests, _ := field(d.root, "tests")
	d.alias = tests != nil // tests repeat what they expect
	count := 0
	return d.measure(d.root, 1, &count)
}

func blank(lines []string) bool {
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if i == 0 {
			l = strings.TrimSpace(strings.TrimPrefix(l, "---"))
		}
		if l != "" && l[0] != '#' {
			return false
		}
	}
	return true
}

// syntax reports the parser's error.
func (d *document) syntax(err error) {
	message, hint := err.Error(), ""
	line, col := 1, 1
	if e := (*yaml.LoadError)(nil); errors.As(err, &e) {
		message = strings.TrimPrefix(e.Message, "yaml: ")
		if e.Mark.Line > 0 {
			line, col = e.Mark.Line, e.Mark.Column
		}
	}
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		hint = "a text with a colon needs quotes around it; otherwise look at the indentation"
	case strings.Contains(message, "cannot start any token"):
		hint = "indent with spaces, and put quotes around texts that begin with @, ` or %"
	case startsOddly.MatchString(message):
		hint = `a text that begins with * or # needs quotes, as in "*"`
	case strings.Contains(message, "expected ',' or"):
		hint = "a text with a colon, a comma or a bracket needs quotes around it; otherwise close what { or [ opens"
	case strings.Contains(message, "expected ':'"):
		hint = "a colon and a space follow each name, here or on the line before"
	case strings.Contains(message, "tab character"):
		hint = "indent with spaces"
	case strings.Contains(message, "expected key"):
		hint = "look at the indentation"
	case strings.Contains(message, "multiple"):
		d.problem(line, col, "write --- between two documents", "something follows the end of the document")
		return
	case strings.Contains(message, "max depth"):
		d.problem(line, col, "", "nested deeper than %d", maxDepth)
		return
	}
	d.problem(line, col, hint, "this is not YAML: %s", message)
}

// startsOddly matches the parser's words for a * or # without quotes.
var startsOddly = regexp.MustCompile(`comment without preceding whitespace|expected alphabetic or numeric character|unknown anchor`)

// measure refuses what a flow never needs and what could be expanded, and
// makes texts of the plain scalars that YAML would take for dates or for numbers
// although another spelling would come back: +15551234567 and 0123 are
// numbers that somebody dials.
func (d *document) measure(n *yaml.Node, depth int, count *int) bool {
	*count++
	switch {
	case n.Kind == yaml.AliasNode:
		d.at(n, "write the value out", "aliases (*%s) are not read", n.Value)
		return false
	case n.Anchor != "" && !d.alias:
		d.at(n, "write the value out where it is needed", "anchors (&%s) are not read", n.Anchor)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		d.at(n, "leave it out; quotes make a text", "tags (%s) are not read", n.Tag)
		return false
	case depth > maxDepth:
		d.at(n, "", "nested deeper than %d", maxDepth)
		return false
	case *count > maxNodes:
		d.at(n, "split the file", "the document has more than %d values", maxNodes)
		return false
	}
	textify(n)
	for i, c := range n.Content {
		if d.alias && c.Kind == yaml.AliasNode {
			c = c.Alias
			n.Content[i] = c
		}
		if !d.measure(c, depth+1, count) {
			return false
		}
	}
	return true
}

// textify does so with one scalar.
func textify(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Style != 0 {
		return
	}
	if n.Tag == "!!timestamp" || n.Tag == "!!int" && !plainInt.MatchString(n.Value) || n.Tag == "!!float" && !plainFloat.MatchString(n.Value) {
		n.Tag = "!!str"
	}
}

var (
	plainInt   = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,9})$`)
	plainFloat = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+|(\.[0-9]+)?[eE][-+]?[0-9]+)$`)
)

// isText says whether n was meant as a text or a number, not as nothing.
func isText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag != "!!null" }

// pairs calls f for each key and value of a mapping, and reports keys that
// are no text or come twice.
func (d *document) pairs(n *yaml.Node, f func(key, value *yaml.Node)) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if !isText(k) {
			hint := ""
			if k.Kind == yaml.MappingNode {
				hint = `a value that begins with {{ needs quotes: "{{ … }}"`
			}
			d.at(k, hint, "a key must be a text")
			continue
		}
		if first := seen[k.Value]; first != nil {
			hint := ""
			if n == d.root {
				hint = "write --- between two documents"
			}
			d.at(k, hint, "%q is there already, at %s", k.Value, d.place(first))
			continue
		}
		seen[k.Value] = k
		f(k, v)
	}
}

// field returns key and value of a field; nil when there is none.
func field(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind == yaml.ScalarNode && n.Content[i].Value == name {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// what names the kind of value that n is.
func what(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "the number " + n.Value
	case n.Tag == "!!bool":
		return n.Value
	}
	return "the text " + quote(n.Value)
}

// quote shows a text of a document in a message: short, on one line.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// pairsQuietly is pairs for a mapping whose keys were checked before.
func (d *document) pairsQuietly(n *yaml.Node, f func(key, value *yaml.Node)) {
	quiet := *d
	quiet.report = &report{}
	quiet.pairs(n, f)
}
