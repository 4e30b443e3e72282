package journal

import (
	"io"
	"os"
)

// FS is where a journal writes its segments. Tests replace it to let a disk
// fail; reading and locking always use the real file system.
type FS interface {
	// OpenFile opens a segment for appending, as os.OpenFile.
	OpenFile(path string, flag int, perm os.FileMode) (File, error)
	// SyncDir makes the names of dir durable.
	SyncDir(dir string) error
}

// File is a segment open for appending.
type File interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// NoDisk is an FS that forgets what is written: a journal without a disk, to
// measure what the disk costs.
var NoDisk FS = noDisk{}

type osFS struct{}

func (osFS) OpenFile(path string, flag int, perm os.FileMode) (File, error) {
	return os.OpenFile(path, flag, perm)
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

type noDisk struct{}

func (noDisk) OpenFile(string, int, os.FileMode) (File, error) { return noDisk{}, nil }
func (noDisk) SyncDir(string) error                            { return nil }
func (noDisk) Write(b []byte) (int, error)                     { return len(b), nil }
func (noDisk) Sync() error                                     { return nil }
func (noDisk) Truncate(int64) error                            { return nil }
func (noDisk) Close() error                                    { return nil }
