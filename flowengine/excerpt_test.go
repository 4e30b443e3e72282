package flowengine_test

import (
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
)

// The caret stands under the place, whatever the line holds.
func TestExcerpt(t *testing.T) {
	long := strings.Repeat("x", 80)
	for name, c := range map[string]struct{ doc, want string }{
		"plain": {"flow: main\nstrat: a\n", `
    2 | strat: a
      | ^`},
		"tab": {"flow:\tmain\nnodes: {a: {b:\t{hangup: {}}}}\n", `
    2 | nodes: {a: {b: {hangup: {}}}}
      |             ^`},
		"wide": {"flow: main\nstart: a\nnodes: {a: {play: {prompt: \"say:日本 ﾆ e\u0301 {{ nmber }}\"}, next: a}}\n", `
    3 | nodes: {a: {play: {prompt: "say:日本 ﾆ e` + "\u0301" + ` {{ nmber }}"}, next: a}}
      |                                             ^`},
		"terminal": {"flow: main\nstart: a\nnodes: {a: {play: {prompt: \"\u202e\u200b\"}, nxt: a}}\n", `
    3 | nodes: {a: {play: {prompt: "  "}, nxt: a}}
      |                                   ^`},
		"long": {"flow: main\nstart: a\nnodes: {a: {play: {prompt: \"say:" + long + "\", prompt2: \"" + long + "\"}, next: a}}\n", `
    3 | …` + strings.Repeat("x", 57) + `", prompt2: "` + strings.Repeat("x", 30) + `…
      |  ` + strings.Repeat(" ", 60) + `^`},
		"long, at its beginning": {"flow: main\nstrat: " + long + long + "\n", `
    2 | strat: ` + strings.Repeat("x", 93) + `…
      | ^`},
		"second document": {"flow: a\nstart: a\nnodes: {a: {hangup: {}}}\n---\nflow: [b]\nstart: a\nnodes: {a: {hangup: {}}}\n", `
    5 | flow: [b]
      |       ^`},
		"carriage return": {"flow: main\r\nstart: a\r\nnodes: {}\r\n", `
    3 | nodes: {}
      |        ^`},
		"whole file": {"flow: \xe9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := flowengine.LoadFile("f.yaml", []byte(c.doc), proofKinds)
			if len(problems) == 0 {
				t.Fatal("there is no problem")
			}
			for _, p := range problems {
				if p.Excerpt() == strings.TrimPrefix(c.want, "\n") {
					return
				}
			}
			t.Errorf("got\n%s\n%s\nwant%s", problems[0], problems[0].Excerpt(), c.want)
		})
	}
}
