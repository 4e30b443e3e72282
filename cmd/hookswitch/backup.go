package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/store/sqlite"
)

func newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copies the built-in database to a file, also while the server runs",
		Long: "Copies the SQLite database of the server's data folder, as it is at one moment, to a file that must not be\n" +
			"there yet. The server may run meanwhile. To restore it, stop the server and put the copy in its place. A\n" +
			"PostgreSQL has its own commands for that, such as pg_dump.",
		Args: takes(1, 1, "a file"),
	}
	databaseFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		if s.Database != "" {
			return errors.New("the setting database names a PostgreSQL: back it up with its own commands, such as pg_dump")
		}
		if err := sqlite.Backup(cmd.Context(), s.databaseFile(), args[0]); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is copied to %s\n", s.databaseFile(), args[0])
		return err
	}
	return cmd
}
