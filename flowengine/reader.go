package flowengine

import (
	"os"
	"reflect"

	yaml "go.yaml.in/yaml/v4"
)

// Reader reads flows together with documents that Load does not know, such as tests
// of the flows. Those are read as strictly: nothing unknown, nothing coerced, every
// problem with its place.
type Reader struct{ all *collection }

// NewReader returns a Reader that has read nothing.
func NewReader(kinds Kinds) *Reader { return &Reader{&collection{kinds: kinds}} }

// Dir adds what LoadDir would read, and returns the documents of *.test.yaml and
// *.test.yml.
func (r *Reader) Dir(dir string) []*Document {
	if !r.all.exists(dir) {
		return nil
	}
	r.all.walk(os.DirFS(dir), dir, isDocument, r.all.file)
	var out []*Document
	r.all.walk(os.DirFS(dir), dir, isTest, func(name string, data []byte) { out = append(out, r.Documents(name, data)...) })
	return out
}

// Documents splits a file into its documents. One that is no YAML is reported and left
// out.
func (r *Reader) Documents(file string, data []byte) []*Document {
	var out []*Document
	for _, d := range readDocuments(file, data, &r.all.report) {
		out = append(out, &Document{d})
	}
	return out
}

// Add adds a document that Load would read.
func (r *Reader) Add(d *Document) { r.all.docs = append(r.all.docs, d.document) }

// Snapshot returns what was added; nothing may be added any more. With a problem
// anywhere there is no snapshot.
func (r *Reader) Snapshot() *Snapshot {
	s, _ := r.all.finish()
	return s
}

// Problems returns all that was reported, sorted.
func (r *Reader) Problems() []Problem { return sorted(r.all.problems) }

// Document is a YAML document of a Reader.
type Document struct{ document *document }

// File is the name of the document's file.
func (d *Document) File() string { return d.document.file }

// Has says whether the document is a mapping with this key.
func (d *Document) Has(key string) bool {
	k, _ := field(d.document.root, key)
	return k != nil
}

// Decode fills the struct that into points to, by the `yaml` tags of its fields;
// "required" after the name makes a field necessary. The name is for messages.
func (d *Document) Decode(into any, name string) {
	d.document.decode(d.document.root, reflect.ValueOf(into).Elem(), name)
}

// Root is the place of the whole document.
func (d *Document) Root() Place { return Place{document: d.document, node: d.document.root} }

// Place is a value in a Document.
type Place struct {
	document *document
	node     *yaml.Node
	quiet    bool // something around it was reported, and nothing is known of what is inside
}

// Field returns the place of a field's value; the mapping's own when it has no such
// field.
func (p Place) Field(name string) Place {
	_, v := field(p.node, name)
	return p.enter(v)
}

// Key returns the place of a field's name.
func (p Place) Key(name string) Place {
	k, _ := field(p.node, name)
	return p.enter(k)
}

// Item returns the place of a list's entry, from 0; the list's own when it is shorter.
func (p Place) Item(i int) Place {
	if p.node.Kind != yaml.SequenceNode || i >= len(p.node.Content) {
		return p
	}
	return p.enter(p.node.Content[i])
}

func (p Place) enter(n *yaml.Node) Place {
	if n == nil {
		return p
	}
	return Place{p.document, n, p.quiet || p.document.report.faulty[n]}
}

// Line is the line of the file in which the value begins, from 1.
func (p Place) Line() int { return p.document.before + max(p.node.Line, 1) }

// String returns "file:line:col".
func (p Place) String() string { return p.document.place(p.node) }

// Problem reports what is wrong with the value. One problem a value is enough, and
// none is reported inside of one or around one.
func (p Place) Problem(hint, format string, args ...any) {
	if !p.quiet && !p.document.report.within(p.node) {
		p.document.at(p.node, hint, format, args...)
	}
}

// Scalar is a setting that is a text, a number or true or false, as it is written.
type Scalar struct{ Value any }

func (s *Scalar) decodeNode(d *document, n *yaml.Node, name string) {
	if fixed, ok := plainScalar(n); ok {
		s.Value = fixed
		return
	}
	d.text(n, name, func(text string) error { s.Value = text; return nil })
}

// ParseScalar reads a text as it would be read in a document, without quotes.
func ParseScalar(text string) Scalar {
	var n yaml.Node
	if err := yaml.Load([]byte(text), &n); err == nil && len(n.Content) == 1 && n.Content[0].Value == text {
		textify(n.Content[0])
		if fixed, ok := plainScalar(n.Content[0]); ok {
			return Scalar{fixed}
		}
	}
	return Scalar{text}
}

// String returns the value as events and prompts spell it.
func (s Scalar) String() string { return spell(s.Value) }

// Nearest suggests the valid name that is nearest to a wrong one, or lists the valid
// ones when there are few: the hint of a Problem.
func Nearest(wrong string, valid []string) string { return DidYouMean(wrong, valid) }
