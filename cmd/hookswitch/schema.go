package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Prints the JSON Schema of a folder's documents, for editors",
		Long: "Prints the JSON Schema (draft-07) of a folder's documents, or of the settings of one kind of node. An editor that\n" +
			"speaks to yaml-language-server completes and checks a document that begins with the line\n\n" +
			"  # yaml-language-server: $schema=hookswitch.schema.json\n\n" +
			"(behind the --- where a file has several), once the schema is beside it:\n\n" +
			"  hookswitch schema >hookswitch.schema.json",
		Args:      takes(0, 1, "one kind at most"),
		ValidArgs: nodes.Kinds.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				text := nodes.Schema(args[0])
				if text == nil {
					return &usageError{fmt.Errorf("there is no kind %q; %s", args[0], flowengine.Nearest(args[0], nodes.Kinds.Names()))}
				}
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			text, err := nodes.DocumentSchema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}
