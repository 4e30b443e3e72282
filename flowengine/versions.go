package flowengine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Versions is a folder that keeps every version of every flow that was ever
// current, as NAME@VERSION.yaml with the flows that it runs, so that a call can go on after a restart in
// the version it began with. Files are added, never changed.
type Versions struct {
	Dir   string
	Kinds Kinds

	mu   sync.Mutex
	read map[versionKey]*Flow
}

var versionSyntax = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Keep writes the flows of the snapshot that the folder does not have yet.
// Files are complete or not there: they are written aside, synced and renamed.
func (v *Versions) Keep(s *Snapshot) error {
	if err := os.MkdirAll(v.Dir, 0o750); err != nil {
		return fmt.Errorf("keep flow versions: %w", err)
	}
	var errs []error
	for _, f := range s.Flows() {
		if err := v.keep(f); err != nil {
			errs = append(errs, fmt.Errorf("keep flow %s in version %s: %w", f.Name, f.Version, err))
		}
	}
	return errors.Join(errs...)
}

func (v *Versions) keep(f *Flow) (err error) {
	name := v.file(f.Name, f.Version)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	tmp, err := os.CreateTemp(v.Dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.WriteString(f.Bundle())
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

func (v *Versions) file(name, version string) string {
	return filepath.Join(v.Dir, name+"@"+version+".yaml")
}

// Flow reads one version. It fails when there is no such file, when it does
// not hold a valid flow or when that is not the version its name says.
func (v *Versions) Flow(name, version string) (*Flow, error) {
	if !nameSyntax.MatchString(strings.TrimPrefix(name, planPrefix)) || !versionSyntax.MatchString(version) {
		return nil, fmt.Errorf("%q in version %q cannot be a flow", name, version)
	}
	key := versionKey{name, version}
	v.mu.Lock()
	defer v.mu.Unlock()
	if f := v.read[key]; f != nil {
		return f, nil
	}
	file := v.file(name, version)
	data, err := readBounded(os.DirFS(v.Dir), filepath.Base(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this version is not kept here")
	} else if err != nil {
		return nil, err
	}
	f, problems := LoadFlow(file, data, v.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	if f.Name != name || f.Version != version {
		return nil, fmt.Errorf("%s holds flow %s in version %s", file, f.Name, f.Version)
	}
	if v.read == nil || len(v.read) > 1000 {
		v.read = map[versionKey]*Flow{}
	}
	v.read[key] = f
	return f, nil
}

// Names returns the kept versions as NAME@VERSION, sorted.
func (v *Versions) Names() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(v.Dir, "*@*.yaml"))
	for i, f := range files {
		base := filepath.Base(f)
		files[i] = base[:len(base)-len(".yaml")]
	}
	slices.Sort(files)
	return files, err
}
