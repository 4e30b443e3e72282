package portal

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) revisions() {
	register(p, operation{
		method: http.MethodGet, path: "/config/revisions", id: "list-revisions", tag: tagConfig, scope: keys.ReadConfig,
		summary: "Lists what was applied",
		about:   "Lists revisions without their files, newest first.",
	}, p.listRevisions)
	register(p, operation{
		method: http.MethodGet, path: "/config/revisions/{revision}", id: "get-revision", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Gets one revision with its files",
		about:   "Returns what was applied once, to the byte.",
	}, func(ctx context.Context, in *RevisionPath) (*answer[exported], error) {
		return p.revisionWithFiles(ctx, in.Revision)
	})
	register(p, operation{
		method: http.MethodPost, path: "/config/revisions/{revision}/rollback", id: "rollback-config", tag: tagConfig, scope: keys.WriteConfig, heavy: true, errors: []int{404, 409},
		summary: "Puts an earlier revision in force again",
		about:   "Puts the files of an earlier revision in force again, as a new revision.",
	}, p.rollback)
}

// RevisionPath names a revision.
type RevisionPath struct {
	Revision int `path:"revision" minimum:"1" maximum:"2147483647" doc:"Number of the revision." example:"3"`
}

func (p *Portal) listRevisions(ctx context.Context, in *Page) (*answer[list[store.Revision]], error) {
	before, err := strconv.ParseInt(cmp.Or(in.After, "0"), 10, 32)
	if err != nil || before < 0 {
		return nil, &store.QueryError{Field: "after", Why: "it is what the page before has as next"}
	}
	found, err := p.Store.Revisions(ctx, org(ctx), store.RevisionPage{Before: int(before), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	next := ""
	if n := len(found); n == in.Limit && found[n-1].Number > 1 {
		next = strconv.Itoa(found[n-1].Number)
	}
	return listOf(found, next), nil
}

// rollbackOrder says how something earlier is put in force again.
type rollbackOrder struct {
	Base *int   `json:"base,omitempty" minimum:"0" doc:"Revision that must be in force; otherwise nothing is done and the answer is 409."`
	Note string `json:"note,omitempty" maxLength:"2000" doc:"Why, on one line."`
}

func (p *Portal) rollback(ctx context.Context, in *struct {
	RevisionPath
	Body rollbackOrder
}) (*answer[applied], error) {
	r, err := p.Store.Revision(ctx, org(ctx), in.Revision)
	if err != nil {
		return nil, err
	}
	if r.Removed {
		return nil, problem(http.StatusConflict, "with this revision the organization was removed: there is nothing in it")
	}
	o := &confdir.Organization{Name: r.Org, Folder: r.Folder, Files: r.Files}
	return p.apply(ctx, o, nil, in.Body.Base, cmp.Or(in.Body.Note, fmt.Sprintf("rollback to revision %d", r.Number)))
}
