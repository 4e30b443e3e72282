package store

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"
)

// Kept is what a store has of an organization when a Change comes: what an engine reads to
// learn what it must write.
type Kept struct {
	Revision int // the newest; 0 for none
	Removed  bool
	Author   string
	Time     time.Time

	Files    map[string][]byte    // hash by path, of those in force
	Entities map[EntityKey]bool   // whether it is in force
	Flows    map[FlowVersion]bool // likewise; only name and version are set
}

// Delta is what an engine writes, in the order of the fields. First and Last are meant
// as those of Entity: what is closed gets the revision before as its Last.
type Delta struct {
	Revision Revision

	ClosedFiles    []string
	ClosedEntities []EntityKey
	ClosedFlows    []FlowVersion

	Texts          []Text // that may be new
	Files          []FileKept
	Entities       []EntityKey // new ones
	OpenedEntities []EntityKey // that have been there before
	Flows          []FlowVersion
	OpenedFlows    []FlowVersion
}

// Text is the content of files.
type Text struct{ Hash, Text []byte }

// FileKept is a file as a store keeps it.
type FileKept struct {
	Path string
	Hash []byte
}

// Delta returns what a change makes of what is kept; nil when the files are as they were.
// It fails with a *ConflictError when the change was made of another revision.
func (c *Change) Delta(kept *Kept, now time.Time) (*Delta, error) {
	current := kept.Revision
	if kept.Removed {
		current = 0
	}
	if c.Base != current {
		return nil, &ConflictError{Org: c.Org, Base: c.Base, Current: current, Author: kept.Author, Time: kept.Time}
	}
	d := &Delta{Revision: Revision{Org: c.Org, Number: kept.Revision + 1, Author: c.Author, Note: c.Note, Time: now, Removed: c.Remove, Folder: c.Folder,
		Counts: map[string]int{}}}
	if c.Remove {
		c = &Change{}
		if current == 0 {
			return nil, nil
		}
	}
	d.files(c, kept)
	if current > 0 && !d.Revision.Removed && len(d.ClosedFiles) == 0 && len(d.Files) == 0 {
		return nil, nil
	}
	d.entities(c, kept)
	d.flows(c, kept)
	return d, nil
}

func (d *Delta) files(c *Change, kept *Kept) {
	for name := range kept.Files {
		if _, stays := c.Files[name]; !stays {
			d.ClosedFiles = append(d.ClosedFiles, name)
		}
	}
	texts := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		d.Revision.Counts["file"]++
		text := c.Files[name]
		hash := Hash(text)
		before, had := kept.Files[name]
		if had && bytes.Equal(before, hash) {
			continue
		}
		if had {
			d.ClosedFiles = append(d.ClosedFiles, name)
		}
		d.Files = append(d.Files, FileKept{name, hash})
		if !texts[string(hash)] {
			texts[string(hash)] = true
			d.Texts = append(d.Texts, Text{hash, text})
		}
	}
	slices.Sort(d.ClosedFiles)
}

func (d *Delta) entities(c *Change, kept *Kept) {
	are := map[EntityKey]bool{}
	for _, k := range c.Entities {
		if are[k] {
			continue
		}
		are[k] = true
		d.Revision.Counts[k.Kind]++
		if inForce, known := kept.Entities[k]; !known {
			d.Entities = append(d.Entities, k)
		} else if !inForce {
			d.OpenedEntities = append(d.OpenedEntities, k)
		}
	}
	for k, inForce := range kept.Entities {
		if inForce && !are[k] {
			d.ClosedEntities = append(d.ClosedEntities, k)
		}
	}
	for _, list := range [][]EntityKey{d.ClosedEntities, d.Entities, d.OpenedEntities} {
		slices.SortFunc(list, func(a, b EntityKey) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Slug, b.Slug)) })
	}
}

func (d *Delta) flows(c *Change, kept *Kept) {
	are := map[FlowVersion]bool{}
	for _, f := range c.Flows {
		k := FlowVersion{Flow: f.Flow, Version: f.Version}
		are[k] = true
		if inForce, known := kept.Flows[k]; !known {
			d.Flows = append(d.Flows, f)
		} else if !inForce {
			d.OpenedFlows = append(d.OpenedFlows, k)
		}
	}
	for k, inForce := range kept.Flows {
		if inForce && !are[k] {
			d.ClosedFlows = append(d.ClosedFlows, k)
		}
	}
}

// Numbers returns the numbers that come into force.
func (d *Delta) Numbers() (out []string) {
	for _, k := range slices.Concat(d.Entities, d.OpenedEntities) {
		if k.Kind == NumberKind {
			out = append(out, k.Slug)
		}
	}
	return out
}
