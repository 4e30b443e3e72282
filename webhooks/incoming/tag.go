package incoming

import (
	"fmt"
	"strings"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/tags"
)

// tag takes in a field that may be a tag; one for which none is defined is kept as data.
func (e *evaluation) tag(f field) {
	if d := e.definition(f.name); d != nil {
		e.write(f.name, d, f.value)
	} else {
		e.kept(f.name)
	}
}

// definition returns what is defined for a field: by the webhook, or under the name of the
// field itself, where lead.score may be the tag lead_score.
func (e *evaluation) definition(field string) *tags.Definition {
	for _, name := range []string{e.hook.Fields[field], field, strings.ReplaceAll(field, ".", "_")} {
		if d, ok := e.org.Tag(name); ok {
			return d
		}
	}
	return nil
}

// write sets a tag, if the value fits.
func (e *evaluation) write(field string, d *tags.Definition, value any) {
	if !e.mine(field, d) {
		return
	}
	if value == nil {
		e.refused(field, d.Name, "null is no value; remove takes a tag away")
		return
	}
	read, err := d.Read(plain(value))
	if err != nil {
		e.refused(field, d.Name, err.Error())
		return
	}
	e.happens(field, d.Name, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": d.Name, "value": tags.Spell(read), "source": e.source}})
}

// plain makes of a value one that package tags knows the kind of.
func plain(value any) any {
	switch v := value.(type) {
	case object:
		return map[string]any{}
	case list:
		return []any(v)
	}
	return value
}

// mine says whether the webhook may write a tag, and has not done so by another field.
func (e *evaluation) mine(field string, d *tags.Definition) bool {
	switch {
	case !d.Allowed(e.source):
		e.refused(field, d.Name, "the tag takes nothing from webhooks")
	case e.seen["tag "+d.Name]:
		e.refused(field, d.Name, "another field writes this tag already")
	default:
		e.seen["tag "+d.Name] = true
		return true
	}
	return false
}

// list takes in add or remove.
func (e *evaluation) list(f field) error {
	entries, ok := entriesOf(f)
	if !ok {
		hint := `a text, or a list of texts`
		if f.name == "add" {
			hint = `an object {"state": "TX"}, a list [{"name": "state", "value": "TX"}], or texts such as "state=TX"`
		}
		return refuse(unprocessable, f.where, "it is not %s", hint)
	}
	for i, entry := range entries {
		name := fmt.Sprintf("%s.%s", f.name, entry.name)
		switch d := e.definition(entry.name); {
		case entry.name == "":
			return refuse(unprocessable, f.where, "entry %d names no tag", i+1)
		case d == nil:
			e.refused(name, "", "no tag is defined for it")
		case f.name == "add":
			e.write(name, d, entry.value)
		case e.mine(name, d):
			e.happens(name, d.Name, call.Event{Type: call.Tagged, Attrs: map[string]string{"tag": d.Name, "removed": "true", "source": e.source}})
		}
	}
	return nil
}

// entriesOf returns the tags that add or remove names, with their values for add.
func entriesOf(f field) (object, bool) {
	var out object
	add := f.name == "add"
	switch v := f.value.(type) {
	case object:
		return v, add
	case string: // of a form or a query
		for one := range strings.SplitSeq(v, ",") {
			m, ok := entryOf(strings.TrimSpace(one), add)
			if !ok {
				return nil, false
			}
			out = append(out, m)
		}
	case list:
		for _, one := range v {
			m, ok := entryOf(one, add)
			if !ok {
				return nil, false
			}
			out = append(out, m)
		}
	default:
		return nil, false
	}
	return out, true
}

func entryOf(value any, add bool) (member, bool) {
	switch v := value.(type) {
	case string:
		name, text, has := strings.Cut(v, "=")
		return member{name, text}, has == add
	case object:
		var m member
		for _, part := range v {
			switch part.name {
			case "name", "tag":
				m.name, _ = part.value.(string)
			case "value":
				m.value = part.value
			}
		}
		return m, add && m.name != ""
	}
	return member{}, false
}
