package flowengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// FuzzFlow: no document makes the loader panic, and a document that loads
// loads again from its kept text, as the same version. What is said of one is fit for a
// terminal, and no flow that loads is silent for longer than it allows.
func FuzzFlow(f *testing.F) {
	for _, pattern := range []string{"testdata/problems/*.yaml", "nodes/testdata/*.yaml", "../examples/*/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, problems := flowengine.LoadFile("f.yaml", data, planKinds)
		if (s == nil) != (len(problems) > 0) {
			t.Fatalf("snapshot %v with problems %v", s, problems)
		}
		if s != nil {
			problems = s.Warnings()
		}
		for _, p := range problems {
			line, caret, _ := strings.Cut(p.Excerpt(), "\n")
			if strings.ContainsFunc(line+caret, unicode.IsControl) || len([]rune(line)) > 120 {
				t.Errorf("excerpt %q is not two short lines", p.Excerpt())
			}
			if p.Warning != (s != nil) {
				t.Errorf("warning: %v, of %s", p.Warning, p)
			}
			if strings.ContainsFunc(p.String(), unicode.IsControl) || p.Message == "" {
				t.Errorf("problem %q is not one line", p)
			}
		}
		if s == nil {
			return
		}
		for _, flow := range s.Flows() {
			if d, path := flow.Quietest(); d > flow.Silence {
				t.Errorf("flow %s is silent for %s: %v", flow.Name, d, path)
			}
			again, problems := flowengine.LoadFlow("f.yaml", []byte(flow.Bundle()), planKinds)
			if len(problems) > 0 || again.Version != flow.Version {
				t.Errorf("flow %s does not load again: %v", flow.Name, problems)
			}
		}
	})
}

// FuzzExpression: no expression panics or runs away, neither while it is
// compiled nor while it runs.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		`caller.number == "1"`, `campaign.plan in ["a", campaign.name]`, `vars.a ?? "x"`, `all(split(number, ""), # != "0")`, `now.Hour() > 8 and now.Weekday() < 6`,
		`tags.x > 5`, `1..1000000`, `call.headers["X-A"] matches "(a+)+$"`, `let x = split(caller.name, " "); len(x) > 2`,
		`reduce(split(caller.name, ""), #acc + #, "")`, `{"a": [1,2]}`, `"}}" + "{{"`, `sum(map(split(number, ""), int(#)))`,
	} {
		f.Add(s)
	}
	vars := &flowengine.Variables{Number: "+15550100", Vars: map[string]any{"a": "1"}, Now: flowtest.Epoch,
		Caller: flowengine.CallerVariables{Number: "+15550199", Name: strings.Repeat("Zoë \"$x\" ", 20)}}
	f.Fuzz(func(t *testing.T, src string) {
		var c flowengine.Condition
		if c.UnmarshalText([]byte(src)) == nil {
			_, _ = c.Eval(vars)
		}
		var p flowengine.Prompt
		if p.UnmarshalText([]byte("say:{{"+src+"}}")) == nil {
			if heard, err := p.Render(vars); err == nil && strings.ContainsAny(heard.Text, "$\\'\"{}[]|\r\n\x00") {
				t.Errorf("%q becomes %q", src, heard.Text)
			}
		}
	})
}
