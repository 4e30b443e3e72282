package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

func newFlows() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flows",
		Short: "Shows the versions of flows, and takes one back to an earlier one",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().String("org", "", "organization (default: the only one)")
	databaseFlags(cmd.PersistentFlags())
	cmd.AddCommand(newFlowsVersions(), newFlowsRollback())
	return cmd
}

// flowOrganization returns the organization that a command about flows means.
func flowOrganization(cmd *cobra.Command, db store.Configurations) (string, error) {
	named, err := cmd.Flags().GetString("org")
	if err != nil {
		return "", err
	}
	current, err := db.Current(cmd.Context())
	if err != nil {
		return "", err
	}
	return oneOrganization(named, current)
}

func newFlowsVersions() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "versions FLOW",
		Short: "Lists the versions of a flow: the one in force, and those that were",
		Long: "Lists the versions of a flow: first the one in force, then the newest. A version says what the flow does, and\n" +
			"the flows and plans that it runs: comments and the order of its settings do not make another one.",
		Args: takes(1, 1, "a flow"),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withDatabase(cmd, false, func(_ *settings, db store.Store) error {
			org, err := flowOrganization(cmd, db)
			if err != nil {
				return err
			}
			list, err := db.FlowVersions(cmd.Context(), org, args[0])
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return fmt.Errorf("organization %s has never had a flow %s", org, args[0])
			}
			if *format == outputJSON {
				return writeLines(cmd.OutOrStdout(), list)
			}
			return writeVersions(cmd.OutOrStdout(), list)
		})
	}
	return cmd
}

func writeVersions(out io.Writer, list []store.FlowVersion) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tREVISIONS\tSINCE\tAUTHOR\tNOTE")
	for _, v := range list {
		revisions := fmt.Sprintf("%d, in force", v.First)
		if v.Last > v.First {
			revisions = fmt.Sprintf("%d to %d", v.First, v.Last)
		} else if v.Last > 0 {
			revisions = fmt.Sprint(v.First)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Version, revisions, v.Time.Local().Format(time.DateTime), plain(v.Author), plain(v.Note))
	}
	return w.Flush()
}

func newFlowsRollback() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback FLOW VERSION",
		Short: "Takes one flow back to an earlier version, as a new revision",
		Long: "Puts the document of a flow as it was in an earlier version into its file, in the place of the one that is\n" +
			"there now. All else stays to the byte, comments too. VERSION may be cut short.",
		Args: takes(2, 2, "a flow and a version"),
	}
	format := outputFlag(cmd)
	signed := signatureFlags(cmd, "")
	dry := cmd.Flags().Bool("dry-run", false, "only say what would be done")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := flowOrganization(cmd, db)
			if err != nil {
				return err
			}
			old, err := olderFlow(cmd.Context(), db, org, args[0], args[1])
			if err != nil {
				return err
			}
			before, err := confdir.InForce(cmd.Context(), db)
			if err != nil {
				return err
			}
			r := before[org]
			if r == nil {
				return fmt.Errorf("there is no organization %s; %s", org, confdir.Known(before))
			}
			files, err := confdir.ReplaceFlow(r.Files, old.Name, old.Source)
			if err != nil {
				return fmt.Errorf("organization %s: %w in revision %d; hookswitch rollback takes back a whole revision", org, err, r.Number)
			}
			c, err := newChangeset(cmd.Context(), db, &folder{orgs: []confdir.Organization{{Name: org, Folder: r.Folder, Files: files}}}, nil)
			if err != nil {
				return err
			}
			if signed.note == "" {
				signed.note = fmt.Sprintf("rollback of flow %s to version %s", old.Name, old.Version)
			}
			a := applying{Store: db, settings: s, out: cmd.OutOrStdout(), warn: cmd.ErrOrStderr(), format: *format, dry: *dry, signed: signed,
				base: map[string]int{org: r.Number}}
			if err := a.run(cmd.Context(), c); err != nil {
				return err
			}
			is, _ := c.Organization(org)
			if now, _ := is.Flow(old.Name); now.Version != old.Version {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "flow %s is now version %s: the flows and plans that it runs are not those of then\n", old.Name, now.Version)
			}
			return err
		})
	}
	return cmd
}

// olderFlow finds the one version of a flow that begins with some digits.
func olderFlow(ctx context.Context, db store.Configurations, org, name, digits string) (*flowengine.Flow, error) {
	list, err := db.FlowVersions(ctx, org, name)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, v := range list {
		if strings.HasPrefix(v.Version, digits) {
			found = append(found, v.Version)
		}
	}
	if len(found) != 1 {
		why := "has no version"
		if len(found) > 1 {
			why = "has several versions that begin with"
		}
		return nil, fmt.Errorf("flow %s %s %s; hookswitch flows versions %[1]s lists them", name, why, digits)
	}
	v, err := db.FlowVersion(ctx, org, name, found[0])
	if err != nil {
		return nil, err
	}
	f, problems := flowengine.LoadFlow(name+"@"+v.Version, []byte(v.Bundle), nodes.Kinds)
	if len(problems) > 0 {
		return nil, &invalidConfig{dir: "this version", problems: problems}
	}
	return f, nil
}
