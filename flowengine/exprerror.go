package flowengine

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
)

// literal matches what expr repeats of a literal: of a text or a number, of a pattern.
var literal = regexp.MustCompile("(?:: [^:]*[\"`].*|\\(\".*\"\\))$")

// exprError keeps expr's words and their place, and says what would be right. It keeps no
// literal: a server logs what is wrong with its flows, and a literal may be what a secret
// is compared with.
func exprError(src string, in scope, err error) *SettingError {
	msg, at, hint := err.Error(), 0, ""
	if e := (*file.Error)(nil); errors.As(err, &e) {
		msg, at = e.Message, max(e.From, 0)
	}
	msg, _, _ = strings.Cut(msg, "\n")
	token := unexpected.FindStringSubmatch(msg)
	msg = literal.ReplaceAllString(msg, "")
	if m := noField.FindStringSubmatch(msg); m != nil && owners[m[1]].name != "" {
		msg, hint = fmt.Sprintf("%s has no field %s", owners[m[1]].name, m[2]), DidYouMean(m[2], owners[m[1]].fields)
	} else if name, ok := strings.CutPrefix(msg, "unknown name "); ok && isCalled(src, at, name) {
		hint = DidYouMean(name, builtin.Names)
	} else if ok {
		hint = unknownHint(name, in)
	} else if token != nil {
		hint = tokenHint(token[1])
	} else if m := noTruth.FindStringSubmatch(msg); m != nil {
		msg, hint = fmt.Sprintf("it is %s, neither true nor false", cmp.Or(typeNames[m[1]], m[1])), "compare it with something by == or <"
	} else if textAndNumber.MatchString(msg) {
		hint = "put quotes around the number, or make a number of the text by int(…)"
	} else if strings.Contains(msg, "mismatched types func(") {
		hint = "call it with ( ), as in now.Hour()"
	} else if msg == "literal not terminated" {
		hint = "close the text with the quote it begins with"
	}
	return &SettingError{Offset: at, Message: "expression: " + msg, Hint: hint}
}

var variableNames = []string{"call", "caller", "number", "campaign", "tags", "vars", "now"}

// unknownHint suggests a variable for a wrong name.
func unknownHint(wrong string, in scope) string {
	names := variableNames
	switch {
	case in&answer != 0:
		names = slices.Concat(names, []string{"status", "headers", "body"})
	case in&event != 0:
		names = []string{"event", "call", "caller", "number", "campaign", "tags", "now"}
	}
	if hint := DidYouMean(wrong, names); strings.HasPrefix(hint, "did") {
		return hint
	}
	hint := "there are " + strings.Join(names, ", ") + "; a text needs quotes"
	if plainName.MatchString(wrong) && in&event == 0 {
		hint += ", and what a node left is vars." + wrong
	}
	return hint
}

// isCalled says whether the name at a place of an expression is that of a function.
func isCalled(src string, at int, name string) bool {
	rest := []rune(src)
	rest = rest[min(at, len(rest)):]
	after, ok := strings.CutPrefix(string(rest), name)
	return ok && strings.HasPrefix(strings.TrimLeft(after, " "), "(")
}

var (
	// noField matches expr's words for a field or method that a value lacks.
	noField = regexp.MustCompile(`^type ([\w.]+) has no (?:field|method) (\w+)`)
	// unexpected matches those for a word or sign in a place where it cannot be.
	unexpected = regexp.MustCompile(`^unexpected token (?:\w+\("(.+)"\)|EOF)`)
	// noTruth matches those for a condition that is none.
	noTruth = regexp.MustCompile(`^expected bool, but got (.+)$`)
)

// tokenHint says what is meant by a word or sign that is no operator; none is the end
// of the expression.
func tokenHint(token string) string {
	switch token {
	case "":
		return "something is missing at its end"
	case "=":
		return "compare with =="
	}
	if hint := DidYouMean(token, wordOperators); strings.HasPrefix(hint, "did") {
		return hint
	}
	return ""
}

var wordOperators = []string{"and", "or", "not", "in", "contains", "startsWith", "endsWith", "matches"}

// typeNames are types in words for people.
var typeNames = map[string]string{"string": "a text", "int": "a number", "float64": "a number", "time.Time": "a time",
	"flowengine.CallVariables": "the call", "flowengine.CallerVariables": "the caller", "flowengine.EventFields": "the event",
	"map[string]string": "a mapping", "map[string]interface {}": "a mapping"}

// owners are the values with fields, by the names of their types.
var owners = map[string]struct {
	name   string
	fields []string
}{
	"flowengine.CallVariables":   {"call", []string{"id", "switch", "headers", "started"}},
	"flowengine.CallerVariables": {"caller", []string{"number", "name"}},
	"flowengine.EventFields":     {"event", []string{"type", "id", "time", "data"}},
	"time.Time":                  {"a time", methods(reflect.TypeFor[time.Time]())},
}

func methods(t reflect.Type) (names []string) {
	for m := range t.Methods() {
		names = append(names, m.Name)
	}
	return names
}
