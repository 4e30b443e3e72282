package journal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Stat tells of the journal in a folder without opening it, which may be another
// process's: its ID, the position behind all that is in it, and when it was last
// written. A folder without a journal has no ID.
func Stat(dir string) (id string, end store.Position, changed time.Time, err error) {
	id, err = readSmall(filepath.Join(dir, idFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", store.Position{}, time.Time{}, nil
	}
	if err != nil {
		return "", store.Position{}, time.Time{}, err
	}
	files, err := segments(dir)
	if err != nil || len(files) == 0 {
		return id, store.Position{}, time.Time{}, err
	}
	last := files[len(files)-1]
	return id, store.Position{Segment: last.n, Offset: last.size}, last.changed, nil
}
