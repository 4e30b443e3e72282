package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra/doc"
)

const cliPages = "../../docs/cli"

// docs/cli has a page of every command, as the program describes it.
func TestCommandsAreDocumented(t *testing.T) {
	fresh := t.TempDir()
	root := newRoot()
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	if err := doc.GenMarkdownTree(root, fresh); err != nil {
		t.Fatal(err)
	}
	if *updateDocs {
		if err := os.RemoveAll(cliPages); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(cliPages, os.DirFS(fresh)); err != nil {
			t.Fatal(err)
		}
	}
	have, want := pagesOf(t, cliPages), pagesOf(t, fresh)
	if !slices.Equal(have, want) {
		t.Fatalf("pages %q, commands %q; go test ./cmd/hookswitch -run TestCommandsAreDocumented -update-docs writes them", have, want)
	}
	for _, name := range want {
		a, errA := os.ReadFile(filepath.Join(cliPages, name))
		b, errB := os.ReadFile(filepath.Join(fresh, name))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("docs/cli/%s is not what the program says; -update-docs writes it", name)
		}
	}
}

func pagesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// The manual pages have one for each command, and name it.
func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, _, err := command(t, "man", dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "hookswitch-validate.1"))
	if err != nil || len(pagesOf(t, dir)) != len(pagesOf(t, cliPages)) {
		t.Fatalf("%d pages for %d commands: %v", len(pagesOf(t, dir)), len(pagesOf(t, cliPages)), err)
	}
	if want := ".TH \"HOOKSWITCH-VALIDATE\" \"1\""; string(page[:len(want)+4]) != ".nh\n"+want {
		t.Errorf("the page begins %.60q", page)
	}
}
