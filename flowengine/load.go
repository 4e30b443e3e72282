package flowengine

import "io/fs"

// Load reads every *.yaml and *.yml of a folder and the folders in it into a
// Snapshot. Hidden files and *.test.yaml are left out. With problems there is
// no snapshot.
func Load(fsys fs.FS, kinds Kinds) (*Snapshot, []Problem) { panic("not yet") }

// LoadDir is Load on a directory; the problems name files as dir/file.
func LoadDir(dir string, kinds Kinds) (*Snapshot, []Problem) { panic("not yet") }

// LoadFlow reads one document with one flow. Whether its targets exist is not
// checked.
func LoadFlow(file string, data []byte, kinds Kinds) (*Flow, []Problem) { panic("not yet") }
