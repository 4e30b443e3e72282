package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Whenever the server dies while it replaces the copy, a whole one is found, and the next
// takes its place.
func TestLastGoodOutlivesADeath(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, smallFlow)
	for name, die := range map[string]func(t *testing.T, l lastGood){
		"while the fresh one is written": func(t *testing.T, l lastGood) { half(t, string(l)+".new") },
		"before the fresh one is in its place": func(t *testing.T, l lastGood) {
			if err := l.replace(string(l) + ".none"); err == nil {
				t.Fatal("replaced by nothing")
			}
		},
		"then, and again while the next is written": func(t *testing.T, l lastGood) {
			if err := l.replace(string(l) + ".none"); err == nil {
				t.Fatal("replaced by nothing")
			}
			half(t, string(l)+".new")
		},
		"while the one before is removed": func(t *testing.T, l lastGood) { half(t, string(l)+".old") },
	} {
		t.Run(name, func(t *testing.T) {
			l := lastGood(filepath.Join(t.TempDir(), "conf"))
			if err := l.keep(dir); err != nil {
				t.Fatal(err)
			}
			die(t, l)
			whole := func() {
				t.Helper()
				kept, err := l.find()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := os.Stat(filepath.Join(kept, "a.yaml")); err != nil {
					t.Error(err)
				}
			}
			whole()
			if err := l.keep(dir); err != nil {
				t.Fatal(err)
			}
			whole()
			if left, err := filepath.Glob(string(l) + ".*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// half makes a copy that lacks everything.
func half(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
}
