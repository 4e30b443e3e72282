package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
)

func newRevisions() *cobra.Command {
	var org string
	var limit int
	cmd := &cobra.Command{
		Use:   "revisions",
		Short: "Lists what was applied: revision, time, author, note",
		Args:  takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	cmd.Flags().StringVar(&org, "org", "", "only of this organization, which may be one that was removed (default: all)")
	cmd.Flags().IntVar(&limit, "limit", 20, "the newest so many of each organization; at most 1000")
	databaseFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withDatabase(cmd, false, func(_ *settings, db store.Store) error {
			current, err := db.Current(cmd.Context())
			if err != nil {
				return err
			}
			orgs := slices.Sorted(maps.Keys(current))
			if org != "" {
				orgs = []string{org}
			}
			var list []store.Revision
			for _, org := range orgs {
				r, err := db.Revisions(cmd.Context(), org, store.RevisionPage{Limit: limit})
				if err != nil {
					return err
				}
				list = append(list, r...)
			}
			if *format == outputJSON {
				return writeLines(cmd.OutOrStdout(), list)
			}
			return writeRevisions(cmd.OutOrStdout(), list)
		})
	}
	return cmd
}

// writeLines prints one object of JSON a line.
func writeLines[T any](out io.Writer, list []T) error {
	encode := json.NewEncoder(out)
	for _, item := range list {
		if err := encode.Encode(item); err != nil {
			return err
		}
	}
	return nil
}

func writeRevisions(out io.Writer, list []store.Revision) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ORG\tREVISION\tTIME\tAUTHOR\tHOLDS\tNOTE")
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", r.Org, r.Number, r.Time.Local().Format(time.DateTime), plain(r.Author), holds(r), plain(r.Note))
	}
	return w.Flush()
}

// holds says how much of what is in a revision.
func holds(r store.Revision) string {
	if r.Removed {
		return "nothing, removed"
	}
	var parts []string
	for _, kind := range []string{"campaign", "number", "flow", "plan", "target", "file"} {
		if n := r.Counts[kind]; n > 0 {
			parts = append(parts, counted(n, kind))
		}
	}
	return strings.Join(parts, ", ")
}

func newRollback() *cobra.Command {
	var org string
	cmd := &cobra.Command{
		Use:   "rollback REVISION",
		Short: "Puts an earlier revision of an organization in force again, as a new revision",
		Long: "Puts the files of an earlier revision in force again, as a new revision. They must be valid beside what the\n" +
			"other organizations have now. hookswitch flows rollback takes back one flow alone.",
		Args: takes(1, 1, "a revision"),
	}
	format := outputFlag(cmd)
	signed := signatureFlags(cmd, "")
	cmd.Flags().StringVar(&org, "org", "", "organization (default: the only one)")
	dry := cmd.Flags().Bool("dry-run", false, "only say what would be done")
	databaseFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		number, err := strconv.Atoi(args[0])
		if err != nil || number < 1 {
			return &usageError{fmt.Errorf("%q is no revision; hookswitch revisions lists them", args[0])}
		}
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			current, err := db.Current(cmd.Context())
			if err != nil {
				return err
			}
			if org, err = oneOrganization(org, current); err != nil {
				return err
			}
			r, err := db.Revision(cmd.Context(), org, number)
			if err != nil {
				return unknownRevision(err)
			}
			if r.Removed {
				return fmt.Errorf("with revision %d organization %s was removed: there is nothing in it", number, org)
			}
			c, err := newChangeset(cmd.Context(), db, &folder{orgs: []confdir.Organization{{Name: org, Folder: r.Folder, Files: r.Files}}}, nil)
			if err != nil {
				return err
			}
			if signed.note == "" {
				signed.note = fmt.Sprintf("rollback to revision %d", number)
			}
			a := applying{Store: db, settings: s, out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), format: *format, dry: *dry, signed: signed}
			return a.run(cmd.Context(), c)
		})
	}
	return cmd
}
