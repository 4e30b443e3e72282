package flowengine

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// What an excerpt shows of a long line, in characters.
const (
	excerptBefore = 60 // the place
	excerptAfter  = 40
)

// Excerpt shows the place in the document: two lines, its line and under it a caret.
// It is empty for a problem with a whole file.
func (p Problem) Excerpt() string {
	line := []rune(p.text)
	if len(line) == 0 {
		return ""
	}
	at := min(p.Col-1, len(line))
	from, to := 0, len(line)
	if at > excerptBefore && to > excerptBefore+excerptAfter {
		from = min(at-excerptBefore, to-excerptBefore-excerptAfter)
	}
	to = min(to, from+excerptBefore+excerptAfter)
	var shown, under strings.Builder
	if from > 0 {
		shown.WriteString("…")
		under.WriteString(" ")
	}
	for i, r := range line[from:to] {
		if !unicode.IsPrint(r) {
			r = ' ' // a tab too: its width is the terminal's secret
		}
		shown.WriteRune(r)
		if from+i < at {
			under.WriteString(strings.Repeat(" ", columns(r)))
		}
	}
	if to < len(line) {
		shown.WriteString("…")
	}
	return fmt.Sprintf("%5d | %s\n      | %s^", p.Line, shown.String(), under.String())
}

// Shown returns String and, below it, the excerpt: the problem for a terminal.
func (p Problem) Shown() string {
	if excerpt := p.Excerpt(); excerpt != "" {
		return p.String() + "\n" + excerpt
	}
	return p.String()
}

// columns is how many columns of a terminal a character takes.
func columns(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case kind == width.EastAsianWide || kind == width.EastAsianFullwidth: // Unicode Standard Annex 11
		return 2
	}
	return 1
}
