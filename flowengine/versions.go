package flowengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Versions is a folder that keeps every version of every flow that was ever
// current, as NAME@VERSION.yaml with the flows that it runs, so that a call can go on after a restart in
// the version it began with. Files are added, never changed.
type Versions struct {
	Dir   string
	Kinds Kinds

	// Fetch asks another node's, or a common, store for a version that the folder does not
	// have: its Bundle. It may be nil.
	Fetch func(ctx context.Context, name, version string) (bundle string, err error)

	mu      sync.Mutex
	read    map[versionKey]*Flow
	fetches singleflight.Group // a hundred calls that come at once wait for one answer
}

// fetchLimit bounds how long a call waits for a version that is fetched.
const fetchLimit = time.Second

var versionSyntax = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Keep writes the flows of the snapshot that the folder does not have yet.
// Files are complete or not there: they are written aside, synced and renamed.
func (v *Versions) Keep(s *Snapshot) error {
	if err := os.MkdirAll(v.Dir, 0o750); err != nil {
		return fmt.Errorf("keep flow versions: %w", err)
	}
	var errs []error
	for _, f := range s.Flows() {
		if err := v.keep(f.Name, f.Version, f.Bundle()); err != nil {
			errs = append(errs, fmt.Errorf("keep flow %s in version %s: %w", f.Name, f.Version, err))
		}
	}
	return errors.Join(errs...)
}

func (v *Versions) keep(name, version, bundle string) (err error) {
	file := v.file(name, version)
	if _, err := os.Stat(file); err == nil {
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
	_, err = tmp.WriteString(bundle)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func (v *Versions) file(name, version string) string {
	return filepath.Join(v.Dir, name+"@"+version+".yaml")
}

// Flow reads one version, from the folder or from where Fetch has it; what was fetched
// stays in the folder. It fails when there is no such version, when it is not a valid flow
// or not the version that its name says.
func (v *Versions) Flow(name, version string) (*Flow, error) {
	if !nameSyntax.MatchString(strings.TrimPrefix(name, planPrefix)) || !versionSyntax.MatchString(version) {
		return nil, fmt.Errorf("%q in version %q cannot be a flow", name, version)
	}
	f, err := v.kept(name, version)
	if !errors.Is(err, errNotKept) || v.Fetch == nil {
		return f, err
	}
	fetched, err, _ := v.fetches.Do(name+"@"+version, func() (any, error) { return v.fetch(name, version) })
	if err != nil {
		return nil, err
	}
	return fetched.(*Flow), nil
}

var errNotKept = errors.New("this version is not kept here")

// kept reads a version from the folder.
func (v *Versions) kept(name, version string) (*Flow, error) {
	key := versionKey{name, version}
	v.mu.Lock()
	defer v.mu.Unlock()
	if f := v.read[key]; f != nil {
		return f, nil
	}
	file := v.file(name, version)
	data, err := readBounded(os.DirFS(v.Dir), filepath.Base(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotKept
	} else if err != nil {
		return nil, err
	}
	f, err := v.parse(file, data, key)
	if err != nil {
		return nil, err
	}
	v.remember(key, f)
	return f, nil
}

// fetch gets a version from elsewhere. That it cannot be kept does not hinder the call.
func (v *Versions) fetch(name, version string) (*Flow, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	bundle, err := v.Fetch(ctx, name, version)
	if err != nil {
		return nil, fmt.Errorf("%w, and cannot be fetched: %w", errNotKept, err)
	}
	key := versionKey{name, version}
	f, err := v.parse("what was fetched", []byte(bundle), key)
	if err != nil {
		return nil, err
	}
	if os.MkdirAll(v.Dir, 0o750) == nil {
		_ = v.keep(name, version, bundle)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.remember(key, f)
	return f, nil
}

func (v *Versions) parse(file string, data []byte, key versionKey) (*Flow, error) {
	f, problems := LoadFlow(file, data, v.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	if f.Name != key.name || f.Version != key.version {
		return nil, fmt.Errorf("%s holds flow %s in version %s", file, f.Name, f.Version)
	}
	return f, nil
}

// remember needs the lock.
func (v *Versions) remember(key versionKey, f *Flow) {
	if v.read == nil || len(v.read) > 1000 {
		v.read = map[versionKey]*Flow{}
	}
	v.read[key] = f
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
