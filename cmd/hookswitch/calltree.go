package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
)

// callTree prints a simulated call for people: its nodes, and in them what happened, with
// the time since its beginning.
type callTree struct {
	w     io.Writer
	paint painter
}

func (t *callTree) call(r *flowtest.Result) error {
	end, _ := r.End()
	lines := []string{fmt.Sprintf("%s → %s, %s", plain(cmp.Or(r.Call.Caller.Number, "withheld")), plain(r.Call.Number), r.Call.Started.Format("Mon 2006-01-02 15:04 MST"))}
	lines[0] += plain(routeOf(r.Events))
	lines = t.branches(lines, r.Tree(), "")
	took := r.Lasted()
	lines = append(lines, t.paint.paint(dim, fmt.Sprintf("%10s", offset(took)))+"  "+t.paint.paint(bold, plain(end))+" after "+duration(took))
	for _, node := range slices.Compact(slices.Sorted(slices.Values(r.Unscripted))) {
		lines = append(lines, fmt.Sprintf("No request was made. Say what it would have got: --request '%s=200:{…}'", node))
	}
	_, err := fmt.Fprintln(t.w, strings.Join(lines, "\n"))
	return err
}

// routeOf says of a call to the number of a campaign which plan it runs, and by which
// override.
func routeOf(events []call.Event) string {
	i := slices.IndexFunc(events, func(e call.Event) bool { return e.Type == call.Started })
	if i < 0 || events[i].Attrs["campaign"] == "" {
		return ""
	}
	out := ""
	for _, name := range []string{"campaign", "publisher", "plan", "override"} {
		if is := events[i].Attrs[name]; is != "" {
			out += ", " + name + " " + is
		}
	}
	return out
}

// branches adds a line for each branch and those below it.
func (t *callTree) branches(lines []string, branches []*flowtest.Branch, indent string) []string {
	for i, b := range branches {
		sign, below := "├─ ", "│  "
		if i == len(branches)-1 {
			sign, below = "└─ ", "   "
		}
		lines = append(lines, t.paint.paint(dim, fmt.Sprintf("%10s", offset(b.At)))+"  "+indent+sign+t.line(b))
		lines = t.branches(lines, b.Below, indent+below)
	}
	return lines
}

func (t *callTree) line(b *flowtest.Branch) string {
	text := plain(b.Text)
	switch {
	case b.Bad:
		return t.paint.paint(red, text)
	case b.Kind == "":
		return text
	}
	text = t.paint.paint(bold, text) + " (" + b.Kind + ")"
	if b.Exit != "" {
		text += " → " + t.paint.paint(cyan, plain(b.Exit))
	}
	if b.Why != "" {
		text += "  " + plain(b.Why)
	}
	return text
}
