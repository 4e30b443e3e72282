package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func newValidate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [FOLDER]",
		Short: "Says what is wrong in a folder with numbers, targets and flows: file, line, column",
		Long:  "Says what is wrong in a folder with numbers, targets and flows. Without FOLDER it takes the server's (config_dir).",
		Args:  cobra.MaximumNArgs(1),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return runValidate(cmd.OutOrStdout(), args[0], *format)
		}
		s, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		return runValidate(cmd.OutOrStdout(), s.ConfigDir, *format)
	}
	return cmd
}

// runValidate prints every mistake in dir; it fails when there is one.
func runValidate(out io.Writer, dir string, format output) error {
	s, problems := flowengine.LoadDir(dir, nodes.Kinds)
	if format == outputJSON {
		if problems == nil {
			problems = []flowengine.Problem{}
		}
		if err := json.NewEncoder(out).Encode(map[string]any{"valid": len(problems) == 0, "problems": problems}); err != nil {
			return err
		}
	}
	switch {
	case len(problems) > 0:
		return &invalidConfig{dir, problems}
	case format == outputJSON:
		return nil
	}
	_, err := fmt.Fprintf(out, "%s is valid: %d flows, %d numbers, %d targets\n", dir, len(s.Flows()), len(s.Numbers()), len(s.Targets()))
	return err
}
