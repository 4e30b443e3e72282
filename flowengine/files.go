package flowengine

import (
	"maps"
	"path"
	"slices"
)

// LoadFiles is Load on files in memory, by their path.
func LoadFiles(files map[string][]byte, kinds Kinds) (*Snapshot, []Problem) {
	l := newLoader(kinds)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if isDocument(path.Base(name)) {
			l.file(name, files[name])
		}
	}
	return l.finish()
}
