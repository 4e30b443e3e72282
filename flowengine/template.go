package flowengine

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// segment is a piece of a template: text, or an expression.
type segment struct {
	text string
	expr *expression
}

// template is a text with {{ expressions }} in it.
type template []segment

// compileTemplate splits a text at its {{ expressions }} and compiles them. Errors are
// *SettingError.
func compileTemplate(src string, in scope) (template, error) {
	var out template
	for at := 0; at < len(src); {
		open := strings.Index(src[at:], "{{")
		if open < 0 {
			return append(out, segment{text: src[at:]}), nil
		}
		if open > 0 {
			out = append(out, segment{text: src[at : at+open]})
		}
		start := at + open + 2
		length := closing(src[start:])
		if length < 0 {
			return nil, &SettingError{utf8.RuneCountInString(src[:start-2]), "{{ without }}", "close the expression with }}"}
		}
		before := utf8.RuneCountInString(src[:start])
		x, err := compile(src[start:start+length], in, reflect.Invalid)
		if e := (*SettingError)(nil); errors.As(err, &e) {
			e.Offset += before
			return nil, e
		}
		x.offset = before
		out = append(out, segment{expr: x})
		at = start + length + 2
	}
	return out, nil
}

// closing returns where }} stands outside quotes; -1 when it does not.
func closing(s string) int {
	var quoted byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted != 0 && c == '\\' && quoted != '`':
			i++
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quoted = c
		case c == '}' && i+1 < len(s) && s[i+1] == '}':
			return i
		}
	}
	return -1
}

// render writes the template's text; each value is passed through as, unless
// that is nil, together with the text before it.
func (t template) render(env *environment, as func(before, value string) string) (string, error) {
	var b strings.Builder
	for _, s := range t {
		if s.expr == nil {
			b.WriteString(s.text)
			continue
		}
		v, err := s.expr.eval(env)
		if err != nil {
			return "", err
		}
		text := spell(v)
		if as != nil {
			text = as(b.String(), text)
		}
		b.WriteString(text)
		if b.Len() > maxRendered {
			return "", fmt.Errorf("the text of a template has more than %d bytes", maxRendered)
		}
	}
	return b.String(), nil
}

// maxRendered bounds the text that a template becomes, in bytes.
const maxRendered = 16 << 10

func (t template) expressions() (out []*expression) {
	for _, s := range t {
		if s.expr != nil {
			out = append(out, s.expr)
		}
	}
	return out
}

// spell writes a value as a person would.
func spell(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case string:
		return t
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64)
	case time.Time:
		return t.Format(time.RFC3339)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Map || r.Kind() == reflect.Slice || r.Kind() == reflect.Struct {
		return "" // a bulk of data is no text
	}
	return fmt.Sprint(v)
}
