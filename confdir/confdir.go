// Package confdir is a configuration as people keep it: a folder of files, which belong to
// one organization or to several. It cuts the folder into organizations and puts it together
// again, says what differs, and changes one flow without touching what stands around it.
//
// What the documents mean is not its subject: flowengine.LoadFiles says what is wrong in
// them. What is here relies on files that were loaded without a problem.
package confdir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// Read reads the files of a folder, and of the folders in it, that belong to a
// configuration: the documents, their tests (*.test.yaml) and schemas (*.schema.json). The
// paths of others are returned as left out; of a hidden folder only its own.
func Read(dir string) (files store.Files, leftOut []string, err error) {
	files = store.Files{}
	fsys := os.DirFS(dir)
	err = fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch hidden := strings.HasPrefix(entry.Name(), ".") && name != "."; {
		case hidden && entry.IsDir():
			leftOut = append(leftOut, name+"/")
			return fs.SkipDir
		case entry.IsDir():
			return nil
		case hidden || !Belongs(name) || entry.Type()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0:
			leftOut = append(leftOut, name)
			return nil
		}
		if len(files) >= store.MaxFiles {
			return fmt.Errorf("more than %d files", store.MaxFiles)
		}
		files[name], err = readBounded(fsys, name)
		return err
	})
	if err == nil {
		err = files.Check()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, leftOut, nil
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, store.MaxFile+1))
}

// Belongs says whether a file is one of a configuration, by its name.
func Belongs(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml" || strings.HasSuffix(name, ".schema.json")
}

// isDocument says whether a file holds documents that are in force, and not tests of them.
func isDocument(name string) bool {
	ext := path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && path.Ext(strings.TrimSuffix(name, ext)) != ".test"
}

// Write writes files into a folder, which must be empty or not there, unless it may be
// written over: then files of other names stay.
func Write(dir string, files store.Files, over bool) error {
	if err := files.Check(); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(there) > 0 && !over {
		return fmt.Errorf("%s is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no link in it leads elsewhere
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := root.MkdirAll(path.Dir(name), 0o750); err != nil {
			return err
		}
		if err := root.WriteFile(filepath.FromSlash(name), files[name], 0o640); err != nil {
			return err
		}
	}
	return nil
}

// Organization is what a folder holds of one.
type Organization struct {
	Name   string
	Folder string      // in which its files stand; empty: at the top
	Files  store.Files // by their path in Folder
}

// Split cuts a folder into the organizations that it holds, by name, each with the folder in
// which its document "organization:" stands. Files outside of all of them are returned as
// left out. Where no document names an organization, all is the default one's.
func Split(files store.Files) (orgs []Organization, leftOut []string, err error) {
	for name := range files {
		named, err := namesIn(files, name)
		if err != nil {
			return nil, nil, err
		}
		folder := path.Dir(name)
		if folder == "." {
			folder = ""
		}
		for _, org := range named {
			orgs = append(orgs, Organization{org, folder, store.Files{}})
		}
	}
	if len(orgs) == 0 {
		return []Organization{{flowengine.DefaultOrganization, "", files}}, nil, nil
	}
	slices.SortFunc(orgs, func(a, b Organization) int { return strings.Compare(a.Name, b.Name) })
	for name, text := range files {
		i := slices.IndexFunc(orgs, func(o Organization) bool { return o.Folder == "" || strings.HasPrefix(name, o.Folder+"/") })
		if i < 0 {
			leftOut = append(leftOut, name)
			continue
		}
		orgs[i].Files[strings.TrimPrefix(strings.TrimPrefix(name, orgs[i].Folder), "/")] = text
	}
	slices.Sort(leftOut)
	return orgs, leftOut, nil
}

// Join puts organizations into one folder. Each has the folder it came from, or one of its
// name where that would be in another's way. Of several, one whose files do not say which
// organization they are gets a document that does.
func Join(orgs []Organization) store.Files {
	out := store.Files{}
	var taken []string
	for _, o := range orgs {
		folder := o.Folder
		if len(orgs) > 1 {
			folder = free(o, taken)
		}
		taken = append(taken, folder)
		for name, text := range o.Files {
			out[path.Join(folder, name)] = text
		}
		if len(orgs) > 1 && !o.named() {
			name := "organization.yaml"
			for i := 2; o.Files[name] != nil; i++ {
				name = fmt.Sprintf("organization-%d.yaml", i)
			}
			out[path.Join(folder, name)] = []byte("organization: " + o.Name + "\n")
		}
	}
	return out
}

// free returns a folder for an organization that is not within one that is taken, nor around
// one.
func free(o Organization, taken []string) string {
	folder := o.Folder
	for i := 1; ; i++ {
		if folder != "" && !slices.ContainsFunc(taken, func(t string) bool {
			return t == folder || strings.HasPrefix(t, folder+"/") || strings.HasPrefix(folder, t+"/")
		}) {
			return folder
		}
		if folder = o.Name; i > 1 {
			folder = fmt.Sprintf("%s-%d", o.Name, i)
		}
	}
}

// named says whether a document names the organization.
func (o Organization) named() bool {
	for name := range o.Files {
		if path.Dir(name) != "." {
			continue
		}
		if names, err := namesIn(o.Files, name); err == nil && len(names) > 0 {
			return true
		}
	}
	return false
}

// namesIn returns the organizations that the documents of a file name.
func namesIn(files store.Files, name string) (orgs []string, err error) {
	if !bytes.Contains(files[name], []byte("organization")) { // which is most of them
		return nil, nil
	}
	docs, err := documents(files, name)
	for _, d := range docs {
		if v := field(d.root, "organization"); v != nil {
			orgs = append(orgs, v.Value)
		}
	}
	return orgs, err
}
