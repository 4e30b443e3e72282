package flowengine

import (
	"maps"
	"path"
	"slices"
)

// LoadFiles is Load on files in memory, by their path.
func LoadFiles(files map[string][]byte, kinds Kinds) (*Snapshot, []Problem) {
	c := &collection{kinds: kinds}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if isDocument(path.Base(name)) {
			c.file(name, files[name])
		}
	}
	return c.finish()
}
