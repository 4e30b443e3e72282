package flowengine

import (
	"reflect"
	"strings"
)

// Text is a setting that is a text and may hold templates.
type Text struct {
	Source   string
	template template
}

// UnmarshalText compiles the text's templates; it fails with a *SettingError.
func (t *Text) UnmarshalText(text []byte) error { return t.compile(string(text), recorded) }

func (t *Text) compile(src string, in scope) (err error) {
	t.Source = src
	t.template, err = compileTemplate(src, in)
	return err
}

func (t *Text) expressions() []*expression { return t.template.expressions() }

// Empty says that nothing is written.
func (t *Text) Empty() bool { return t.Source == "" }

// Head returns the text up to the first template.
func (t *Text) Head() string {
	head, _, _ := strings.Cut(t.Source, "{{")
	return head
}

// With returns the text with the value in the place of each template.
func (t *Text) With(value string) string {
	var b strings.Builder
	for _, s := range t.template {
		if s.expr != nil {
			b.WriteString(value)
		}
		b.WriteString(s.text)
	}
	return b.String()
}

// SecretText is a Text that may read secrets. Whoever uses it lets nobody know the
// result but the one it is meant for.
type SecretText struct{ Text }

// UnmarshalText compiles the text's templates; it fails with a *SettingError.
func (t *SecretText) UnmarshalText(text []byte) error { return t.compile(string(text), secret) }

// Answer is a setting that takes something out of the answer to a request: an
// expression over status, headers and body.
type Answer struct {
	Source string
	expr   *expression
}

// UnmarshalText compiles the expression; it fails with a *SettingError.
func (a *Answer) UnmarshalText(text []byte) (err error) {
	a.Source = string(text)
	a.expr, err = compile(a.Source, answer, reflect.Invalid)
	return err
}

func (a *Answer) expressions() []*expression { return []*expression{a.expr} }
