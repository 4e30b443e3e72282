package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// output is the form in which a command prints.
type output string

const (
	outputText output = "text"
	outputJSON output = "json"
	outputCSV  output = "csv"
)

// outputValue is the flag -o, with the forms that a command has.
type outputValue struct {
	*output
	forms []string
}

func (v *outputValue) String() string {
	if v.output == nil { // pflag asks a zero value what it is
		return ""
	}
	return string(*v.output)
}

func (v *outputValue) Type() string { return strings.Join(v.forms, "|") }

func (v *outputValue) Set(s string) error {
	if !slices.Contains(v.forms, s) {
		last := len(v.forms) - 1
		return fmt.Errorf("neither %s nor %s", strings.Join(v.forms[:last], ", "), v.forms[last])
	}
	*v.output = output(s)
	return nil
}

// outputFlag gives cmd the flag -o, for text and JSON and what other forms it has.
func outputFlag(cmd *cobra.Command, others ...output) *output {
	o := outputText
	v := &outputValue{&o, []string{string(outputText), string(outputJSON)}}
	for _, other := range others {
		v.forms = append(v.forms, string(other))
	}
	cmd.Flags().VarP(v, "output", "o", "form of the output; json is one object a line")
	return &o
}

// style is a way to print a text: an SGR code of the terminal (ECMA-48, 8.3.117).
type style string

const (
	dim    style = "2"
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// painter colours text, or leaves it alone.
type painter bool

// painterFor colours only what goes to a terminal whose user has not refused it
// (no-color.org).
func painterFor(w io.Writer) painter {
	f, ok := w.(*os.File)
	return painter(ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (p painter) paint(s style, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// plain makes free text fit for a terminal: callers write some of it, and a
// control character would be obeyed.
func plain(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// pad fills text, which may be coloured afterwards, to a width in characters.
func pad(text string, width int) string {
	if n := width - len([]rune(text)); n > 0 {
		return text + strings.Repeat(" ", n)
	}
	return text
}
