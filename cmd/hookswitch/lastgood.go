package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

// lastGood is a copy of the numbers, targets and flows as they were last valid. A server
// that is started while somebody edits their folder, or while the database is away, must
// still take its calls over.
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
	return l.replace(fresh)
}

// origin says what a copy of what the store had was made of.
type origin struct {
	Time      time.Time      `json:"time"` // when it was put in force
	Revisions map[string]int `json:"revisions"`
}

// originFile is hidden, so that it is not read as a part of the configuration.
const originFile = ".origin.json"

// keepFiles makes the copy of files, which are valid.
func (l lastGood) keepFiles(files store.Files, from origin) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	fresh := string(l) + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := confdir.Write(fresh, files, false); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, originFile), text, 0o640); err != nil {
		return err
	}
	return l.replace(fresh)
}

// replace lets a fresh copy take the place of the one before. Whenever we die meanwhile, find
// has a whole one: the one before is removed only once the fresh one is in its place.
func (l lastGood) replace(fresh string) error {
	switch _, err := os.Stat(string(l)); {
	case err == nil:
		if err := os.RemoveAll(l.before()); err != nil {
			return err
		}
		if err := os.Rename(string(l), l.before()); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist): // where it is not there, the one before may be all there is
		return err
	}
	if err := os.Rename(fresh, string(l)); err != nil {
		return err
	}
	return os.RemoveAll(l.before())
}

// before is where the copy waits while a fresh one takes its place.
func (l lastGood) before() string { return string(l) + ".old" }

// origin tells what the copy in a folder was made of; of one that does not say it, when it
// was made.
func (l lastGood) origin(dir string) (from origin) {
	text, err := os.ReadFile(filepath.Join(dir, originFile))
	if err == nil && json.Unmarshal(text, &from) == nil {
		return from
	}
	if info, err := os.Stat(dir); err == nil {
		from.Time = info.ModTime()
	}
	return from
}

// find returns the folder of the copy, or fs.ErrNotExist.
func (l lastGood) find() (string, error) {
	for _, dir := range []string{string(l), l.before()} {
		if _, err := os.Stat(dir); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fs.ErrNotExist
}
