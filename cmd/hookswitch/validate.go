package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func newValidate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [FOLDER]",
		Short: "Says what is wrong in a folder of numbers, targets, flows and campaigns: file, line, column",
		Long: "Says what is wrong in a folder with numbers, targets and flows. Without FOLDER it takes what the server has:\n" +
			"its config_dir, or what is in the database.",
		Args: takes(0, 1, "one folder at most"),
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
		if s.ConfigDir != "" {
			return runValidate(cmd.OutOrStdout(), s.ConfigDir, *format)
		}
		const dir = "the configuration in the database"
		snapshot, err := loadServers(cmd.Context(), s)
		invalid := &invalidConfig{}
		if err != nil && !errors.As(err, &invalid) {
			return err
		}
		return writeValidated(cmd.OutOrStdout(), dir, snapshot, invalid.problems, *format)
	}
	return cmd
}

// runValidate prints every mistake in dir, or what is hardly meant where there is
// none; it fails when there is a mistake.
func runValidate(out io.Writer, dir string, format output) error {
	s, problems := flowengine.LoadDir(dir, nodes.Kinds)
	return writeValidated(out, dir, s, problems, format)
}

func writeValidated(out io.Writer, dir string, s *flowengine.Snapshot, problems []flowengine.Problem, format output) error {
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
	_, err := fmt.Fprintf(out, "%s is valid: %s\n", dir, contents(s))
	return err
}

// contents counts what a folder has: always what no folder can do without, and of the
// rest what there is.
func contents(s *flowengine.Snapshot) string {
	organizations := s.Organizations()
	campaigns, plans, publishers, buyers, gateways, tags, incoming, webhooks := 0, 0, 0, 0, 0, 0, 0, 0
	for _, o := range organizations {
		campaigns += len(o.Campaigns())
		plans += len(o.Plans())
		publishers += len(o.Publishers())
		buyers += len(o.Buyers())
		gateways += len(o.Gateways())
		tags += len(o.Tags())
		incoming += len(o.Incomings())
		webhooks += len(o.Endpoints())
	}
	out := []string{counted(writtenFlows(s), "flow"), counted(len(s.Numbers()), "number"), counted(len(s.Targets()), "target")}
	for _, more := range []struct {
		n    int
		what string
	}{{campaigns, "campaign"}, {plans, "plan"}, {publishers, "publisher"}, {buyers, "buyer"}, {gateways, "gateway"}, {tags, "tag"},
		{incoming, "incoming webhook"}, {webhooks, "outgoing webhook"}} {
		if more.n > 0 {
			out = append(out, counted(more.n, more.what))
		}
	}
	if n := len(organizations); n > 1 {
		out = append([]string{counted(n, "organization")}, out...)
	}
	return strings.Join(out, ", ")
}

// writtenFlows counts the flows that stand in files.
func writtenFlows(s *flowengine.Snapshot) (n int) {
	for _, f := range s.Flows() {
		if f.Plan() == "" {
			n++
		}
	}
	return n
}
