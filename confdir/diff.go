package confdir

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/store"
)

// Kind of a Difference.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
)

// Difference is something that is otherwise than before. A file differs also where nothing
// that it defines does: by a comment, or because it holds tests.
type Difference struct {
	Kind     string    `json:"kind"` // of entity; "file" for a file
	Name     string    `json:"name"` // as it is written; path of a file
	Change   string    `json:"change"`
	Settings []Setting `json:"settings,omitempty"` // that changed
}

// Setting is one that changed.
type Setting struct {
	Path string `json:"path"`          // such as nodes.welcome.menu.tries or members[2].weight
	Old  string `json:"old,omitempty"` // as YAML on one line; empty where it was not there
	New  string `json:"new,omitempty"` // likewise
}

// Compare says what differs in an organization before and after: first the entities by
// kind and name, then the files.
func Compare(before, after *Contents) []Difference {
	was := make(map[store.EntityKey]entity, len(before.entities))
	for _, e := range before.entities {
		was[e.EntityKey] = e
	}
	var out []Difference
	for _, e := range after.entities {
		o, had := was[e.EntityKey]
		delete(was, e.EntityKey)
		if !had {
			out = append(out, Difference{Kind: e.Kind, Name: e.name, Change: Added})
		} else if settings := differing(nil, "", o.value, e.value); len(settings) > 0 {
			out = append(out, Difference{Kind: e.Kind, Name: e.name, Change: Changed, Settings: settings})
		}
	}
	for _, e := range was {
		out = append(out, Difference{Kind: e.Kind, Name: e.name, Change: Removed})
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return append(out, differingFiles(before.files, after.files)...)
}

func differingFiles(before, after store.Files) (out []Difference) {
	all := maps.Clone(before)
	if all == nil {
		all = store.Files{}
	}
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		old, had := before[name]
		text, has := after[name]
		d := Difference{Kind: "file", Name: name, Change: Changed}
		switch {
		case !had:
			d.Change = Added
		case !has:
			d.Change = Removed
		case string(old) == string(text):
			continue
		}
		out = append(out, d)
	}
	return out
}

// differing appends the settings that differ between two values.
func differing(out []Setting, at string, old, fresh *yaml.Node) []Setting {
	old, fresh = resolve(old), resolve(fresh)
	switch {
	case old.Kind == yaml.MappingNode && fresh.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(old.Content); i += 2 {
			key := old.Content[i].Value
			if v := field(fresh, key); v != nil {
				out = differing(out, within(at, key), old.Content[i+1], v)
			} else {
				out = append(out, Setting{Path: within(at, key), Old: onOneLine(old.Content[i+1])})
			}
		}
		for i := 0; i+1 < len(fresh.Content); i += 2 {
			if key := fresh.Content[i].Value; field(old, key) == nil {
				out = append(out, Setting{Path: within(at, key), New: onOneLine(fresh.Content[i+1])})
			}
		}
	case old.Kind == yaml.SequenceNode && fresh.Kind == yaml.SequenceNode && len(old.Content) == len(fresh.Content) && !plainList(old):
		for i := range old.Content {
			out = differing(out, fmt.Sprintf("%s[%d]", at, i), old.Content[i], fresh.Content[i])
		}
	case !same(old, fresh):
		out = append(out, Setting{Path: at, Old: onOneLine(old), New: onOneLine(fresh)})
	}
	return out
}

func within(at, key string) string {
	if strings.ContainsAny(key, ". []") {
		key = strconv.Quote(key)
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

func plainList(n *yaml.Node) bool {
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return resolve(c).Kind != yaml.ScalarNode })
}

// same says whether two values are alike, whatever their quotes and comments, as a flow's
// version does.
func same(a, b *yaml.Node) bool {
	a, b = resolve(a), resolve(b)
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.Value == b.Value && (a.Tag == "!!null") == (b.Tag == "!!null")
	case yaml.MappingNode:
		for i := 0; i+1 < len(a.Content); i += 2 {
			if v := field(b, a.Content[i].Value); v == nil || !same(a.Content[i+1], v) {
				return false
			}
		}
		return true
	}
	return slices.EqualFunc(a.Content, b.Content, same)
}

// onOneLine writes a value as YAML on one line, without comments.
func onOneLine(n *yaml.Node) string {
	n = resolve(n)
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, onOneLine(n.Content[i])+": "+onOneLine(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, onOneLine(c))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if n.Value == "" && n.Tag != "!!null" || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.ContainsAny(n.Value, "\r\n") {
		return strconv.Quote(n.Value)
	}
	if n.Value == "" {
		return "~"
	}
	return n.Value
}
