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
		Args:  takes(0, 1, "one folder at most"),
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

// runValidate prints every mistake in dir, or what is hardly meant where there is
// none; it fails when there is a mistake.
func runValidate(out io.Writer, dir string, format output) error {
	s, problems := flowengine.LoadDir(dir, nodes.Kinds)
	valid := len(problems) == 0
	if valid {
		problems = s.Warnings()
	}
	if format == outputJSON {
		if problems == nil {
			problems = []flowengine.Problem{}
		}
		if err := json.NewEncoder(out).Encode(map[string]any{"valid": valid, "problems": problems}); err != nil {
			return err
		}
	}
	switch {
	case !valid:
		return &invalidConfig{dir: dir, problems: problems}
	case format == outputJSON:
		return nil
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(out, "warning: "+p.Shown()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s is valid: %s, %s, %s\n", dir,
		counted(len(s.Flows()), "flow"), counted(len(s.Numbers()), "number"), counted(len(s.Targets()), "target"))
	return err
}
