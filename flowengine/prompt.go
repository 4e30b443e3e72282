package flowengine

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hookswitch/hookswitch/call"
)

// Prompt is a setting for something to be heard, in which spoken text may
// hold templates: "say:Hello {{ caller.name }}".
type Prompt struct {
	Source   string
	fixed    call.Prompt
	template template // nil for a prompt without templates
}

// Words without a folder before them and the ending of a file behind them are no path.
var (
	sentence = regexp.MustCompile(`^[^/]* [^/]*$`)
	ending   = regexp.MustCompile(`\.[A-Za-z0-9]+$`)
)

const (
	maxSpoken = 1900 // bytes of a text, below what call.ParsePrompt takes
	maxValue  = 300  // characters of one value in it
)

// UnmarshalText parses the prompt and compiles its templates; it fails with
// a *SettingError.
func (p *Prompt) UnmarshalText(text []byte) error {
	src := string(text)
	*p = Prompt{Source: src}
	if !strings.Contains(src, "{{") {
		fixed, err := call.ParsePrompt(src)
		if err != nil {
			return &SettingError{Message: err.Error()}
		}
		if fixed.Kind == call.File && sentence.MatchString(src) && !ending.MatchString(src) {
			return &SettingError{Message: fmt.Sprintf("%.60q is no sound file", src), Hint: "begin with say: if it is to be spoken"}
		}
		p.fixed = fixed
		return nil
	}
	if !strings.HasPrefix(src, "say:") {
		return &SettingError{Message: "only spoken text can hold {{ … }}", Hint: "begin with say:"}
	}
	if len(src) > maxSpoken {
		return &SettingError{Message: fmt.Sprintf("the prompt has %d bytes, at most %d are read", len(src), maxSpoken)}
	}
	t, err := compileTemplate(src, recorded)
	if err != nil {
		return err
	}
	p.template = t
	return nil
}

// Say returns a prompt that speaks a text, which may hold templates; it fails with
// a *SettingError.
func Say(text string) (Prompt, error) {
	var p Prompt
	err := p.UnmarshalText([]byte("say:" + text))
	if e, ok := err.(*SettingError); ok {
		e.Offset = max(e.Offset-len("say:"), 0)
	}
	for _, x := range p.expressions() {
		x.offset -= len("say:")
	}
	return p, err
}

func (p *Prompt) expressions() []*expression { return p.template.expressions() }

// Empty says that there is nothing to be heard.
func (p *Prompt) Empty() bool { return p.Source == "" }

// Render returns what is to be heard in this call. What comes from the call
// is made harmless by call.ParsePrompt, as all spoken text.
func (p *Prompt) Render(vars *Variables) (call.Prompt, error) {
	if p.template == nil {
		return p.fixed, nil
	}
	text, err := p.template.render(&environment{Variables: *vars}, func(_, s string) string { return cut(s, maxValue) })
	if err != nil {
		return call.Prompt{}, err
	}
	if len(text) > maxSpoken { // what callers send must not make a fault of it
		text = strings.ToValidUTF8(text[:maxSpoken], "")
	}
	if call.Speakable(strings.TrimPrefix(text, "say:")) == "" {
		return call.Prompt{}, nil
	}
	return call.ParsePrompt(text)
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
