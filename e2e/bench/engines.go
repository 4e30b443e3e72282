package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// engine is a store to measure, on a disk.
type engine struct {
	name  string
	store store.Store
	cpu   func() time.Duration  // of the database's own processes
	size  func() (int64, error) // of what it keeps, in bytes
	close func() error
}

// engines are those that can be had here, made one after the other.
var engines = []func() (*engine, error){openSQLite, openPostgres}

func openSQLite() (*engine, error) {
	dir, err := diskDir()
	if err != nil {
		return nil, err
	}
	s, err := sqlite.Open(context.Background(), filepath.Join(dir, "hookswitch.db"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &engine{
		name: "SQLite", store: s,
		cpu:   func() time.Duration { return 0 },
		size:  func() (int64, error) { return sizeOf(dir) },
		close: func() error { return errors.Join(s.Close(), os.RemoveAll(dir)) },
	}, nil
}

func openPostgres() (*engine, error) {
	p, err := storetest.StartPostgres()
	if err != nil {
		return nil, err
	}
	s, err := postgres.Open(context.Background(), p.URL("hookswitch"))
	if err != nil {
		return nil, errors.Join(err, p.Remove())
	}
	return &engine{
		name: "PostgreSQL", store: s,
		cpu:   func() time.Duration { return familyCPU(p.PID()) },
		size:  p.Size,
		close: func() error { return errors.Join(s.Close(), p.Remove()) },
	}, nil
}

// openHere opens an engine; none, said aloud, where it is not installed.
func openHere(open func() (*engine, error)) (*engine, error) {
	e, err := open()
	if errors.Is(err, storetest.ErrNoPostgres) {
		fmt.Fprintf(os.Stderr, "%v: not measured on PostgreSQL\n", err)
		return nil, nil
	}
	return e, err
}

// familyCPU returns the CPU time of a process and its children, those that have ended
// included, in the kernel's ticks of 10 ms (proc(5)).
func familyCPU(pid int) (used time.Duration) {
	used = ticks(pid)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return used
	}
	for _, child := range bytes.Fields(children) {
		if n, err := strconv.Atoi(string(child)); err == nil {
			used += ticks(n)
		}
	}
	return used
}

// ticks reads utime, stime, cutime and cstime, the 14th field to the 17th.
func ticks(pid int) (used time.Duration) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	for _, f := range fields[11:15] {
		n, _ := strconv.Atoi(string(f))
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
}

// sizeOf returns the bytes of all files of a folder.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
