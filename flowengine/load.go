package flowengine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// Load reads every *.yaml and *.yml of a folder and the folders in it into a
// Snapshot. Hidden files and *.test.yaml are left out. All problems are
// reported; with any there is no snapshot.
func Load(fsys fs.FS, kinds Kinds) (*Snapshot, []Problem) {
	c := &collection{kinds: kinds}
	c.walk(fsys, "", isDocument, c.file)
	return c.finish()
}

// walk calls f for every file of a folder and the folders in it that is wanted by its
// name. Files are named as dir/file.
func (c *collection) walk(fsys fs.FS, dir string, wanted func(name string) bool, f func(name string, data []byte)) {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			c.add(Problem{File: filepath.Join(dir, name), Message: err.Error()})
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
			c.add(Problem{File: filepath.Join(dir, name), Message: errors.Unwrap(err).Error()})
			return nil
		}
		f(filepath.Join(dir, name), data)
		return nil
	})
	if err != nil {
		c.add(Problem{File: filepath.Join(dir, "."), Message: err.Error()})
	}
}

// LoadDir is Load on a directory; the problems name files as dir/file. One without any
// document is a problem: a folder that was not mounted must not take all numbers away.
func LoadDir(dir string, kinds Kinds) (*Snapshot, []Problem) {
	c := &collection{kinds: kinds}
	if c.exists(dir) {
		c.walk(os.DirFS(dir), dir, isDocument, c.file)
		if len(c.docs) == 0 && len(c.problems) == 0 {
			c.add(Problem{File: dir, Message: "the folder holds no YAML", Hint: "name the folder of a configuration"})
		}
	}
	return c.finish()
}

func (c *collection) exists(dir string) bool {
	_, err := os.ReadDir(dir)
	if err != nil {
		p := Problem{File: dir, Message: "the folder cannot be read: " + errors.Unwrap(err).Error()}
		if errors.Is(err, syscall.ENOTDIR) {
			p.Hint = "name the folder that the file is in"
		}
		c.add(p)
	}
	return err == nil
}

// LoadFile is Load on one file that may hold any number of documents.
func LoadFile(file string, data []byte, kinds Kinds) (*Snapshot, []Problem) {
	c := &collection{kinds: kinds}
	c.file(file, data)
	return c.finish()
}

// LoadFlow reads a flow from a document of its own, and behind it those of the
// flows and plans that it runs (see Flow.Bundle). Whether its targets exist is not
// checked.
func LoadFlow(file string, data []byte, kinds Kinds) (*Flow, []Problem) {
	c := &collection{kinds: kinds}
	l := newLoader(c, DefaultOrganization)
	l.alone = true
	docs := readDocuments(file, data, &c.report)
	for i, d := range docs {
		flow, _ := field(d.root, "flow")
		plans, _ := field(d.root, "plans")
		if flow == nil && (i == 0 || plans == nil) {
			d.at(d.root, "begin with flow: NAME", "the document is no flow")
		} else {
			l.document(d)
		}
	}
	if len(c.problems) == 0 && len(docs) == 0 {
		c.add(Problem{File: file, Message: "there is no flow"})
	}
	l.define("plans")
	l.each("plans", l.plan)
	l.flowDocuments()
	l.link()
	if len(c.problems) > 0 {
		return nil, sorted(c.problems)
	}
	_, name := field(docs[0].root, "flow")
	return l.org.flows[name.Value], nil
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

// collection is what one load reads: documents of one organization or of several.
type collection struct {
	report
	kinds   Kinds
	docs    []*document
	numbers map[string]owner // by call.PlainNumber
}

func (c *collection) file(name string, data []byte) {
	before := len(c.problems)
	docs := readDocuments(name, data, &c.report)
	c.unread = c.unread || len(c.problems) > before
	c.docs = append(c.docs, docs...)
}

// finish reads all documents, now that they are there.
func (c *collection) finish() (*Snapshot, []Problem) {
	c.numbers = map[string]owner{}
	loaders := c.organizations()
	for _, l := range loaders {
		l.read()
	}
	if len(c.problems) > 0 {
		return nil, sorted(c.problems)
	}
	s := &Snapshot{organizations: map[string]*Organization{}, numbers: map[string]*Route{}, routes: map[uint64]*Route{}, versions: map[versionKey]*Flow{}}
	for _, l := range loaders {
		l.warn()
		l.into(s)
	}
	s.warnings = sorted(s.warnings)
	return s, nil
}
