package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// lastGood is a copy of the folder of numbers, targets and flows as it was last
// valid. A server that is started while somebody edits that folder must still
// take its calls over.
type lastGood string

// keep makes the copy that of dir.
func (l lastGood) keep(dir string) error {
	dir, err := filepath.EvalSymlinks(dir) // a walk does not follow the link it begins at
	if err != nil {
		return err
	}
	fresh := string(l) + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && path != dir; d.IsDir() && hidden {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(fresh, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o640)
	})
	if err != nil {
		return fmt.Errorf("keeping a copy of %s: %w", dir, err)
	}
	if _, problems := flowengine.LoadDir(fresh, nodes.Kinds); len(problems) > 0 {
		return fmt.Errorf("%s was changed while it was copied", dir)
	}
	// Should we die between the two, find takes the fresh one.
	if err := os.RemoveAll(string(l)); err != nil {
		return err
	}
	return os.Rename(fresh, string(l))
}

// find returns the folder of the copy, or fs.ErrNotExist.
func (l lastGood) find() (string, error) {
	for _, dir := range []string{string(l), string(l) + ".new"} {
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fs.ErrNotExist
}
