// Command hookswitch takes over live calls from FreeSWITCH and runs their call
// flows.
//
// Every subcommand has a file of its own here; this one joins them. To see how
// the parts of the server meet, read serve.go (what runs), controller.go (what
// happens to a call) and reconcile.go (how calls end that nobody watched), in
// that order.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks, the second ends the process at once.
	context.AfterFunc(ctx, stop)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	var differs *differsError
	if !errors.As(err, &differs) { // that was the answer
		fmt.Fprintln(os.Stderr, "hookswitch:", err)
	}
	os.Exit(exitCode(err))
}

// exitCode is 2 for a mistake in the command line, and 1 for what else goes wrong, except
// of diff: there 1 says that something differs.
func exitCode(err error) int {
	var usage *usageError
	var failed *diffError
	if errors.As(err, &usage) || errors.As(err, &failed) {
		return 2
	}
	return 1
}

// newRoot returns the command with all of its subcommands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "hookswitch",
		Short:         "Takes over live calls from FreeSWITCH and runs their call flows",
		SilenceUsage:  true, // an error is one line, not a page
		SilenceErrors: true,
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.PersistentFlags().String("config", "", "file of server settings (default "+settingsFile+" if there is one)")
	root.AddCommand(newServe(), newDemo(), newValidate(), newDiff(), newApply(), newExport(), newRevisions(), newRollback(), newFlows(), newSimulate(), newTest(), newSchema(), newDoctor(), newHealth(), newCalls(), newKeys(), newSecrets(), newWebhooks(), newBackup(), newMan(), newVersion())
	return root
}

// takes wants so many arguments, at least and at most; what names them.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return &usageError{fmt.Errorf("%s takes %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}

// subcommand is for a command that is nothing but its subcommands: an argument is one of
// them, misspelt.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return &usageError{fmt.Errorf("%s has no command %q; %s", cmd.CommandPath(), args[0], flowengine.Nearest(args[0], names))}
}

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
