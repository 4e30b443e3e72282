package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
)

func newExport() *cobra.Command {
	var org string
	var number int
	var force bool
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Writes the configuration that is in force into a folder, to the byte as it was applied",
		Long: "Writes the files of what is in force, or of an earlier revision, into a folder, to the byte as they were\n" +
			"applied. A folder that is not empty is left alone unless --force is given; then files of the same name are\n" +
			"written over, and others stay.",
		Args: takes(1, 1, "a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDatabase(cmd, false, func(_ *settings, db store.Store) error {
				orgs, err := exported(cmd.Context(), db, org, number)
				if err != nil {
					return err
				}
				files := confdir.Join(orgs)
				if err := confdir.Write(args[0], files, force); err != nil {
					return fmt.Errorf("%w; --force writes all the same", err)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s in %s\n", counted(len(files), "file"), plain(args[0]))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&org, "org", "", "only this organization (default: all)")
	cmd.Flags().IntVar(&number, "revision", 0, "this revision of it (default: the one in force)")
	cmd.Flags().BoolVar(&force, "force", false, "write also into a folder that is not empty")
	databaseFlags(cmd.Flags())
	return cmd
}

// exported returns what is in force, or one revision of one organization.
func exported(ctx context.Context, db store.Configurations, org string, number int) ([]confdir.Organization, error) {
	current, err := db.Current(ctx)
	if err != nil {
		return nil, err
	}
	if number != 0 || org != "" {
		if org, err = oneOrganization(org, current); err != nil {
			return nil, err
		}
		if number == 0 {
			number = current[org]
		}
		if number == 0 {
			return nil, fmt.Errorf("there is no organization %s; %s", org, confdir.Known(current))
		}
		current = map[string]int{org: number}
	}
	if len(current) == 0 {
		return nil, fmt.Errorf("there is no configuration in the database")
	}
	return (&stored{revisions: db}).organizations(ctx, current)
}
