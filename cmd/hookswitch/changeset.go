package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

// folder is one to apply.
type folder struct {
	orgs    []confdir.Organization
	leftOut []string             // files that are no part of a configuration
	loaded  *flowengine.Snapshot // of the folder alone
}

// readFolder reads a folder to apply. It fails when anything in it is wrong.
func readFolder(dir string) (*folder, error) {
	files, leftOut, err := confdir.Read(dir)
	if err != nil {
		if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Path == "." {
			err = fmt.Errorf("%s: the folder cannot be read: %w", dir, path.Err)
		}
		return nil, err
	}
	named := store.Files{}
	for name, text := range files {
		named[filepath.Join(dir, name)] = text
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no YAML; name the folder of a configuration", dir)
	}
	loaded, problems := flowengine.LoadFiles(named, nodes.Kinds)
	if len(problems) > 0 {
		return nil, &invalidConfig{dir: dir, problems: problems}
	}
	orgs, outside, err := confdir.Split(files)
	return &folder{orgs, append(leftOut, outside...), loaded}, err
}

// changeset is what organizations shall be, beside what they are.
type changeset struct {
	before map[string]*store.Revision // in force, of all organizations
	after  []confdir.Organization     // those that may differ
	holds  []*confdir.Contents        // after, in the same order
	remove []string
	whole  *flowengine.Snapshot // all organizations, as they shall be
}

// newChangeset checks that what is to be is valid as a whole: with the organizations that
// stay as they are.
func newChangeset(ctx context.Context, db store.Configurations, f *folder, remove []string) (*changeset, error) {
	after := f.orgs
	before, err := inForce(ctx, db)
	if err != nil {
		return nil, err
	}
	c := &changeset{before: before, after: after, remove: remove}
	all := slices.Clone(after)
	for _, org := range remove {
		if before[org] == nil {
			return nil, fmt.Errorf("--remove: there is no organization %s; %s", org, known(before))
		}
	}
	for _, org := range slices.Sorted(maps.Keys(before)) {
		given := slices.ContainsFunc(after, func(o confdir.Organization) bool { return o.Name == org })
		switch removed := slices.Contains(remove, org); {
		case given && removed:
			return nil, fmt.Errorf("--remove: organization %s is in the folder", org)
		case !given && !removed:
			r := before[org]
			all = append(all, confdir.Organization{Name: org, Folder: r.Folder, Files: r.Files})
		}
	}
	for _, o := range after {
		holds, err := confdir.Parse(o.Files)
		if err != nil {
			return nil, err
		}
		c.holds = append(c.holds, holds)
	}
	if c.whole = f.loaded; c.whole == nil || len(all) > len(after) {
		var problems []flowengine.Problem
		if c.whole, problems = flowengine.LoadFiles(confdir.Join(all), nodes.Kinds); len(problems) > 0 {
			return nil, &invalidConfig{dir: "the configuration of all organizations", problems: problems}
		}
	}
	return c, nil
}

// inForce reads the revision in force of every organization.
func inForce(ctx context.Context, db store.Configurations) (map[string]*store.Revision, error) {
	current, err := db.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]*store.Revision{}
	for org, number := range current {
		if out[org], err = db.Revision(ctx, org, number); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// known names the organizations that there are.
func known[V any](orgs map[string]V) string {
	if len(orgs) == 0 {
		return "the database has none yet"
	}
	return "there are " + strings.Join(slices.Sorted(maps.Keys(orgs)), ", ")
}

// oneOrganization returns the organization that a command is about: the one it names, or
// the only one there is.
func oneOrganization[V any](named string, orgs map[string]V) (string, error) {
	switch {
	case named != "":
		return named, nil
	case len(orgs) == 1:
		for org := range orgs {
			return org, nil
		}
	}
	return "", &usageError{fmt.Errorf("--org names the organization; %s", known(orgs))}
}

// orgDifference is what differs in an organization.
type orgDifference struct {
	org         string
	revision    int // in force; 0: it is new
	removed     bool
	differences []confdir.Difference
}

// differences says what differs, by organization.
func (c *changeset) differences() ([]orgDifference, error) {
	var out []orgDifference
	add := func(org string, removed bool, after *confdir.Contents) error {
		d := orgDifference{org: org, removed: removed}
		before := &confdir.Contents{}
		if r := c.before[org]; r != nil {
			d.revision = r.Number
			var err error
			if before, err = confdir.Parse(r.Files); err != nil {
				return err
			}
		}
		d.differences = confdir.Compare(before, after)
		if len(d.differences) > 0 || d.revision == 0 || removed {
			out = append(out, d)
		}
		return nil
	}
	for i, o := range c.after {
		if err := add(o.Name, false, c.holds[i]); err != nil {
			return nil, err
		}
	}
	for _, org := range c.remove {
		if err := add(org, true, &confdir.Contents{}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkBases refuses revisions of organizations that are not changed, or that are not in
// force.
func (c *changeset) checkBases(base map[string]int) error {
	for _, org := range slices.Sorted(maps.Keys(base)) {
		in := func(o confdir.Organization) bool { return o.Name == org }
		if !slices.ContainsFunc(c.after, in) && !slices.Contains(c.remove, org) {
			return fmt.Errorf("--base: the folder holds no organization %s", org)
		}
		conflict := &store.ConflictError{Org: org, Base: base[org]}
		if r := c.before[org]; r != nil {
			conflict.Current, conflict.Author, conflict.Time = r.Number, r.Author, r.Time
		}
		if conflict.Current != conflict.Base {
			return conflict
		}
	}
	return nil
}

// apply makes the revisions. base says of which revision an organization was changed, where
// that is another than the one in force was a moment ago.
func (c *changeset) apply(ctx context.Context, db store.Configurations, author, note string, base map[string]int) (map[string]int, error) {
	was := func(org string) int {
		if n, given := base[org]; given {
			return n
		}
		if r := c.before[org]; r != nil {
			return r.Number
		}
		return 0
	}
	var changes []store.Change
	for i, o := range c.after {
		is, ok := c.whole.Organization(o.Name)
		if !ok {
			return nil, fmt.Errorf("organization %s is not in its files", o.Name)
		}
		change := store.Change{Org: o.Name, Base: was(o.Name), Folder: o.Folder, Files: o.Files, Author: author, Note: note, Entities: c.holds[i].Entities()}
		for _, f := range is.Flows() {
			change.Flows = append(change.Flows, store.FlowVersion{Flow: f.Name, Version: f.Version, Bundle: f.Bundle()})
		}
		changes = append(changes, change)
	}
	for _, org := range c.remove {
		changes = append(changes, store.Change{Org: org, Base: was(org), Remove: true, Author: author, Note: note})
	}
	return db.Apply(ctx, changes)
}

// signature are the flags that say who changes something, and why.
type signature struct{ author, note string }

func signatureFlags(cmd *cobra.Command, note string) *signature {
	s := &signature{}
	cmd.Flags().StringVar(&s.author, "author", "", "who changes it (default: the user of this computer)")
	cmd.Flags().StringVar(&s.note, "note", note, "why it is changed")
	return s
}

// by returns the author: the one who is named, or who runs the program.
func (s *signature) by() string {
	if s.author != "" {
		return s.author
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
