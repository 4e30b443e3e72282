package flowengine

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/tags"
)

const (
	maxTagValues   = 500  // that an enum lists
	maxDescription = 1000 // characters
)

// tagSettings are the definition of a tag as it is written.
type tagSettings struct {
	Type        string   `yaml:"type"`
	Values      []string `yaml:"values"`
	Min         *bound   `yaml:"min"`
	Max         *bound   `yaml:"max"`
	Sources     []string `yaml:"sources"`
	Privacy     string   `yaml:"privacy"`
	Description string   `yaml:"description"`
}

// bound is a number that a tag is held against.
type bound float64

// UnmarshalText reads the number; it fails with a *SettingError.
func (b *bound) UnmarshalText(text []byte) error {
	v, err := (&tags.Definition{Type: tags.Number}).Read(string(text))
	if err != nil {
		return &SettingError{Message: "it is " + err.Error()}
	}
	f, err := strconv.ParseFloat(tags.Spell(v), 64)
	*b = bound(f)
	return err
}

// tag reads NAME: {type:, values: …}.
func (l *loader) tag(e entry) {
	s := tagSettings{Type: string(tags.Text), Privacy: string(tags.Public)}
	if !e.decode(&s, "tag", "write {type: string}") {
		return
	}
	c := &Check{doc: e.doc, node: e.value}
	out := &tags.Definition{Name: e.key.Value, Description: s.Description, Type: tags.Type(s.Type), Values: s.Values,
		Min: (*float64)(s.Min), Max: (*float64)(s.Max), Sources: s.Sources, Privacy: tags.Privacy(s.Privacy)}
	oneOf(c, "privacy", "class of privacy", s.Privacy, tags.Classes)
	listOf(c, "sources", "source", s.Sources, tags.Sources)
	l.org.tags[out.Name] = out
	if !oneOf(c, "type", "type", s.Type, tags.Types) {
		return // what goes with it cannot be told
	}
	switch n := len(s.Values); {
	case out.Type == tags.Enum && (n < 1 || n > maxTagValues):
		c.Problem("values", "list them: values: [TX, FL]", "values: an enum has 1 to %d, not %d", maxTagValues, n)
	case out.Type != tags.Enum && n > 0:
		c.Problem("values", "write type: enum", "values: a %s has none", s.Type)
	}
	for i, v := range s.Values {
		if slices.Contains(s.Values[:i], v) {
			c.Problem("values/"+strconv.Itoa(i), "", "values: %s is there twice", quote(v))
		} else if len(v) > tags.MaxText {
			c.Problem("values/"+strconv.Itoa(i), "", "values: one has %d bytes, at most %d are read", len(v), tags.MaxText)
		}
	}
	for name, b := range map[string]*bound{"min": s.Min, "max": s.Max} {
		if b != nil && out.Type != tags.Number {
			c.Problem(name, "write type: number", "%s: a %s has no bounds", name, s.Type)
		}
	}
	if s.Min != nil && s.Max != nil && *s.Min > *s.Max {
		c.Problem("min", "", "min: %s is above max", tags.Spell(float64(*s.Min)))
	}
	if n := utf8.RuneCountInString(s.Description); n > maxDescription {
		c.Problem("description", "", "description: it has %d characters, at most %d are read", n, maxDescription)
	}
}

// fit returns a value from a source as the definition of a tag has it; as it is where there
// is none. It fails with a *TagRefusedError.
func (o *Organization) fit(name string, value any, source string) (any, error) {
	d, ok := o.tags[name]
	if !ok {
		return value, nil
	}
	if !d.Allowed(source) {
		return nil, &TagRefusedError{name, "it comes from " + join(d.Sources) + ", not from a " + source}
	}
	v, err := d.Read(value)
	if err != nil {
		return nil, &TagRefusedError{name, err.Error()}
	}
	return v, nil
}

// typeTags makes values what the definitions of their tags say, and leaves out what does
// not fit.
func (o *Organization) typeTags(values map[string]any) {
	for name, value := range values {
		if d, ok := o.tags[name]; ok {
			v, err := d.Read(value)
			if values[name] = v; err != nil {
				delete(values, name)
			}
		}
	}
}

// keeps says whether an expression reads a tag of one of some classes of privacy, or tags
// of which nobody knows which.
func (o *Organization) keeps(x *expression, classes ...tags.Privacy) bool {
	if o == nil {
		return false
	}
	names := o.classed(classes...)
	return x.anyTag != nil && len(names) > 0 || slices.ContainsFunc(x.reads, func(r read) bool { return r.space == "tags" && slices.Contains(names, r.name) })
}

// classed returns the names of the tags of some classes of privacy, sorted.
func (o *Organization) classed(classes ...tags.Privacy) (names []string) {
	for name, d := range o.tags {
		if slices.Contains(classes, d.Privacy) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// oneOf says whether a setting is one of the valid ones, and reports it where it is not;
// what is a word for one of them.
func oneOf[T ~string](c *Check, at, what, is string, valid []T) bool {
	if !slices.Contains(valid, T(is)) {
		setting, _, _ := strings.Cut(at, "/")
		c.Problem(at, DidYouMean(is, texts(valid)), "%s: there is no %s %s", setting, what, quote(is))
		return false
	}
	return true
}

// listOf does so with a list, whose entries are there once.
func listOf[T ~string](c *Check, at, what string, list []string, valid []T) {
	for i, is := range list {
		item := at + "/" + strconv.Itoa(i)
		oneOf(c, item, what, is, valid)
		if slices.Contains(list[:i], is) {
			c.Problem(item, "", "%s: %s is there twice", at, quote(is))
		}
	}
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

// tagTypes returns what expressions can know of the tags.
func (l *loader) tagTypes() map[variable]VariableType {
	is := map[tags.Type]VariableType{tags.Text: TextType, tags.Enum: TextType, tags.Date: TextType, tags.Number: NumberType, tags.Boolean: TruthType}
	out := make(map[variable]VariableType, len(l.org.tags))
	for name, d := range l.org.tags {
		out[variable{"tags", name}] = is[d.Type]
	}
	return out
}
