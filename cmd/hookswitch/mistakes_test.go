package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each folder of testdata/mistakes has one mistake, in its flow or in its test. What
// hookswitch test says of it is in expected.txt; -update-docs writes it.
func TestMistakes(t *testing.T) {
	folders, err := filepath.Glob("testdata/mistakes/*")
	if err != nil || len(folders) < 10 {
		t.Fatalf("%d folders: %v", len(folders), err)
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			out, _, err := command(t, "test", dir)
			if err == nil {
				t.Fatalf("the mistake is not found:\n%s", out)
			}
			got := strings.ReplaceAll(out+err.Error()+"\n", dir+string(filepath.Separator), "")
			file := filepath.Join(dir, "expected.txt")
			want, err := os.ReadFile(file)
			if *updateDocs {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if err != nil || got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// The tests of every example pass, and no example has anything to warn of.
func TestExamples(t *testing.T) {
	numbers, err := filepath.Glob("../../examples/*/numbers.yaml")
	if err != nil || len(numbers) < 6 {
		t.Fatalf("%d folders: %v", len(numbers), err)
	}
	for _, file := range numbers {
		dir := filepath.Dir(file)
		if out, _, err := command(t, "test", dir); err != nil {
			t.Errorf("%s: %v\n%s", dir, err, out)
		}
		if out, _, err := command(t, "validate", dir); err != nil || strings.Contains(out, "warning") {
			t.Errorf("%s: %v\n%s", dir, err, out)
		}
	}
}
