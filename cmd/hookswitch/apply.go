package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
)

func newApply() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply FOLDER",
		Short: "Puts a folder in force: all of it, or nothing where anything is wrong",
		Long: "Puts the organizations of a folder in force, as new revisions in the database: all of them, or none where\n" +
			"anything is wrong. Servers that take their configuration from the database have it within a second; calls\n" +
			"go on in the version of their flow that they began with. An organization whose files are as they were gets\n" +
			"no revision, one that the folder does not hold stays as it is.",
		Args: takes(1, 1, "a folder"),
	}
	format := outputFlag(cmd)
	remove := removeFlag(cmd)
	signed := signatureFlags(cmd, "")
	dry := cmd.Flags().Bool("dry-run", false, "only say what would be done")
	bases := cmd.Flags().StringArray("base", nil, "ORG=REVISION that the folder is a change of; fails when another is in force; repeatable")
	databaseFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		base, err := readBases(*bases)
		if err != nil {
			return &usageError{err}
		}
		return withDatabase(cmd, true, func(s *settings, db store.Store) error {
			f, err := readFolder(args[0])
			if err != nil {
				return err
			}
			c, err := newChangeset(cmd.Context(), db, f, *remove)
			if err != nil {
				return err
			}
			if err := tellLeftOut(cmd.ErrOrStderr(), args[0], f.leftOut); err != nil {
				return err
			}
			a := applying{Store: db, settings: s, out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), format: *format, base: base, dry: *dry, signed: signed}
			return a.run(cmd.Context(), c)
		})
	}
	return cmd
}

func readBases(list []string) (map[string]int, error) {
	base := map[string]int{}
	for _, text := range list {
		org, number, found := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if !found || err != nil || n < 0 {
			return nil, fmt.Errorf("--base: %q is not ORG=REVISION", text)
		}
		base[org] = n
	}
	return base, nil
}

// applying is what apply and rollback do alike.
type applying struct {
	store.Store
	settings  *settings
	out, warn io.Writer
	format    output
	base      map[string]int
	dry       bool
	signed    *signature
}

// applied is a line of what apply has done.
type applied struct {
	Org      string `json:"org"`
	Revision int    `json:"revision"` // the new one
	Added    int    `json:"added"`    // entities
	Changed  int    `json:"changed"`
	Removed  int    `json:"removed"`
	Files    int    `json:"files"` // that differ
	Gone     bool   `json:"organization_removed,omitempty"`
	Dry      bool   `json:"dry_run,omitempty"`
}

// run applies a changeset and says what has changed.
func (a *applying) run(ctx context.Context, c *confdir.Changeset) error {
	list, err := c.Differences()
	if err != nil {
		return err
	}
	if err := c.CheckBases(a.base); err != nil {
		return err
	}
	revisions := map[string]int{}
	if !a.dry {
		if revisions, err = c.Apply(ctx, a.Store, a.signed.by(), a.signed.note, a.base); err != nil {
			return err
		}
	}
	var lines []applied
	for _, d := range list {
		line := applied{Org: d.Org, Revision: revisions[d.Org], Gone: d.Removed, Dry: a.dry}
		for _, e := range d.Differences {
			switch {
			case e.Kind == "file":
				line.Files++
			case e.Change == confdir.Added:
				line.Added++
			case e.Change == confdir.Changed:
				line.Changed++
			default:
				line.Removed++
			}
		}
		lines = append(lines, line)
	}
	if err := a.print(lines); err != nil {
		return err
	}
	if a.settings.ConfigDir != "" {
		_, err = fmt.Fprintf(a.warn, "the server of these settings takes its configuration from config_dir (%s), not from the database\n", plain(a.settings.ConfigDir))
	}
	return err
}

func (a *applying) print(lines []applied) error {
	if a.format == outputJSON {
		encode := json.NewEncoder(a.out)
		for _, l := range lines {
			if err := encode.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) == 0 {
		_, err := fmt.Fprintln(a.out, "nothing differs, nothing is applied")
		return err
	}
	for _, l := range lines {
		what := fmt.Sprintf("revision %d", l.Revision)
		if l.Dry {
			what = "would change"
		}
		if l.Gone {
			what += ", organization removed"
		}
		if _, err := fmt.Fprintf(a.out, "%s: %s: %d added, %d changed, %d removed, in %s\n", l.Org, what, l.Added, l.Changed, l.Removed, counted(l.Files, "file")); err != nil {
			return err
		}
	}
	return nil
}
