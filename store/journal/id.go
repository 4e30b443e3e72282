package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Files of a journal beside its segments and the lock.
const (
	idFile      = "id"      // who the journal is
	drainedFile = "drained" // up to where it was drained, about
)

// ID returns the name of this journal, which no other has: 32 hexadecimal digits.
// A folder that was emptied is another journal.
func (j *Journal) ID() string { return j.id }

// loadID reads the journal's id, and makes one for a journal that has none.
func (j *Journal) loadID() error {
	path := filepath.Join(j.dir, idFile)
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		var id [16]byte
		rand.Read(id[:])
		j.id = hex.EncodeToString(id[:])
		return replaceFile(path, j.id+"\n", true)
	}
	if err != nil {
		return err
	}
	if id, err := hex.DecodeString(text); err != nil || len(id) != 16 {
		return fmt.Errorf("%s is not the id of a journal, 32 hexadecimal digits; if it is lost, remove the file: then the store takes this journal for another one", path)
	}
	j.id = text
	return nil
}

// loadDrained returns up to where the journal was drained, as far as is known: the
// zero Position when it is not.
func (j *Journal) loadDrained() store.Position {
	text, err := readSmall(filepath.Join(j.dir, drainedFile))
	if err != nil {
		return store.Position{} // it only seems that more is waiting
	}
	p, err := store.ParsePosition(text)
	if err != nil || p.Compare(j.end()) > 0 {
		return store.Position{}
	}
	return p
}

// drainedEvery is how often the place is noted at most.
const drainedEvery = time.Second

// saveDrained notes up to where the journal was drained. A note that is lost, or
// old, lets more seem to wait than does, until the store says where it is.
func (j *Journal) saveDrained(p store.Position) {
	_ = replaceFile(filepath.Join(j.dir, drainedFile), p.String()+"\n", false)
}

// readSmall reads a file of one line.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 256))
	return strings.TrimSpace(string(text)), err
}

// replaceFile writes a file as a whole: a crash leaves the old one or the new.
func replaceFile(path, text string, durable bool) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil && durable {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || !durable {
		return err
	}
	return osFS{}.SyncDir(filepath.Dir(path))
}
