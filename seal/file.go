package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds a file of keys, in bytes.
const maxFile = 64 << 10

// OpenFile is ReadFile, but where there is no file it makes one with one key, that its owner
// alone may read.
func OpenFile(file string) (*Ring, error) {
	r, err := ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeFile(file); err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
		return ReadFile(file)
	}
	return r, err
}

// ReadFile returns the keys of a file. One that others than its owner and group may read is
// refused.
func ReadFile(file string) (*Ring, error) {
	r, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return r, nil
}

// makeFile makes a file with a new key: a whole one, or none, and never in the place of
// another.
func makeFile(file string) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(file)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	raw := make([]byte, keySize)
	rand.Read(raw) // never fails
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir lets the name of a file outlive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readFile(file string) (*Ring, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", file)
	}
	if mode := info.Mode().Perm(); mode&^0o640 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: only its owner may write it, and nobody but its owner and group read it; chmod 600 %[1]s", file, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is longer than %d bytes: it holds one key a line", file, maxFile)
	}
	return read(file, string(text))
}

// read reads keys. No error repeats a line.
func read(file, text string) (*Ring, error) {
	r := &Ring{file: file}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("%s:%d: not a key: %d bytes as base64, 44 characters", file, n, keySize)
		}
		k, err := newKey(raw)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		r.keys = append(r.keys, k)
	}
	if len(r.keys) == 0 {
		return nil, fmt.Errorf("%s holds no key; put back what it held, or remove it where no secret was ever kept: then a new one is made", file)
	}
	return r, nil
}
