package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// Apply makes revisions of organizations: of all that differ, or of none.
func (s *Store) Apply(ctx context.Context, changes []store.Change) (applied map[string]int, err error) {
	for _, c := range changes {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // what went wrong is said already
		}
	}()
	var deltas []*store.Delta
	for i := range changes {
		kept, err := readKept(ctx, tx, changes[i].Org)
		if err != nil {
			return nil, fmt.Errorf("apply: %w", err)
		}
		d, err := changes[i].Delta(kept, time.Now())
		if err != nil {
			return nil, err
		}
		if d != nil {
			deltas = append(deltas, d)
		}
	}
	// A number may move from one organization to another: first all of them let go.
	for _, write := range []func(context.Context, *sql.Tx, *store.Delta) error{closeAll, openAll} {
		for _, d := range deltas {
			if err := write(ctx, tx, d); err != nil {
				return nil, fmt.Errorf("apply: organization %s: %w", d.Revision.Org, err)
			}
		}
	}
	applied = make(map[string]int, len(deltas))
	for _, d := range deltas {
		applied[d.Revision.Org] = d.Revision.Number
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return applied, nil
}

// readKept reads what there is of an organization.
func readKept(ctx context.Context, tx *sql.Tx, org string) (*store.Kept, error) {
	k := &store.Kept{Files: map[string][]byte{}, Entities: map[store.EntityKey]bool{}, Flows: map[store.FlowVersion]bool{}}
	err := tx.QueryRowContext(ctx, `SELECT revision, removed, author, time FROM organizations JOIN revisions USING (org, revision, removed) WHERE org = ?`, org).
		Scan(&k.Revision, &k.Removed, &k.Author, into(&k.Time))
	if errors.Is(err, sql.ErrNoRows) {
		return k, nil
	} else if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT path, hash FROM files WHERE org = ? AND last IS NULL`, org)
	if err := each(rows, err, func() error {
		var path string
		var hash []byte
		err := rows.Scan(&path, &hash)
		k.Files[path] = hash
		return err
	}); err != nil {
		return nil, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT kind, slug, last IS NULL FROM entities WHERE org = ?`, org)
	if err := each(rows, err, func() error {
		var e store.EntityKey
		var inForce bool
		err := rows.Scan(&e.Kind, &e.Slug, &inForce)
		k.Entities[e] = inForce
		return err
	}); err != nil {
		return nil, err
	}
	rows, err = tx.QueryContext(ctx, `SELECT flow, version, last IS NULL FROM flow_versions WHERE org = ?`, org)
	err = each(rows, err, func() error {
		var f store.FlowVersion
		var inForce bool
		err := rows.Scan(&f.Flow, &f.Version, &inForce)
		k.Flows[f] = inForce
		return err
	})
	return k, err
}

// each calls f for every row of a query.
func each(rows *sql.Rows, err error, f func() error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// many runs a statement once for every item.
func many[T any](ctx context.Context, tx *sql.Tx, query string, items []T, args func(T) []any) error {
	if len(items) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, item := range items {
		if _, err := stmt.ExecContext(ctx, args(item)...); err != nil {
			return err
		}
	}
	return nil
}

// closeAll ends what is no longer in force.
func closeAll(ctx context.Context, tx *sql.Tx, d *store.Delta) error {
	org, last := d.Revision.Org, d.Revision.Number-1
	return errors.Join(
		many(ctx, tx, `UPDATE files SET last = ? WHERE org = ? AND path = ? AND last IS NULL`, d.ClosedFiles,
			func(path string) []any { return []any{last, org, path} }),
		many(ctx, tx, `UPDATE entities SET last = ? WHERE org = ? AND kind = ? AND slug = ?`, d.ClosedEntities,
			func(e store.EntityKey) []any { return []any{last, org, e.Kind, e.Slug} }),
		many(ctx, tx, `UPDATE flow_versions SET last = ? WHERE org = ? AND flow = ? AND version = ?`, d.ClosedFlows,
			func(f store.FlowVersion) []any { return []any{last, org, f.Flow, f.Version} }),
	)
}

// openAll writes the revision, and what is in force with it.
func openAll(ctx context.Context, tx *sql.Tx, d *store.Delta) error {
	r := &d.Revision
	if err := takenNumber(ctx, tx, d.Numbers()); err != nil {
		return err
	}
	counts, err := json.Marshal(r.Counts)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO revisions (org, revision, author, note, time, removed, folder, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Org, r.Number, r.Author, r.Note, r.Time.UnixMicro(), r.Removed, r.Folder, string(counts)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO organizations (org, revision, removed) VALUES (?, ?, ?)
		ON CONFLICT (org) DO UPDATE SET revision = excluded.revision, removed = excluded.removed`, r.Org, r.Number, r.Removed); err != nil {
		return err
	}
	return errors.Join(
		many(ctx, tx, `INSERT INTO texts (org, hash, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, d.Texts,
			func(t store.Text) []any { return []any{r.Org, t.Hash, append([]byte{}, t.Text...)} }), // nil would be NULL
		many(ctx, tx, `INSERT INTO files (org, path, first, hash) VALUES (?, ?, ?, ?)`, d.Files,
			func(f store.FileKept) []any { return []any{r.Org, f.Path, r.Number, f.Hash} }),
		many(ctx, tx, `INSERT INTO entities (org, kind, slug, id, first) VALUES (?, ?, ?, ?, ?)`, d.Entities,
			func(e store.EntityKey) []any { return []any{r.Org, e.Kind, e.Slug, uuid.NewString(), r.Number} }),
		many(ctx, tx, `UPDATE entities SET last = NULL WHERE org = ? AND kind = ? AND slug = ?`, d.OpenedEntities,
			func(e store.EntityKey) []any { return []any{r.Org, e.Kind, e.Slug} }),
		many(ctx, tx, `INSERT INTO flow_versions (org, flow, version, bundle, first) VALUES (?, ?, ?, ?, ?)`, d.Flows,
			func(f store.FlowVersion) []any { return []any{r.Org, f.Flow, f.Version, f.Bundle, r.Number} }),
		many(ctx, tx, `UPDATE flow_versions SET last = NULL WHERE org = ? AND flow = ? AND version = ?`, d.OpenedFlows,
			func(f store.FlowVersion) []any { return []any{r.Org, f.Flow, f.Version} }),
	)
}

// takenNumber fails with a *store.NumberTakenError when one of the numbers is in force
// with somebody.
func takenNumber(ctx context.Context, tx *sql.Tx, numbers []string) error {
	list, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	var taken store.NumberTakenError
	err = tx.QueryRowContext(ctx, `SELECT org, slug FROM entities WHERE kind = 'number' AND last IS NULL
		AND slug IN (SELECT value FROM json_each(?)) LIMIT 1`, string(list)).Scan(&taken.Org, &taken.Number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return &taken
}

// Current returns the revision in force of every organization that has one.
func (s *Store) Current(ctx context.Context) (map[string]int, error) {
	current := map[string]int{}
	rows, err := s.read.QueryContext(ctx, `SELECT org, revision FROM organizations WHERE NOT removed`)
	err = each(rows, err, func() error {
		var org string
		var revision int
		err := rows.Scan(&org, &revision)
		current[org] = revision
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("current revisions: %w", err)
	}
	return current, nil
}

const revisionColumns = `org, revision, author, note, time, removed, folder, counts`

func scanRevision(scan func(...any) error) (r store.Revision, err error) {
	var counts string
	if err := scan(&r.Org, &r.Number, &r.Author, &r.Note, into(&r.Time), &r.Removed, &r.Folder, &counts); err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(counts), &r.Counts)
}

// Revision returns a revision with its files.
func (s *Store) Revision(ctx context.Context, org string, number int) (*store.Revision, error) {
	r, err := scanRevision(s.read.QueryRowContext(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE org = ? AND revision = ?`, org, number).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("revision %d of organization %s: %w", number, org, store.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("revision: %w", err)
	}
	r.Files = store.Files{}
	rows, err := s.read.QueryContext(ctx, `SELECT path, text FROM files JOIN texts USING (org, hash)
		WHERE org = ? AND first <= ? AND (last IS NULL OR last >= ?)`, org, number, number)
	err = each(rows, err, func() error {
		var path string
		var text []byte
		err := rows.Scan(&path, &text)
		r.Files[path] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revision: %w", err)
	}
	return &r, nil
}

// Revisions lists revisions without their files, newest first.
func (s *Store) Revisions(ctx context.Context, org string, page store.RevisionPage) (out []store.Revision, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE org = ?1 AND (?2 = 0 OR revision < ?2)
		ORDER BY revision DESC LIMIT ?3`, org, page.Before, page.Rows())
	err = each(rows, err, func() error {
		r, err := scanRevision(rows.Scan)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revisions: %w", err)
	}
	return out, nil
}

// Entities lists all that the organization has or had, by kind and slug.
func (s *Store) Entities(ctx context.Context, org string) (out []store.Entity, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT kind, slug, id, first, coalesce(last, 0) FROM entities WHERE org = ? ORDER BY kind, slug`, org)
	err = each(rows, err, func() error {
		var e store.Entity
		err := rows.Scan(&e.Kind, &e.Slug, &e.ID, &e.First, &e.Last)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return out, nil
}

// FlowVersions lists the versions of a flow without their documents, the one in force
// first, then the newest.
func (s *Store) FlowVersions(ctx context.Context, org, flow string) (out []store.FlowVersion, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT flow, version, '', author, note, time, first, coalesce(last, 0)
		FROM flow_versions f JOIN revisions r ON r.org = f.org AND r.revision = f.first
		WHERE f.org = ? AND flow = ? ORDER BY last IS NOT NULL, first DESC`, calllog.Name(org), calllog.Text(flow))
	err = each(rows, err, func() error {
		f, err := scanFlowVersion(rows.Scan)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("versions of flow %s: %w", flow, err)
	}
	return out, nil
}

// FlowVersion returns a version of a flow with its documents.
func (s *Store) FlowVersion(ctx context.Context, org, flow, version string) (*store.FlowVersion, error) {
	f, err := scanFlowVersion(s.read.QueryRowContext(ctx, `SELECT flow, version, bundle, author, note, time, first, coalesce(last, 0)
		FROM flow_versions f JOIN revisions r ON r.org = f.org AND r.revision = f.first
		WHERE f.org = ? AND flow = ? AND version = ?`, calllog.Name(org), calllog.Text(flow), calllog.Text(version)).Scan)
	if err != nil {
		return nil, noFlowVersion(flow, version, err)
	}
	return &f, nil
}

// FlowBundle returns the documents of a version of a flow, whoever has it.
func (s *Store) FlowBundle(ctx context.Context, flow, version string) (bundle string, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT bundle FROM flow_versions WHERE flow = ? AND version = ? LIMIT 1", calllog.Text(flow), calllog.Text(version)).Scan(&bundle)
	if err != nil {
		return "", noFlowVersion(flow, version, err)
	}
	return bundle, nil
}

// noFlowVersion says why a version was not found.
func noFlowVersion(flow, version string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	return fmt.Errorf("flow %s in version %s: %w", flow, version, err)
}

func scanFlowVersion(scan func(...any) error) (f store.FlowVersion, err error) {
	err = scan(&f.Flow, &f.Version, &f.Bundle, &f.Author, &f.Note, into(&f.Time), &f.First, &f.Last)
	return f, err
}
