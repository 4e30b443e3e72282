package flowengine

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Short is a setting that can be written as one text instead of a mapping,
// such as a target of a dial node.
type Short interface{ FromText(text string) error }

// nodeDecoder is a setting that reads more of the document than a text.
type nodeDecoder interface {
	decodeNode(d *document, n *yaml.Node, name string)
}

// expressive is a setting with expressions in it.
type expressive interface{ expressions() []*expression }

// placed is an expression and the scalar it stands in.
type placed struct {
	node *yaml.Node
	name string // of the setting
	expr *expression
}

// note keeps the expressions of a setting, to be looked at when all of the folder
// is known.
func (d *document) note(n *yaml.Node, name string, x expressive) {
	for _, one := range x.expressions() {
		d.exprs = append(d.exprs, placed{n, name, one})
	}
}

// decode fills the struct that out points to from the mapping n: fields by
// their `yaml` tag, nothing else, nothing coerced. "required" after the name
// makes a field necessary. Every problem is reported; where names what is
// decoded, for messages.
func (d *document) decode(n *yaml.Node, out reflect.Value, where string) {
	strange := d.report.faulty[n] // what is needed may be there, but misspelt or in another place
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		n = &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}
	}
	fields := settingsOf(out.Type())
	if n.Kind != yaml.MappingNode {
		d.at(n, mappingHint(fields), "%s must be a mapping, not %s", where, what(n))
		return
	}
	given := map[string]bool{}
	d.pairs(n, func(k, v *yaml.Node) {
		i := slices.IndexFunc(fields, func(f setting) bool { return f.name == k.Value })
		if i < 0 {
			d.at(k, DidYouMean(k.Value, settingNames(fields)), "%s has no setting %s", where, quote(k.Value))
			return
		}
		given[k.Value] = true
		d.value(v, out.FieldByIndex(fields[i].index), k.Value)
	})
	for i := 0; i < len(n.Content); i += 2 {
		strange = strange || d.report.faulty[n.Content[i]]
	}
	for _, f := range fields {
		if f.required && !given[f.name] && !strange {
			d.at(n, "", "%s needs %q", where, f.name)
		}
	}
}

// mappingHint says how a mapping is written for which there is something else.
func mappingHint(fields []setting) string {
	required := slices.DeleteFunc(slices.Clone(fields), func(f setting) bool { return !f.required })
	switch {
	case len(fields) == 0:
		return "write {}"
	case len(required) == 1:
		return fmt.Sprintf("write {%s: …}", required[0].name)
	}
	return ""
}

// value fills one setting.
func (d *document) value(n *yaml.Node, out reflect.Value, name string) {
	if short, ok := out.Addr().Interface().(Short); ok && n.Kind == yaml.ScalarNode {
		if d.text(n, name, short.FromText) {
			for _, f := range settingsOf(out.Type()) {
				if x, ok := out.FieldByIndex(f.index).Addr().Interface().(expressive); ok {
					d.note(n, name, x)
				}
			}
		}
		return
	}
	if own, ok := out.Addr().Interface().(nodeDecoder); ok {
		own.decodeNode(d, n, name)
		return
	}
	if u, ok := out.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if d.text(n, name, func(s string) error { return u.UnmarshalText([]byte(s)) }) {
			if x, ok := u.(expressive); ok {
				d.note(n, name, x)
			}
		}
		return
	}
	switch out.Kind() {
	case reflect.String:
		d.text(n, name, func(s string) error { out.SetString(s); return nil })
	case reflect.Bool:
		switch {
		case n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == "true":
			out.SetBool(true)
		case n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == "false":
			out.SetBool(false)
		default:
			d.at(n, "", "%s must be true or false, not %s", name, what(n))
		}
	case reflect.Int:
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			d.at(n, "", "%s must be a whole number, not %s", name, what(n))
			return
		}
		out.SetInt(int64(v))
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.at(n, "write it as a list: [ … ]", "%s must be a list, not %s", name, what(n))
			return
		}
		list := reflect.MakeSlice(out.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", name, i))
		}
		out.Set(list)
	case reflect.Map: // of texts to a setting
		if n.Kind != yaml.MappingNode {
			is := what(n)
			if isText(n) {
				is = "a text" // which may be a header with a key in it
			}
			d.at(n, "", "%s must be a mapping, not %s", name, is)
			return
		}
		m := reflect.MakeMap(out.Type())
		d.pairs(n, func(k, v *yaml.Node) {
			item := reflect.New(out.Type().Elem()).Elem()
			d.value(v, item, k.Value)
			m.SetMapIndex(reflect.ValueOf(k.Value), item)
		})
		out.Set(m)
	case reflect.Struct:
		d.decode(n, out, name)
	case reflect.Pointer:
		p := reflect.New(out.Type().Elem())
		d.value(n, p.Elem(), name)
		out.Set(p)
	default:
		panic("flowengine: no setting can be a " + out.Type().String())
	}
}

// text hands the text of a scalar, as it was written, to f. It says whether all is
// well.
func (d *document) text(n *yaml.Node, name string, f func(string) error) bool {
	if !isText(n) {
		hint := ""
		if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 {
			hint = `a value that begins with { needs quotes`
		}
		d.at(n, hint, "%s must be a text, not %s", name, what(n))
		return false
	}
	err := f(n.Value)
	if err == nil {
		return true
	}
	at, hint := 0, ""
	if e := (*SettingError)(nil); errors.As(err, &e) {
		at, hint = e.Offset, e.Hint
	} else if e := (interface {
		error
		Valid() []string
	})(nil); errors.As(err, &e) {
		hint = DidYouMean(n.Value, e.Valid())
	}
	d.inText(n, at, hint, "%s: %s", name, err)
	return false
}

// inText reports a problem with a character of the scalar n.
func (d *document) inText(n *yaml.Node, offset int, hint, format string, args ...any) {
	d.report.mark(n)
	line, col := d.inside(n, offset)
	d.problem(line, col, hint, format, args...)
}

// inside returns where in the document a character of a scalar stands; the
// start of the scalar when escapes or folding make that hard to say.
func (d *document) inside(n *yaml.Node, offset int) (line, col int) {
	value := []rune(n.Value)
	offset = min(offset, len(value))
	head := string(value[:offset])
	raw := func(line int) []rune {
		if line < 1 || line > len(d.lines) {
			return nil
		}
		return []rune(d.lines[line-1])
	}
	if n.Style&yaml.LiteralStyle != 0 {
		first := raw(n.Line + 1)
		indent := len(first) - len([]rune(strings.TrimLeft(string(first), " ")))
		line = n.Line + 1 + strings.Count(head, "\n")
		last := []rune(head[strings.LastIndexByte(head, '\n')+1:])
		if text := raw(line); len(text) >= indent+len(last) && string(text[indent:indent+len(last)]) == string(last) {
			return line, indent + len(last) + 1
		}
		return n.Line, n.Column
	}
	start := n.Column - 1
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		start++
	}
	if text := raw(n.Line); len(text) >= start+offset && string(text[start:start+offset]) == head {
		return n.Line, start + offset + 1
	}
	return n.Line, n.Column
}

// setting is a field of a node's struct that a document can fill.
type setting struct {
	name     string
	index    []int
	required bool
}

// settingsOf lists the settings of a struct type, those of the structs in it that
// several kinds share among them.
func settingsOf(t reflect.Type) []setting {
	var out []setting
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, ok := f.Tag.Lookup("yaml"); ok {
			name, opt, _ := strings.Cut(tag, ",")
			out = append(out, setting{name, f.Index, opt == "required"})
		} else if f.Anonymous && f.Type.Kind() == reflect.Struct {
			for _, shared := range settingsOf(f.Type) {
				shared.index = append([]int{i}, shared.index...)
				out = append(out, shared)
			}
		}
	}
	return out
}

func settingNames(fields []setting) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// Check is what a Checker looks at and where it reports.
type Check struct {
	Wired  []string // the exits that the flow names for the node
	doc    *document
	node   *yaml.Node
	loader *loader
}

// Problem reports that the setting at path is wrong. The path names the
// fields and list positions that lead to it, as in "targets/0/to"; as much of it
// is used as the document has. Only the last field may have a / in its name.
func (c *Check) Problem(path, hint, format string, args ...any) {
	c.place(path).Problem(hint, format, args...)
}

func (c *Check) place(path string) Place {
	at := Place{document: c.doc, node: c.node}
	for rest := path; rest != ""; {
		if whole := at.Field(rest); whole.node != at.node { // a key may have a / in it
			at = whole
			break
		}
		part, more, _ := strings.Cut(rest, "/")
		next := at.Field(part)
		if i, err := strconv.Atoi(part); err == nil && at.node.Kind == yaml.SequenceNode {
			next = at.Item(i)
		}
		if next.node == at.node {
			break
		}
		at, rest = next, more
	}
	return at
}

// Given says whether the document has the setting, with whatever value.
func (c *Check) Given(name string) bool {
	key, _ := field(c.node, name)
	return key != nil
}

// Target says whether a target of this name exists. Where the targets are
// not known, every name is taken for one.
func (c *Check) Target(name string) bool { return c.loader.exists("target", name) }

// Gateway says whether the organization may use a gateway of this name.
func (c *Check) Gateway(name string) bool {
	return len(c.loader.sections["gateways"]) == 0 || c.loader.exists("gateway", name)
}

// Writes reports a tag, whose value is the setting at path, that flows cannot write, or not
// with this value; nil for one that is not known yet.
func (c *Check) Writes(path, name string, value *Value) {
	d, ok := c.loader.org.tags[name]
	if !ok {
		return
	}
	if !d.Allowed("flow") {
		c.Problem(path, "add flow to its sources", "tag %s comes from %s, not from a flow", name, join(d.Sources))
		return
	}
	if value == nil || value.template != nil {
		return
	}
	if _, err := d.Read(value.fixed); err != nil {
		c.Problem(path, "see where the tag is defined, at "+c.loader.places[thing{"tag", name}], "tag %s is of type %s, and this is %s", name, d.Type, err)
	}
}

// NearestGateway suggests a gateway for a wrong name.
func (c *Check) NearestGateway(wrong string) string { return c.loader.nearest("gateway", wrong) }

// NearestTarget suggests a target for a wrong name.
func (c *Check) NearestTarget(wrong string) string { return c.loader.nearest("target", wrong) }
