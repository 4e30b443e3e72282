package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// applying is the advisory lock under which one after the other applies: so each sees what
// the one before has written, organizations that are new included.
const applying = 0x686f6f6b_00000001

// Apply makes revisions of organizations: of all that differ, or of none.
func (s *Store) Apply(ctx context.Context, changes []store.Change) (applied map[string]int, err error) {
	for _, c := range changes {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(applying)); err != nil {
			return err
		}
		var deltas []*store.Delta
		for i := range changes {
			kept, err := readKept(ctx, tx, changes[i].Org)
			if err != nil {
				return err
			}
			d, err := changes[i].Delta(kept, time.Now())
			if err != nil {
				return err
			}
			if d != nil {
				deltas = append(deltas, d)
			}
		}
		// A number may move from one organization to another: first all of them let go.
		for _, write := range []func(context.Context, pgx.Tx, *store.Delta) error{closeAll, openAll} {
			for _, d := range deltas {
				if err := write(ctx, tx, d); err != nil {
					return fmt.Errorf("organization %s: %w", d.Revision.Org, err)
				}
			}
		}
		applied = make(map[string]int, len(deltas))
		for _, d := range deltas {
			applied[d.Revision.Org] = d.Revision.Number
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return applied, nil
}

// readKept reads what there is of an organization.
func readKept(ctx context.Context, tx pgx.Tx, org string) (*store.Kept, error) {
	k := &store.Kept{Files: map[string][]byte{}, Entities: map[store.EntityKey]bool{}, Flows: map[store.FlowVersion]bool{}}
	err := tx.QueryRow(ctx, `SELECT o.revision, o.removed, author, time FROM organizations o JOIN revisions r ON r.org = o.org AND r.revision = o.revision
		WHERE o.org = $1`, org).Scan(&k.Revision, &k.Removed, &k.Author, &k.Time)
	if errors.Is(err, pgx.ErrNoRows) {
		return k, nil
	} else if err != nil {
		return nil, err
	}
	var path string
	var hash []byte
	rows, _ := tx.Query(ctx, `SELECT path, hash FROM files WHERE org = $1 AND last IS NULL`, org)
	if _, err := pgx.ForEachRow(rows, []any{&path, &hash}, func() error { k.Files[path] = hash; return nil }); err != nil {
		return nil, err
	}
	var inForce bool
	var e store.EntityKey
	rows, _ = tx.Query(ctx, `SELECT kind, slug, last IS NULL FROM entities WHERE org = $1`, org)
	if _, err := pgx.ForEachRow(rows, []any{&e.Kind, &e.Slug, &inForce}, func() error { k.Entities[e] = inForce; return nil }); err != nil {
		return nil, err
	}
	var f store.FlowVersion
	rows, _ = tx.Query(ctx, `SELECT flow, version, last IS NULL FROM flow_versions WHERE org = $1`, org)
	_, err = pgx.ForEachRow(rows, []any{&f.Flow, &f.Version, &inForce}, func() error { k.Flows[f] = inForce; return nil })
	return k, err
}

// column returns one value of each item, for unnest.
func column[T, V any](items []T, of func(T) V) []V {
	out := make([]V, len(items))
	for i, item := range items {
		out[i] = of(item)
	}
	return out
}

func kind(e store.EntityKey) string      { return e.Kind }
func slug(e store.EntityKey) string      { return e.Slug }
func name(f store.FlowVersion) string    { return f.Flow }
func version(f store.FlowVersion) string { return f.Version }

// closeAll ends what is no longer in force.
func closeAll(ctx context.Context, tx pgx.Tx, d *store.Delta) error {
	org, last := d.Revision.Org, d.Revision.Number-1
	var b pgx.Batch
	b.Queue(`UPDATE files SET last = $2 WHERE org = $1 AND last IS NULL AND path = ANY($3)`, org, last, d.ClosedFiles)
	b.Queue(`UPDATE entities e SET last = $2 FROM unnest($3::text[], $4::text[]) AS c(kind, slug)
		WHERE e.org = $1 AND e.kind = c.kind AND e.slug = c.slug`, org, last, column(d.ClosedEntities, kind), column(d.ClosedEntities, slug))
	b.Queue(`UPDATE flow_versions f SET last = $2 FROM unnest($3::text[], $4::text[]) AS c(flow, version)
		WHERE f.org = $1 AND f.flow = c.flow AND f.version = c.version`, org, last, column(d.ClosedFlows, name), column(d.ClosedFlows, version))
	return tx.SendBatch(ctx, &b).Close()
}

// openAll writes the revision, and what is in force with it.
func openAll(ctx context.Context, tx pgx.Tx, d *store.Delta) error {
	r := &d.Revision
	if err := takenNumber(ctx, tx, d.Numbers()); err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(`INSERT INTO revisions (org, revision, author, note, time, removed, folder, counts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.Org, r.Number, r.Author, r.Note, r.Time, r.Removed, r.Folder, r.Counts)
	b.Queue(`INSERT INTO organizations (org, revision, removed) VALUES ($1, $2, $3)
		ON CONFLICT (org) DO UPDATE SET revision = excluded.revision, removed = excluded.removed`, r.Org, r.Number, r.Removed)
	b.Queue(`INSERT INTO texts (org, hash, text) SELECT $1, * FROM unnest($2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING`,
		r.Org, column(d.Texts, func(t store.Text) []byte { return t.Hash }),
		column(d.Texts, func(t store.Text) []byte { return append([]byte{}, t.Text...) })) // nil would be NULL
	b.Queue(`INSERT INTO files (org, first, path, hash) SELECT $1, $2, * FROM unnest($3::text[], $4::bytea[])`,
		r.Org, r.Number, column(d.Files, func(f store.FileKept) string { return f.Path }), column(d.Files, func(f store.FileKept) []byte { return f.Hash }))
	b.Queue(`INSERT INTO entities (org, first, kind, slug, id) SELECT $1, $2, kind, slug, id::uuid FROM unnest($3::text[], $4::text[], $5::text[]) AS n(kind, slug, id)`,
		r.Org, r.Number, column(d.Entities, kind), column(d.Entities, slug), column(d.Entities, func(store.EntityKey) string { return uuid.NewString() }))
	b.Queue(`UPDATE entities e SET last = NULL FROM unnest($2::text[], $3::text[]) AS o(kind, slug)
		WHERE e.org = $1 AND e.kind = o.kind AND e.slug = o.slug`, r.Org, column(d.OpenedEntities, kind), column(d.OpenedEntities, slug))
	b.Queue(`INSERT INTO flow_versions (org, first, flow, version, bundle) SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[])`,
		r.Org, r.Number, column(d.Flows, name), column(d.Flows, version), column(d.Flows, func(f store.FlowVersion) string { return f.Bundle }))
	b.Queue(`UPDATE flow_versions f SET last = NULL FROM unnest($2::text[], $3::text[]) AS o(flow, version)
		WHERE f.org = $1 AND f.flow = o.flow AND f.version = o.version`, r.Org, column(d.OpenedFlows, name), column(d.OpenedFlows, version))
	return tx.SendBatch(ctx, &b).Close()
}

// takenNumber fails with a *store.NumberTakenError when one of the numbers is in force
// with somebody.
func takenNumber(ctx context.Context, tx pgx.Tx, numbers []string) error {
	var taken store.NumberTakenError
	err := tx.QueryRow(ctx, `SELECT org, slug FROM entities WHERE kind = 'number' AND last IS NULL AND slug = ANY($1) LIMIT 1`, numbers).
		Scan(&taken.Org, &taken.Number)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return &taken
}

// Current returns the revision in force of every organization that has one.
func (s *Store) Current(ctx context.Context) (map[string]int, error) {
	current := map[string]int{}
	var org string
	var revision int
	rows, _ := s.pool.Query(ctx, `SELECT org, revision FROM organizations WHERE NOT removed`)
	if _, err := pgx.ForEachRow(rows, []any{&org, &revision}, func() error { current[org] = revision; return nil }); err != nil {
		return nil, fmt.Errorf("current revisions: %w", err)
	}
	return current, nil
}

const revisionColumns = `org, revision, author, note, time, removed, folder, counts`

func scanRevision(row pgx.CollectableRow) (r store.Revision, err error) {
	err = row.Scan(&r.Org, &r.Number, &r.Author, &r.Note, &r.Time, &r.Removed, &r.Folder, &r.Counts)
	r.Time = r.Time.UTC()
	return r, err
}

// Revision returns a revision with its files.
func (s *Store) Revision(ctx context.Context, org string, number int) (*store.Revision, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE org = $1 AND revision = $2`, org, number)
	r, err := pgx.CollectExactlyOneRow(rows, scanRevision)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("revision %d of organization %s: %w", number, org, store.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("revision: %w", err)
	}
	r.Files = store.Files{}
	var path string
	var text []byte
	rows, _ = s.pool.Query(ctx, `SELECT path, text FROM files JOIN texts USING (org, hash)
		WHERE org = $1 AND first <= $2 AND (last IS NULL OR last >= $2)`, org, number)
	if _, err := pgx.ForEachRow(rows, []any{&path, &text}, func() error { r.Files[path] = text; return nil }); err != nil {
		return nil, fmt.Errorf("revision: %w", err)
	}
	return &r, nil
}

// Revisions lists revisions without their files, newest first.
func (s *Store) Revisions(ctx context.Context, org string, page store.RevisionPage) ([]store.Revision, error) {
	rows, _ := s.pool.Query(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE org = $1 AND ($2 = 0 OR revision < $2)
		ORDER BY revision DESC LIMIT $3`, org, page.Before, page.Rows())
	out, err := pgx.CollectRows(rows, scanRevision)
	if err != nil {
		return nil, fmt.Errorf("revisions: %w", err)
	}
	return out, nil
}

// Entities lists all that the organization has or had, by kind and slug.
func (s *Store) Entities(ctx context.Context, org string) ([]store.Entity, error) {
	rows, _ := s.pool.Query(ctx, `SELECT kind, slug, id::text, first, coalesce(last, 0) FROM entities WHERE org = $1
		ORDER BY kind COLLATE "C", slug COLLATE "C"`, org)
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e store.Entity, err error) {
		err = row.Scan(&e.Kind, &e.Slug, &e.ID, &e.First, &e.Last)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return out, nil
}

// FlowVersions lists the versions of a flow without their documents, the one in force
// first, then the newest.
func (s *Store) FlowVersions(ctx context.Context, org, flow string) ([]store.FlowVersion, error) {
	rows, _ := s.pool.Query(ctx, `SELECT flow, version, '', author, note, time, first, coalesce(last, 0)
		FROM flow_versions f JOIN revisions r ON r.org = f.org AND r.revision = f.first
		WHERE f.org = $1 AND flow = $2 ORDER BY last IS NOT NULL, first DESC`, calllog.Name(org), calllog.Text(flow))
	out, err := pgx.CollectRows(rows, scanFlowVersion)
	if err != nil {
		return nil, fmt.Errorf("versions of flow %s: %w", flow, err)
	}
	return out, nil
}

// FlowVersion returns a version of a flow with its documents.
func (s *Store) FlowVersion(ctx context.Context, org, flow, version string) (*store.FlowVersion, error) {
	rows, _ := s.pool.Query(ctx, `SELECT flow, version, bundle, author, note, time, first, coalesce(last, 0)
		FROM flow_versions f JOIN revisions r ON r.org = f.org AND r.revision = f.first
		WHERE f.org = $1 AND flow = $2 AND version = $3`, calllog.Name(org), calllog.Text(flow), calllog.Text(version))
	f, err := pgx.CollectExactlyOneRow(rows, scanFlowVersion)
	if err != nil {
		return nil, noFlowVersion(flow, version, err)
	}
	return &f, nil
}

// FlowBundle returns the documents of a version of a flow, whoever has it.
func (s *Store) FlowBundle(ctx context.Context, flow, version string) (bundle string, err error) {
	err = s.pool.QueryRow(ctx, "SELECT bundle FROM flow_versions WHERE flow = $1 AND version = $2 LIMIT 1", calllog.Text(flow), calllog.Text(version)).Scan(&bundle)
	if err != nil {
		return "", noFlowVersion(flow, version, err)
	}
	return bundle, nil
}

// noFlowVersion says why a version was not found.
func noFlowVersion(flow, version string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		err = store.ErrNotFound
	}
	return fmt.Errorf("flow %s in version %s: %w", flow, version, err)
}

func scanFlowVersion(row pgx.CollectableRow) (f store.FlowVersion, err error) {
	err = row.Scan(&f.Flow, &f.Version, &f.Bundle, &f.Author, &f.Note, &f.Time, &f.First, &f.Last)
	f.Time = f.Time.UTC()
	return f, err
}
