package confdir

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// Changeset is what organizations shall be, beside what they are.
type Changeset struct {
	before map[string]*store.Revision // in force, of all organizations
	after  []Organization             // those that may differ
	holds  []*Contents                // after, in the same order
	remove []string
	whole  *flowengine.Snapshot // all organizations, as they shall be
}

// InvalidError says that organizations cannot be beside each other as they shall be.
type InvalidError struct{ Problems []flowengine.Problem }

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "the configuration of all organizations is not valid:\n" + strings.Join(lines, "\n")
}

// NewChangeset checks that what is to be is valid as a whole: with the organizations that
// stay as they are. after are those that may differ, and alone is what they were loaded as,
// if that is known. An *InvalidError says what is wrong.
func NewChangeset(ctx context.Context, db store.Configurations, kinds flowengine.Kinds, after []Organization, alone *flowengine.Snapshot, remove []string) (*Changeset, error) {
	before, err := InForce(ctx, db)
	if err != nil {
		return nil, err
	}
	c := &Changeset{before: before, after: after, remove: remove}
	all := slices.Clone(after)
	for _, org := range remove {
		if before[org] == nil {
			return nil, fmt.Errorf("there is no organization %s to remove; %s", org, Known(before))
		}
	}
	for _, org := range slices.Sorted(maps.Keys(before)) {
		given := slices.ContainsFunc(after, func(o Organization) bool { return o.Name == org })
		switch removed := slices.Contains(remove, org); {
		case given && removed:
			return nil, fmt.Errorf("organization %s is to be removed, and is in the folder", org)
		case !given && !removed:
			r := before[org]
			all = append(all, Organization{Name: org, Folder: r.Folder, Files: r.Files})
		}
	}
	for _, o := range after {
		holds, err := Parse(o.Files)
		if err != nil {
			return nil, err
		}
		c.holds = append(c.holds, holds)
	}
	if c.whole = alone; alone == nil || len(all) > len(after) {
		var problems []flowengine.Problem
		if c.whole, problems = flowengine.LoadFiles(Join(all), kinds); len(problems) > 0 {
			return nil, &InvalidError{problems}
		}
	}
	return c, nil
}

// InForce reads the revision in force of every organization.
func InForce(ctx context.Context, db store.Configurations) (map[string]*store.Revision, error) {
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

// Known names the organizations that there are.
func Known[V any](orgs map[string]V) string {
	if len(orgs) == 0 {
		return "the database has none yet"
	}
	return "there are " + strings.Join(slices.Sorted(maps.Keys(orgs)), ", ")
}

// Organization returns an organization as it shall be.
func (c *Changeset) Organization(name string) (*flowengine.Organization, bool) {
	return c.whole.Organization(name)
}

// Base returns the revision of an organization that is changed; 0 where there is none.
func (c *Changeset) Base(org string) int {
	if r := c.before[org]; r != nil {
		return r.Number
	}
	return 0
}

// OrganizationDifference is what differs in an organization.
type OrganizationDifference struct {
	Org         string
	Revision    int // in force; 0: it is new
	Removed     bool
	Differences []Difference
}

// Differences says what differs, by organization.
func (c *Changeset) Differences() ([]OrganizationDifference, error) {
	var out []OrganizationDifference
	add := func(org string, removed bool, after *Contents) error {
		d := OrganizationDifference{Org: org, Revision: c.Base(org), Removed: removed}
		before := &Contents{}
		if r := c.before[org]; r != nil {
			var err error
			if before, err = Parse(r.Files); err != nil {
				return err
			}
		}
		d.Differences = Compare(before, after)
		if len(d.Differences) > 0 || d.Revision == 0 || removed {
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
		if err := add(org, true, &Contents{}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CheckBases refuses revisions of organizations that are not changed, or that are not in
// force: a *store.ConflictError.
func (c *Changeset) CheckBases(base map[string]int) error {
	for _, org := range slices.Sorted(maps.Keys(base)) {
		in := func(o Organization) bool { return o.Name == org }
		if !slices.ContainsFunc(c.after, in) && !slices.Contains(c.remove, org) {
			return fmt.Errorf("a base is given of organization %s, which the folder does not hold", org)
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

// Apply makes the revisions, and returns their numbers by organization. base says of which
// revision an organization was changed, where that is another than the one in force was a
// moment ago.
func (c *Changeset) Apply(ctx context.Context, db store.Configurations, author, note string, base map[string]int) (map[string]int, error) {
	was := func(org string) int {
		if n, given := base[org]; given {
			return n
		}
		return c.Base(org)
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
