package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/tags"
)

// completeSimulate lets the shell complete what the folder of flows knows.
func completeSimulate(cmd *cobra.Command, o *simulateOptions) {
	complete := func(flag string, words func(s *flowengine.Snapshot, args []string) []cobra.Completion) {
		f := func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			s, err := loadFolder(cmd, o.dir)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var out []cobra.Completion
			for _, w := range words(s, args) {
				if strings.HasPrefix(w, begun) {
					out = append(out, w)
				}
			}
			if slices.Contains([]string{"answer", "request", "availability", "tag"}, flag) {
				return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		}
		if flag == "" {
			cmd.ValidArgsFunction = f
		} else if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // there is no such flag
		}
	}
	complete("", func(s *flowengine.Snapshot, args []string) []cobra.Completion {
		if len(args) > 0 {
			return nil
		}
		return append(flowNames(s), numbersOf(s)...)
	})
	complete("org", func(s *flowengine.Snapshot, _ []string) []cobra.Completion {
		var out []cobra.Completion
		for _, o := range s.Organizations() {
			out = append(out, cobra.CompletionWithDesc(o.Name, o.Title))
		}
		return out
	})
	complete("to", func(s *flowengine.Snapshot, _ []string) []cobra.Completion { return numbersOf(s) })
	complete("tag", func(s *flowengine.Snapshot, _ []string) []cobra.Completion {
		var out []cobra.Completion
		for _, o := range s.Organizations() {
			for _, d := range o.Tags() {
				for _, value := range valuesOf(d) {
					out = append(out, cobra.CompletionWithDesc(d.Name+"="+value, d.Description))
				}
			}
		}
		return out
	})
	complete("answer", func(s *flowengine.Snapshot, _ []string) []cobra.Completion {
		var out []cobra.Completion
		for _, t := range s.Targets() {
			for _, b := range flowtest.Behaviours {
				out = append(out, cobra.CompletionWithDesc(t.Name+"="+b, t.Address.String()))
			}
		}
		return out
	})
	complete("availability", func(s *flowengine.Snapshot, _ []string) []cobra.Completion {
		var out []cobra.Completion
		for _, t := range s.Targets() {
			if t.Availability != nil {
				out = append(out, t.Name+"=")
			}
		}
		return out
	})
	complete("full", func(s *flowengine.Snapshot, _ []string) []cobra.Completion {
		var out []cobra.Completion
		for _, t := range s.Targets() {
			for _, rule := range flowtest.Bounds(t.Limits) {
				out = append(out, t.Name+"="+string(rule))
			}
		}
		return out
	})
	complete("request", func(s *flowengine.Snapshot, args []string) []cobra.Completion {
		if len(args) == 0 {
			return nil
		}
		var flow *flowengine.Flow
		if r, ok := s.Lookup(args[0]); ok {
			flow = r.Flow
		} else if org, ok := s.Organization(o.test.Org); ok {
			flow, _ = org.Flow(args[0])
		}
		if flow == nil {
			return nil
		}
		return asking(flow, "")
	})
}

func flowNames(s *flowengine.Snapshot) []cobra.Completion {
	var out []cobra.Completion
	for _, f := range s.Flows() {
		if f.Plan() == "" {
			out = append(out, f.Name)
		}
	}
	return out
}

func numbersOf(s *flowengine.Snapshot) []cobra.Completion {
	var out []cobra.Completion
	for _, n := range s.Numbers() {
		out = append(out, cobra.CompletionWithDesc(n.Number, leadsTo(n)))
	}
	return out
}

// leadsTo says what takes the calls of a number.
func leadsTo(r *flowengine.Route) string {
	switch {
	case r.Campaign != nil:
		return r.Campaign.Title
	case r.Flow != nil:
		return r.Flow.Name
	}
	return ""
}

// asking lists the nodes of a flow, and of the flows that it runs, that make requests, as
// the value of a flag begins.
func asking(f *flowengine.Flow, around string) []cobra.Completion {
	var out []cobra.Completion
	for _, id := range f.NodeIDs() {
		if sub := f.Runs(id); sub != nil {
			out = append(out, asking(sub, around+id+"/")...)
		} else if f.Asks(id) {
			out = append(out, cobra.CompletionWithDesc(around+id+"=", f.Kind(id)))
		}
	}
	return out
}

// valuesOf returns what can be said of the values of a tag beforehand.
func valuesOf(d *tags.Definition) []string {
	switch d.Type {
	case tags.Enum:
		return d.Values
	case tags.Boolean:
		return []string{"true", "false"}
	}
	return []string{""}
}
