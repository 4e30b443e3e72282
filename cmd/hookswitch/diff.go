package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
)

// differsError is the answer of diff that something differs.
type differsError struct{}

func (*differsError) Error() string { return "it differs" }

// diffError is what went wrong in a diff.
type diffError struct{ error }

func (e *diffError) Unwrap() error { return e.error }

func newDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff FOLDER",
		Short: "Says what apply would change: numbers, targets, campaigns, flows, setting by setting",
		Long: "Says what apply would change: for every organization of the folder what is added (+), changed (~) and\n" +
			"removed (-), with the settings that change. A file is named where its text differs, also by a comment only.\n" +
			"The exit code is that of diff: 0 when nothing differs, 1 when something does, 2 when it cannot be told.",
		Args: takes(1, 1, "a folder"),
	}
	format := outputFlag(cmd)
	remove := removeFlag(cmd)
	databaseFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		differs := false
		err := withDatabase(cmd, false, func(_ *settings, db store.Store) error {
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
			list, err := c.Differences()
			if err != nil {
				return err
			}
			differs = len(list) > 0
			if *format == outputJSON {
				return writeDifferencesJSON(cmd.OutOrStdout(), list)
			}
			return writeDifferences(cmd.OutOrStdout(), list)
		})
		switch {
		case err != nil:
			return &diffError{err}
		case differs:
			return &differsError{}
		}
		return nil
	}
	return cmd
}

func removeFlag(cmd *cobra.Command) *[]string {
	return cmd.Flags().StringArray("remove", nil, "organization to remove, which the folder no longer holds; repeatable")
}

// tellLeftOut says which files of a folder are no part of the configuration.
func tellLeftOut(w io.Writer, dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	more := ""
	if len(names) > 10 {
		names, more = names[:10], fmt.Sprintf(" and %d more", len(names)-10)
	}
	_, err := fmt.Fprintf(w, "left out of %s: %s%s\n", plain(dir), plain(strings.Join(names, ", ")), more)
	return err
}

// marks stand in front of what is added, changed and removed.
var marks = map[string]string{confdir.Added: "+", confdir.Changed: "~", confdir.Removed: "-"}

// writeDifferences prints what differs, for people.
func writeDifferences(out io.Writer, list []confdir.OrganizationDifference) error {
	paint := painterFor(out)
	colours := map[string]style{confdir.Added: green, confdir.Changed: yellow, confdir.Removed: red}
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "%s %s\n", paint.paint(bold, d.Org), standing(d))
		for _, e := range d.Differences {
			b.WriteString("  " + paint.paint(colours[e.Change], marks[e.Change]+" "+e.Kind+" "+plain(e.Name)) + "\n")
			for _, s := range e.Settings {
				fmt.Fprintf(&b, "      %s: %s\n", plain(s.Path), shownChange(s))
			}
		}
	}
	if len(list) == 0 {
		b.WriteString("nothing differs\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// standing says which revision of an organization differs.
func standing(d confdir.OrganizationDifference) string {
	switch {
	case d.Removed:
		return fmt.Sprintf("(revision %d, to be removed)", d.Revision)
	case d.Revision == 0:
		return "(new)"
	}
	return fmt.Sprintf("(revision %d)", d.Revision)
}

func shownChange(s confdir.Setting) string {
	switch {
	case s.Old == "":
		return "+ " + shortened(s.New)
	case s.New == "":
		return "- " + shortened(s.Old)
	}
	return shortened(s.Old) + " → " + shortened(s.New)
}

// shortened makes a value fit into a line of a terminal.
func shortened(value string) string {
	const most = 100
	if r := []rune(value); len(r) > most {
		value = string(r[:most-1]) + "…"
	}
	return plain(value)
}

// writeDifferencesJSON prints one object for each difference.
func writeDifferencesJSON(out io.Writer, list []confdir.OrganizationDifference) error {
	encode := json.NewEncoder(out)
	for _, d := range list {
		for _, e := range d.Differences {
			line := struct {
				Org      string `json:"org"`
				Revision int    `json:"revision"`
				confdir.Difference
			}{d.Org, d.Revision, e}
			if err := encode.Encode(line); err != nil {
				return err
			}
		}
	}
	return nil
}
