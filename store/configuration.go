package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Configurations keeps the configuration of every organization, as the files that it was
// written in. A revision is what the files were at one moment; revisions are numbered from
// 1, and never change.
type Configurations interface {
	// Apply makes revisions of organizations: of all that differ, or of none. It returns the
	// number of each that is new; an organization whose files are as they were gets none.
	// *ConflictError says that somebody else has applied since Base, *NumberTakenError that
	// two organizations would have the same number.
	Apply(ctx context.Context, changes []Change) (map[string]int, error)

	// Current returns the revision in force of every organization that has one. It is cheap:
	// servers ask it several times a second.
	Current(ctx context.Context) (map[string]int, error)

	// Revision returns a revision with its files.
	Revision(ctx context.Context, org string, number int) (*Revision, error)

	// Revisions lists revisions without their files, newest first.
	Revisions(ctx context.Context, org string, page RevisionPage) ([]Revision, error)

	// Entities lists all that the organization has or had, by kind and slug.
	Entities(ctx context.Context, org string) ([]Entity, error)

	// FlowVersions lists the versions of a flow without their documents, the one in force
	// first, then the newest.
	FlowVersions(ctx context.Context, org, flow string) ([]FlowVersion, error)

	// FlowVersion returns a version of a flow with its documents, as the organization wrote
	// them.
	FlowVersion(ctx context.Context, org, flow, version string) (*FlowVersion, error)

	// FlowBundle returns the documents of a version of a flow, for calls that go on in it. A
	// version is a hash of all that a flow does: two organizations can have the same one, and
	// then the documents, which may differ in comments, are of either.
	FlowBundle(ctx context.Context, flow, version string) (string, error)
}

// Change is what an organization shall be.
type Change struct {
	Org    string
	Base   int    // the revision that it is a change of; 0 for an organization that is not there
	Remove bool   // the organization shall be no more; its revisions stay
	Folder string // see Revision
	Files  Files
	Author string
	Note   string

	Entities []EntityKey   // that the files define
	Flows    []FlowVersion // likewise: name, version and bundle
}

const (
	maxAuthor = 200  // bytes
	maxNote   = 2000 // likewise
)

// Check says why a change cannot be kept.
func (c *Change) Check() error {
	for what, text := range map[string]struct {
		text string
		most int
	}{"author": {c.Author, maxAuthor}, "note": {c.Note, maxNote}} {
		if len(text.text) > text.most || !utf8.ValidString(text.text) || strings.ContainsFunc(text.text, unicode.IsControl) {
			return fmt.Errorf("%.100q cannot be the %s of a change: one line of at most %d bytes", text.text, what, text.most)
		}
	}
	return c.Files.Check()
}

// Files are texts by their path, which is relative and has / between its parts.
type Files map[string][]byte

// What a configuration may hold.
const (
	MaxFiles     = 10_000
	MaxFile      = 1 << 20  // bytes
	MaxFilesSize = 64 << 20 // bytes, all together
	maxPath      = 255
)

// Check says what files cannot be kept: paths that lead elsewhere, and too much.
func (f Files) Check() error {
	if len(f) > MaxFiles {
		return fmt.Errorf("there are %d files; at most %d can be kept", len(f), MaxFiles)
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := checkPath(name); err != nil {
			return err
		}
		if len(f[name]) > MaxFile {
			return fmt.Errorf("%s has %d bytes; at most %d can be kept", name, len(f[name]), MaxFile)
		}
		size += len(f[name])
	}
	if size > MaxFilesSize {
		return fmt.Errorf("the files have %d bytes together; at most %d can be kept", size, MaxFilesSize)
	}
	return nil
}

// checkPath says why a text cannot be the path of a file.
func checkPath(name string) error {
	if !fs.ValidPath(name) || name == "." || len(name) > maxPath || strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%.300q cannot be the path of a file; a relative path without .., at most %d bytes", name, maxPath)
	}
	return nil
}

// Hash is what the text of a file is kept under: its SHA-256.
func Hash(text []byte) []byte {
	h := sha256.Sum256(text)
	return h[:]
}

// Revision is the configuration of an organization as it was applied once.
type Revision struct {
	Org     string         `json:"org"`
	Number  int            `json:"revision"`
	Author  string         `json:"author"`
	Note    string         `json:"note,omitempty"`
	Time    time.Time      `json:"time"`
	Removed bool           `json:"removed,omitempty"` // with this revision the organization was removed
	Folder  string         `json:"folder,omitempty"`  // where the files stood in the folder that was applied; empty: at its top
	Counts  map[string]int `json:"counts"`            // of files ("file"), and of entities by kind
	Files   Files          `json:"-"`
}

// RevisionPage says which revisions are wanted.
type RevisionPage struct {
	Before int // only those with a lower number; 0: all
	Limit  int // 1 to 1,000; 0: 50
}

// Rows returns the number of revisions on the page.
func (p RevisionPage) Rows() int {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, 1000)
}

// EntityKey names something that a configuration defines.
type EntityKey struct {
	Kind string `json:"kind"` // number, target, campaign …
	Slug string `json:"slug"` // its name in the files; of a number its digits
}

// NumberKind is the kind of entity whose slug no two organizations may have.
const NumberKind = "number"

// Entity is something that a configuration defines or defined. Its id stays the same when
// it is changed, and when it is taken out and put in again.
type Entity struct {
	EntityKey
	ID    string `json:"id"`             // UUID
	First int    `json:"first"`          // revision in which it was new
	Last  int    `json:"last,omitempty"` // revision in which it was for the last time; 0 while it is there
}

// FlowVersion is a flow as it was once.
type FlowVersion struct {
	Flow    string    `json:"flow"`
	Version string    `json:"version"` // see flowengine.Flow
	Bundle  string    `json:"-"`       // documents of the flow, and of those that it runs
	Author  string    `json:"author"`
	Note    string    `json:"note,omitempty"`
	Time    time.Time `json:"time"`
	First   int       `json:"first"`          // revision in which it was new
	Last    int       `json:"last,omitempty"` // revision in which it was for the last time; 0 while it is in force
}

// ConflictError says that an organization is not at the revision that a change is made of.
type ConflictError struct {
	Org           string
	Base, Current int // 0: the organization is not there
	Author        string
	Time          time.Time // when Author applied Current
}

func (e *ConflictError) Error() string {
	if e.Current == 0 {
		return fmt.Sprintf("organization %s was removed meanwhile", e.Org)
	}
	return fmt.Sprintf("organization %s is at revision %d, which %s applied at %s; the change was made of revision %d",
		e.Org, e.Current, e.Author, e.Time.UTC().Format(time.RFC3339), e.Base)
}

// NumberTakenError says that a number belongs to another organization.
type NumberTakenError struct{ Org, Number string }

func (e *NumberTakenError) Error() string {
	if e.Number == "" {
		return "a number belongs to two organizations"
	}
	return fmt.Sprintf("number %s belongs to organization %s", e.Number, e.Org)
}
