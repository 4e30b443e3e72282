package flowengine

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// FuzzTemplate: no template panics; what stands outside of {{ }} comes out as it is, in its
// order; and whatever a caller wrote, an escaped value brings nothing into an address.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"", "plain", "{{ caller.name }}", "a{{ number }}b{{ vars.x }}c", "{{", "}}", "{{}}", "{{ }} }}", `{{ "}}" }}`, "{{ '{{' }}",
		"{{ vars.x ?? tags.y }}", "{{ 1 / 0 }}", "{{ now }}", "{{ secrets.pin }}", "https://crm.example/{{ caller.number }}?q={{ caller.name }}",
		"{{ caller.name + caller.name }}{{ vars }}", "Ünï {{ split(caller.name, '') }} x",
	} {
		f.Add(s, "Zoë \"$x\" /../?&#%0a")
	}
	safe := regexp.MustCompile(`^[A-Za-z0-9._~+%-]*$`)
	f.Fuzz(func(t *testing.T, src, name string) {
		tpl, err := compileTemplate(src, secret)
		if err != nil {
			if e, ok := err.(*SettingError); !ok || e.Message == "" || e.Offset < 0 {
				t.Fatalf("%q: %#v", src, err)
			}
			return
		}
		env := &environment{Variables: Variables{Caller: CallerVariables{"+15550111", name}, Number: "+15550100", Now: time.Unix(1e9, 0).UTC(),
			Tags: map[string]any{"y": 1.5}, Vars: map[string]any{"x": name}}, Secrets: map[string]string{"pin": "2580"}}
		plain, err := tpl.render(env, nil)
		if err != nil {
			return
		}
		if !strings.Contains(src, "{{") && plain != src {
			t.Errorf("%q becomes %q", src, plain)
		}
		rest := plain
		for _, s := range tpl {
			_, after, found := strings.Cut(rest, s.text)
			if s.expr == nil && !found {
				t.Fatalf("%q: %q is not in %q", src, s.text, plain)
			}
			if s.expr == nil {
				rest = after
			}
		}
		_, err = tpl.render(env, func(_, value string) string {
			escaped := url.QueryEscape(value)
			if !safe.MatchString(escaped) {
				t.Errorf("%q becomes %q", value, escaped)
			}
			return escaped
		})
		if err != nil && !strings.Contains(err.Error(), "more than") {
			t.Errorf("%q: %v", src, err)
		}
		var p Prompt
		if p.UnmarshalText([]byte("say:"+src)) == nil {
			if heard, err := p.Render(&env.Variables); err == nil && call.Speakable(heard.Text) != heard.Text {
				t.Errorf("%q is spoken as %q", src, heard.Text)
			}
		}
	})
}
