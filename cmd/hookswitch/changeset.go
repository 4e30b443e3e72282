package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

// folder is one to apply.
type folder struct {
	orgs    []confdir.Organization
	leftOut []string             // files that are no part of a configuration
	loaded  *flowengine.Snapshot // of the folder alone
}

// readFolder reads a folder to apply. It fails when anything in it is wrong.
func readFolder(dir string) (*folder, error) {
	files, leftOut, err := confdir.Read(dir)
	if err != nil {
		if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Path == "." {
			err = fmt.Errorf("%s: the folder cannot be read: %w", dir, path.Err)
		}
		return nil, err
	}
	named := store.Files{}
	for name, text := range files {
		named[filepath.Join(dir, name)] = text
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no YAML; name the folder of a configuration", dir)
	}
	loaded, problems := flowengine.LoadFiles(named, nodes.Kinds)
	if len(problems) > 0 {
		return nil, &invalidConfig{dir: dir, problems: problems}
	}
	orgs, outside, err := confdir.Split(files)
	return &folder{orgs, append(leftOut, outside...), loaded}, err
}

// newChangeset is confdir.NewChangeset for a folder.
func newChangeset(ctx context.Context, db store.Configurations, f *folder, remove []string) (*confdir.Changeset, error) {
	c, err := confdir.NewChangeset(ctx, db, nodes.Kinds, f.orgs, f.loaded, remove)
	if invalid := (*confdir.InvalidError)(nil); errors.As(err, &invalid) {
		return nil, &invalidConfig{dir: "the configuration of all organizations", problems: invalid.Problems}
	}
	return c, err
}

// oneOrganization returns the organization that a command is about: the one it names, or
// the only one there is.
func oneOrganization[V any](named string, orgs map[string]V) (string, error) {
	switch {
	case named != "":
		return named, nil
	case len(orgs) == 1:
		for org := range orgs {
			return org, nil
		}
	}
	return "", &usageError{fmt.Errorf("--org names the organization; %s", confdir.Known(orgs))}
}

// signature are the flags that say who changes something, and why.
type signature struct{ author, note string }

func signatureFlags(cmd *cobra.Command, note string) *signature {
	s := &signature{}
	cmd.Flags().StringVar(&s.author, "author", "", "who changes it (default: the user of this computer)")
	cmd.Flags().StringVar(&s.note, "note", note, "why it is changed")
	return s
}

// by returns the author: the one who is named, or who runs the program.
func (s *signature) by() string {
	if s.author != "" {
		return s.author
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
