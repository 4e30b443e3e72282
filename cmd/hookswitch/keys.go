package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Makes, lists and revokes keys of the API and of incoming webhooks",
		Args:  subcommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	organizationFlags(cmd)
	cmd.AddCommand(newKeysCreate(), newKeysList(), newKeysRevoke())
	return cmd
}

// organizationFlags gives a command whose subcommands are about what an organization has
// beside its configuration the flags that say which one, and where.
func organizationFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().String("org", "", "organization (default: the only one)")
	databaseFlags(cmd.PersistentFlags())
	addSettingFlags(cmd.PersistentFlags(), "config_dir")
}

// organizations returns those that the server of some settings has.
func organizations(ctx context.Context, s *settings, db store.Configurations) (map[string]bool, error) {
	out := map[string]bool{}
	if s.ConfigDir == "" {
		current, err := db.Current(ctx)
		for org := range current {
			out[org] = true
		}
		return out, err
	}
	snapshot, err := loadServers(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, o := range snapshot.Organizations() {
		out[o.Name] = true
	}
	return out, nil
}

// organizationOf returns the organization that a command means. One that is named is not
// looked for: it may be gone, and its keys still there.
func organizationOf(cmd *cobra.Command, s *settings, db store.Configurations) (string, error) {
	named, err := cmd.Flags().GetString("org")
	if err != nil || named != "" {
		return named, err
	}
	orgs, err := organizations(cmd.Context(), s, db)
	if err != nil {
		return "", err
	}
	return oneOrganization("", orgs)
}

// configuredOrganization returns the organization that a command means, as the server has it.
func configuredOrganization(cmd *cobra.Command, s *settings, db store.Configurations) (*flowengine.Organization, error) {
	org, err := organizationOf(cmd, s, db)
	if err != nil {
		return nil, err
	}
	snapshot, err := loadServers(cmd.Context(), s)
	if err != nil {
		return nil, err
	}
	if o, there := snapshot.Organization(org); there {
		return o, nil
	}
	names := map[string]bool{}
	for _, o := range snapshot.Organizations() {
		names[o.Name] = true
	}
	return nil, fmt.Errorf("there is no organization %s; %s", org, confdir.Known(names))
}

func newKeysCreate() *cobra.Command {
	var name string
	var scopes []string
	var life time.Duration
	about := make([]string, len(keys.Scopes))
	for i, s := range keys.Scopes {
		about[i] = "  " + pad(s.Name, 16) + s.About
	}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Makes a key, and prints it this once",
		Long: "Makes a key and prints it, alone on standard output. It is shown only now: what is kept is its hash. A key\n" +
			"can do what its scopes say:\n\n" + strings.Join(about, "\n"),
		Args: takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	cmd.Flags().StringVar(&name, "name", "", "what it is for, in a few words")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do; repeatable")
	cmd.Flags().DurationVar(&life, "life", 0, "how long it holds; 0s: until it is revoked")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if name == "" || len(name) > keys.MaxName || strings.ContainsFunc(name, unicode.IsControl) {
			return &usageError{fmt.Errorf("--name: %.100q: one line of 1 to %d bytes", name, keys.MaxName)}
		}
		if life < 0 {
			return &usageError{fmt.Errorf("--life: %v is negative", life)}
		}
		if err := keys.Check(scopes); err != nil {
			return &usageError{fmt.Errorf("--scope: %w", err)}
		}
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := configuredOrganization(cmd, s, db)
			if err != nil {
				return err
			}
			if err := incomingThere(org, scopes); err != nil {
				return err
			}
			key := keys.New()
			now := time.Now().UTC()
			kept := store.Key{ID: key.ID(), Name: name, Hash: key.Hash(), Scopes: scopes, Created: now, By: new(signature).by()}
			if life > 0 {
				ends := now.Add(life)
				kept.Ends = &ends
			}
			if err := db.AddKey(cmd.Context(), org.Name, kept); err != nil {
				return err
			}
			if *format == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
					store.Key
					Text string `json:"key"`
				}{kept, key.Reveal()})
			}
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "key %s for %s, made now and not shown again:\n", key.ID(), strings.Join(scopes, ", ")); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), key.Reveal())
			return err
		})
	}
	return cmd
}

// incomingThere wants the incoming webhooks of scopes to be there.
func incomingThere(org *flowengine.Organization, scopes []string) error {
	for _, scope := range scopes {
		name, ok := strings.CutPrefix(scope, keys.Incoming)
		if !ok {
			continue
		}
		if _, there := org.Incoming(name); there {
			continue
		}
		var names []string
		for _, in := range org.Incomings() {
			names = append(names, in.Name)
		}
		return fmt.Errorf("scope %s: there is no incoming webhook %s; %s", scope, name, nearestOf(name, names))
	}
	return nil
}

// nearestOf says what a name may be meant to be.
func nearestOf(name string, names []string) string {
	if len(names) == 0 {
		return "the organization has none"
	}
	return flowengine.Nearest(name, names)
}

func newKeysList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists keys, the newest first: what they may do, and when they were used last",
		Args:  takes(0, 0, "no arguments"),
	}
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := organizationOf(cmd, s, db)
			if err != nil {
				return err
			}
			list, err := db.Keys(cmd.Context(), org)
			if err != nil {
				return err
			}
			if *format == outputJSON {
				return writeLines(cmd.OutOrStdout(), list)
			}
			return writeKeys(cmd.OutOrStdout(), list, time.Now())
		})
	}
	return cmd
}

func writeKeys(out io.Writer, list []store.Key, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSCOPES\tCREATED\tBY\tENDS\tUSED\tFROM")
	for _, k := range list {
		ends := moment(k.Ends, "never")
		if k.Ends != nil && !now.Before(*k.Ends) {
			ends = "ended"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, plain(k.Name), strings.Join(k.Scopes, ","), moment(&k.Created, ""), plain(k.By),
			ends, moment(k.Used, "never"), cmp.Or(plain(k.From), "-"))
	}
	return w.Flush()
}

// moment is a time for people, where there is one.
func moment(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.Local().Format(time.DateTime)
}

func newKeysRevoke() *cobra.Command {
	var in time.Duration
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Ends a key, at once or after a while",
		Long:  "Ends a key: servers refuse it from then on. ID is what keys list shows, the 8 characters behind hsk_.",
		Args:  takes(1, 1, "the id of a key"),
	}
	cmd.Flags().DurationVar(&in, "in", 0, "how long it still holds, such as 24h while another takes its place")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if in < 0 {
			return &usageError{fmt.Errorf("--in: %v is negative", in)}
		}
		if key, err := keys.Parse(args[0]); err == nil {
			args[0] = key.ID()
		}
		return withDatabase(cmd, false, func(s *settings, db store.Store) error {
			org, err := organizationOf(cmd, s, db)
			if err != nil {
				return err
			}
			ends := time.Now().Add(in)
			if err := db.RevokeKey(cmd.Context(), org, args[0], ends); errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no key %.20q; hookswitch keys list shows the ids", args[0])
			} else if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s holds until %s at the latest\n", args[0], moment(&ends, ""))
			return err
		})
	}
	return cmd
}
