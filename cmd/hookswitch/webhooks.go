package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

func newWebhooks() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Receives webhooks on a terminal, tries out endpoints, and changes what signs messages to them",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	sealedFlags(cmd)
	cmd.AddCommand(newWebhooksListen(), newWebhooksTest(), newWebhooksSecret())
	return cmd
}

// endpointOf returns an endpoint of an organization.
func endpointOf(org *flowengine.Organization, name string) (*flowengine.Endpoint, error) {
	if e, there := org.Endpoint(name); there {
		return e, nil
	}
	var names []string
	for _, e := range org.Endpoints() {
		names = append(names, e.Name)
	}
	return nil, fmt.Errorf("there is no outgoing webhook %s; %s", name, nearestOf(name, names))
}

func newWebhooksSecret() *cobra.Command {
	var rotate bool
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "secret ENDPOINT",
		Short: "Shows what signs the messages to an endpoint, or changes it for another",
		Long: "Shows the secrets that sign what is sent to an endpoint, which its receiver needs, the newest first. With\n" +
			"--rotate it makes a new one. The ones before sign beside it for the time --overlap, so that the receiver can\n" +
			"be given the new one meanwhile.",
		Args: takes(1, 1, "an endpoint"),
	}
	format := outputFlag(cmd)
	cmd.Flags().BoolVar(&rotate, "rotate", false, "make a new secret")
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the ones before still sign, with --rotate")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !rotate && cmd.Flags().Changed("overlap") {
			return &usageError{fmt.Errorf("--overlap goes with --rotate")}
		}
		return withCredentials(cmd, func(s *settings, db store.Store, k *credentials.Keeper) error {
			org, err := configuredOrganization(cmd, s, db)
			if err != nil {
				return err
			}
			endpoint, err := endpointOf(org, args[0])
			if err != nil {
				return err
			}
			var list []credentials.Signing
			if rotate {
				list, err = k.Rotate(cmd.Context(), org.Name, endpoint.Name, overlap)
			} else {
				list, err = k.Signing(cmd.Context(), org.Name, endpoint.Name)
			}
			if err != nil {
				return err
			}
			return writeSigning(cmd.OutOrStdout(), *format, list)
		})
	}
	return cmd
}

// shownSecret is a signing secret as it is printed: there is no other way to it.
type shownSecret struct {
	Secret  string     `json:"secret"`
	Created time.Time  `json:"created"`
	Ends    *time.Time `json:"ends,omitempty"`
}

func writeSigning(out io.Writer, format output, list []credentials.Signing) error {
	shown := make([]shownSecret, len(list))
	for i, s := range list {
		shown[i] = shownSecret{s.Secret.Reveal(), s.Created, s.Ends}
	}
	if format == outputJSON {
		return writeLines(out, shown)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SECRET\tCREATED\tENDS")
	for _, s := range shown {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Secret, moment(&s.Created, ""), moment(s.Ends, "never"))
	}
	return w.Flush()
}
