package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

func newSecrets() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Sets, lists and removes what the templates of webhooks read as secrets.NAME",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sealedFlags(cmd)
	cmd.AddCommand(newSecretsSet(), newSecretsList(), newSecretsRemove())
	return cmd
}

// sealedFlags is organizationFlags for commands that seal or open.
func sealedFlags(cmd *cobra.Command) {
	organizationFlags(cmd)
	addSettingFlags(cmd.PersistentFlags(), "secret_key_file")
}

// withCredentials lets f work with the secrets in the database of a command's settings. It
// makes no key: another one than the servers have would be of no use to them.
func withCredentials(cmd *cobra.Command, f func(s *settings, db store.Store, k *credentials.Keeper) error) error {
	return withDatabase(cmd, false, func(s *settings, db store.Store) error {
		ring, err := seal.ReadFile(s.secretKeyFile())
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w; a server makes it when it starts: start one, or name the file that the servers have (secret_key_file)", err)
		} else if err != nil {
			return err
		}
		return f(s, db, credentials.New(db, ring))
	})
}

func newSecretsSet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Gives a secret its value, in the place of the one that it has",
		Long: "Gives secrets.NAME a value, which is read from standard input, up to its end, without the line break there;\n" +
			"on a terminal it is asked for and not shown. Servers have it within seconds.",
		Args: takes(1, 1, "a name"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := credentials.CheckName(args[0]); err != nil {
			return &usageError{err}
		}
		return withCredentials(cmd, func(s *settings, db store.Store, k *credentials.Keeper) error {
			org, err := configuredOrganization(cmd, s, db)
			if err != nil {
				return err
			}
			value, err := readSecret(cmd, "value of secrets."+args[0]+": ")
			if err != nil {
				return err
			}
			if err := k.SetValue(cmd.Context(), org.Name, args[0], value); err != nil {
				return fmt.Errorf("secrets.%s: %w", args[0], err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "secrets.%s is set\n", args[0])
			return err
		})
	}
	return cmd
}

// maxTyped bounds what is read as a secret, in bytes.
const maxTyped = 64 << 10

// readSecret reads a secret from the input of a command: all of it, or, on a terminal, a
// line that is not shown.
func readSecret(cmd *cobra.Command, prompt string) (seal.Secret, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return seal.NewSecret(string(text)), err
	}
	text, err := io.ReadAll(io.LimitReader(in, maxTyped))
	return seal.NewSecret(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")), err
}

func newSecretsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the secrets that have a value, without the values",
		Args:  takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := organizationOf(cmd, s, db)
			if err != nil {
				return err
			}
			list, err := credentials.New(db, nil).List(cmd.Context(), org)
			if err != nil {
				return err
			}
			if *format == outputJSON {
				return writeLines(cmd.OutOrStdout(), list)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSET")
			for _, v := range list {
				fmt.Fprintf(w, "%s\t%s\n", v.Name, moment(&v.Created, ""))
			}
			return w.Flush()
		})
	}
	return cmd
}

func newSecretsRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Takes the value of a secret away",
		Long:  "Takes the value of secrets.NAME away. What an endpoint sends that reads it fails from then on, and is tried again.",
		Args:  takes(1, 1, "a name"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := organizationOf(cmd, s, db)
			if err != nil {
				return err
			}
			if err := credentials.New(db, nil).RemoveValue(cmd.Context(), org, args[0]); errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no secret %.80q; hookswitch secrets list shows them", args[0])
			} else if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "secrets.%s has no value any more\n", args[0])
			return err
		})
	}
	return cmd
}
