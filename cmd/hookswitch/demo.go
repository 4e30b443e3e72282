package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// demoOptions are those of the demonstration.
type demoOptions struct {
	once bool   // one call, its timeline, done
	dir  string // folder with numbers, targets and flows; empty: the example
}

func newDemo() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows calls without a FreeSWITCH: a simulated one, with callers and callees",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "place one call, print its timeline and stop")
	cmd.Flags().StringVar(&o.dir, "config-dir", "", "folder with numbers, targets and flows (default: an example)")
	return cmd
}

// runDemo places simulated calls and prints their timelines (newTimeline) as
// they happen.
func runDemo(context.Context, io.Writer, demoOptions) error {
	return errors.New("demo: this program has no call server")
}
