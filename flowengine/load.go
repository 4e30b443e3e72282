package flowengine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
)

// Load reads every *.yaml and *.yml of a folder and the folders in it into a
// Snapshot. Hidden files and *.test.yaml are left out. All problems are
// reported; with any there is no snapshot.
func Load(fsys fs.FS, kinds Kinds) (*Snapshot, []Problem) {
	l := newLoader(kinds)
	l.folder(fsys, "", isDocument, l.file)
	return l.finish()
}

// folder calls f for every file of a folder and the folders in it that is wanted by its
// name. Files are named as dir/file.
func (l *loader) folder(fsys fs.FS, dir string, wanted func(name string) bool, f func(name string, data []byte)) {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			l.add(Problem{File: filepath.Join(dir, name), Message: err.Error()})
			return nil
		case strings.HasPrefix(entry.Name(), ".") && name != ".":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir() || !wanted(entry.Name()) || entry.Type()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0:
			return nil
		}
		data, err := readBounded(fsys, name)
		if err != nil {
			l.add(Problem{File: filepath.Join(dir, name), Message: errors.Unwrap(err).Error()})
			return nil
		}
		f(filepath.Join(dir, name), data)
		return nil
	})
	if err != nil {
		l.add(Problem{File: filepath.Join(dir, "."), Message: err.Error()})
	}
}

// LoadDir is Load on a directory; the problems name files as dir/file.
func LoadDir(dir string, kinds Kinds) (*Snapshot, []Problem) {
	l := newLoader(kinds)
	if l.exists(dir) {
		l.folder(os.DirFS(dir), dir, isDocument, l.file)
	}
	return l.finish()
}

func (l *loader) exists(dir string) bool {
	_, err := os.ReadDir(dir)
	if err != nil {
		p := Problem{File: dir, Message: "the folder cannot be read: " + errors.Unwrap(err).Error()}
		if errors.Is(err, syscall.ENOTDIR) {
			p.Hint = "name the folder that the file is in"
		}
		l.add(p)
	}
	return err == nil
}

// LoadFile is Load on one file that may hold any number of documents.
func LoadFile(file string, data []byte, kinds Kinds) (*Snapshot, []Problem) {
	l := newLoader(kinds)
	l.file(file, data)
	return l.finish()
}

// LoadFlow reads a flow from a document of its own, and behind it those of the
// flows that it runs (see Flow.Bundle). Whether its targets exist is not checked.
func LoadFlow(file string, data []byte, kinds Kinds) (*Flow, []Problem) {
	l := newLoader(kinds)
	l.targets = nil
	docs := readDocuments(file, data, &l.report)
	for _, d := range docs {
		if k, _ := field(d.root, "flow"); k == nil {
			d.at(d.root, "begin with flow: NAME", "the document is no flow")
		} else {
			l.document(d)
		}
	}
	if len(l.problems) == 0 && len(docs) == 0 {
		l.add(Problem{File: file, Message: "there is no flow"})
	}
	l.flowDocuments()
	l.link()
	if len(l.problems) > 0 {
		return nil, sorted(l.problems)
	}
	_, name := field(docs[0].root, "flow")
	return l.snapshot.flows[name.Value], nil
}

func isDocument(name string) bool { return isYAML(name) && !isTest(name) }

func isTest(name string) bool {
	return isYAML(name) && path.Ext(strings.TrimSuffix(name, path.Ext(name))) == ".test"
}

func isYAML(name string) bool { return path.Ext(name) == ".yaml" || path.Ext(name) == ".yml" }

// readBounded reads a file, but not much more than may be in one.
func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return data, nil
}

// loader reads documents into a snapshot.
type loader struct {
	report
	kinds    Kinds
	snapshot *Snapshot
	targets  map[string]Target // nil: unknown
	flows    []*document
	ends     map[string][]string // of flows, by name, also of those with problems
	built    []*flowBuilder      // of the flows without a problem of their own
	running  []runner
	silent   map[*step]bool    // nodes at which a silence was reported
	used     map[string]bool   // targets that a node names
	defined  []definition      // of targets
	places   map[string]string // where a number, target or flow was defined
	asked    []wantedFlow
}

// definition is where something with a name is defined.
type definition struct {
	doc *document
	key *yaml.Node
}

// wantedFlow is a number's flow, to be looked up when all flows are known.
type wantedFlow struct {
	doc  *document
	node *yaml.Node
}

func newLoader(kinds Kinds) *loader {
	l := &loader{kinds: kinds, ends: map[string][]string{}, places: map[string]string{}, silent: map[*step]bool{}, used: map[string]bool{}}
	l.snapshot = &Snapshot{numbers: map[string]Number{}, targets: map[string]Target{}, flows: map[string]*Flow{}, versions: map[versionKey]*Flow{}}
	l.targets = l.snapshot.targets
	return l
}

func (l *loader) file(name string, data []byte) {
	before := len(l.problems)
	docs := readDocuments(name, data, &l.report)
	l.unread = l.unread || len(l.problems) > before
	for _, d := range docs {
		l.document(d)
	}
}

// document reads one document by its kind. Flows wait until all targets are
// known.
func (l *loader) document(d *document) {
	if d.root.Kind != yaml.MappingNode {
		d.at(d.root, "a document begins with flow:, numbers: or targets:", "the document is %s", what(d.root))
		return
	}
	_, flow := field(d.root, "flow")
	_, numbers := field(d.root, "numbers")
	_, targets := field(d.root, "targets")
	switch {
	case flow != nil:
		l.flows = append(l.flows, d)
		l.announce(d, flow)
	case numbers != nil || targets != nil:
		d.pairs(d.root, func(k, v *yaml.Node) {
			switch k.Value {
			case "numbers":
				l.entries(d, k, v, l.number)
			case "targets":
				l.entries(d, k, v, l.target)
			default:
				hint := didYouMean(k.Value, []string{"numbers", "targets"})
				if !strings.HasPrefix(hint, "did") {
					hint = "write --- between two documents"
				}
				d.at(k, hint, "%s cannot stand beside numbers or targets", quote(k.Value))
			}
		})
	default:
		key := d.root
		if len(key.Content) > 0 {
			key = key.Content[0]
		}
		hint := "a document begins with flow:, numbers: or targets:"
		if key.Kind == yaml.ScalarNode {
			if near := didYouMean(key.Value, []string{"flow", "numbers", "targets"}); strings.HasPrefix(near, "did") {
				hint = near
			}
		}
		d.at(key, hint, "the document is neither a flow nor numbers nor targets")
	}
}

func (l *loader) entries(d *document, k, v *yaml.Node, f func(d *document, k, v *yaml.Node)) {
	if v.Kind == yaml.MappingNode {
		d.pairs(v, func(k, v *yaml.Node) { f(d, k, v) })
	} else if isText(v) || v.Kind != yaml.ScalarNode {
		d.at(v, "", "%s must be a mapping, not %s", k.Value, what(v))
	}
}

// once reports a second definition; both places are named.
func (l *loader) once(d *document, k *yaml.Node, kind, name string) bool {
	if first, ok := l.places[kind+" "+name]; ok {
		d.at(k, "", "%s %s is defined already, at %s", kind, quote(name), first)
		return false
	}
	l.places[kind+" "+name] = d.place(k)
	return true
}

// number reads NUMBER: {flow: NAME}.
func (l *loader) number(d *document, k, v *yaml.Node) {
	if !call.ValidNumber(k.Value) {
		d.at(k, "digits, with a + in front if the trunk sends it", "%s is no number", quote(k.Value))
		return
	}
	var settings struct {
		Flow string `yaml:"flow,required"`
	}
	if !l.once(d, k, "number", call.PlainNumber(k.Value)) {
		return
	}
	d.decode(v, reflect.ValueOf(&settings).Elem(), "number "+k.Value)
	if _, flow := field(v, "flow"); flow != nil && settings.Flow != "" {
		l.asked = append(l.asked, wantedFlow{d, flow})
	}
	l.snapshot.numbers[call.PlainNumber(k.Value)] = Number{k.Value, settings.Flow}
}

// nameSyntax is the form of the names of flows, nodes and targets: it begins
// with a letter, so that no name looks like a number, and passes as a file name.
var nameSyntax = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

const nameHint = "a letter, then letters, digits, - or _, at most 64"

// target reads NAME: {number:, gateway:} | {sip:} | {user:}.
func (l *loader) target(d *document, k, v *yaml.Node) {
	if !nameSyntax.MatchString(k.Value) {
		d.at(k, nameHint, "%s cannot be the name of a target", quote(k.Value))
		return
	}
	if !l.once(d, k, "target", k.Value) {
		return
	}
	l.defined = append(l.defined, definition{d, k})
	// Known by name from here on, so that a fault in it is reported once.
	l.snapshot.targets[k.Value] = Target{Name: k.Value, Weight: 1}
	const addresses = "write one of number: with gateway:, sip: or user:"
	if v.Kind == yaml.ScalarNode {
		d.at(v, addresses, "target %s must be a mapping, not %s", k.Value, what(v))
		return
	}
	s := struct {
		Number  string   `yaml:"number"`
		Gateway string   `yaml:"gateway"`
		SIP     string   `yaml:"sip"`
		User    string   `yaml:"user"`
		Ring    Duration `yaml:"ring"`
		Weight  int      `yaml:"weight"`
	}{Weight: 1}
	before := len(l.problems)
	d.decode(v, reflect.ValueOf(&s).Elem(), "target "+k.Value)
	if len(l.problems) > before {
		return
	}
	at := func(name string) *yaml.Node {
		if key, value := field(v, name); key != nil {
			return value
		}
		return k
	}
	if n := count(s.Number != "", s.SIP != "", s.User != ""); n != 1 {
		d.at(k, addresses, "target %s has %d addresses", k.Value, n)
		return
	}
	if (s.Gateway != "") != (s.Number != "") {
		d.at(at("gateway"), "a number needs the gateway it is dialled through, nothing else has one", "target %s: number and gateway go together", k.Value)
		return
	}
	t := Target{Name: k.Value, Ring: time.Duration(s.Ring), Weight: s.Weight}
	var err error
	var name string
	switch {
	case s.Number != "":
		name = "number"
		t.Address, err = call.NumberAddress(s.Number, s.Gateway)
	case s.SIP != "":
		name = "sip"
		t.Address, err = call.URIAddress(s.SIP)
	default:
		name = "user"
		t.Address, err = call.UserAddress(s.User)
	}
	if err != nil {
		d.at(at(name), "", "%s", err)
	}
	if msg := wrongRing(t.Ring); msg != "" && s.Ring != 0 {
		d.at(at("ring"), "", "ring: %s", msg)
	}
	if t.Weight < 1 || t.Weight > maxWeight {
		d.at(at("weight"), "", "weight: %d is not between 1 and %d", t.Weight, maxWeight)
	}
	l.snapshot.targets[k.Value] = t
}

const maxWeight = 1_000_000

// wrongRing says what is wrong with a ring time; the switch counts whole seconds.
func wrongRing(d time.Duration) string {
	if d < time.Second || d > 10*time.Minute || d%time.Second != 0 {
		return fmt.Sprintf("%s is not between 1s and 10m, in whole seconds", d)
	}
	return ""
}

func count(bs ...bool) int {
	n := 0
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}

// finish reads the flows, now that the targets are known, and looks up what
// the numbers ask for.
func (l *loader) finish() (*Snapshot, []Problem) {
	if l.unread {
		l.targets = nil
	}
	l.flowDocuments()
	if l.link() {
		l.prove()
	}
	for _, w := range l.asked {
		if _, known := l.ends[w.node.Value]; !known && !l.full() && !l.unread {
			w.doc.at(w.node, l.nearestFlow(w.node.Value), "there is no flow %s", quote(w.node.Value))
		}
	}
	if len(l.problems) > 0 {
		return nil, sorted(l.problems)
	}
	l.warn()
	l.snapshot.routes = make(map[uint64]*Flow, len(l.snapshot.numbers))
	for plain, n := range l.snapshot.numbers {
		if key, ok := packed(plain); ok {
			l.snapshot.routes[key] = l.snapshot.flows[n.Flow]
		}
	}
	return l.snapshot, nil
}
