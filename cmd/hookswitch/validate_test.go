package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
)

const unasked = `numbers: {1000: {flow: main}}
---
flow: main
start: hello
nodes:
  hello: {play: {prompt: "say:Hello"}, next: bye}
  bye: {hangup: {}}
`

// validated runs validate on a folder with one file.
func validated(t *testing.T, doc string, format output) (dir, out string, err error) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.yaml"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err = runValidate(&b, dir, format)
	return dir, b.String(), err
}

func TestValidatePrintsWarnings(t *testing.T) {
	dir, out, err := validated(t, unasked, outputText)
	if err != nil {
		t.Fatal(err)
	}
	want := "warning: " + dir + `/main.yaml:6:3: hello (play) answers the call; put answer: {} before it to say so
    6 |   hello: {play: {prompt: "say:Hello"}, next: bye}
      |   ^
` + dir + " is valid: 1 flow, 1 number, 0 targets\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestValidateShowsThePlace(t *testing.T) {
	dir, out, err := validated(t, strings.Replace(unasked, "next: bye", "next: by", 1), outputText)
	want := dir + " is not valid:\n" + dir + `/main.yaml:6:46: there is no node "by"; did you mean "bye"?
    6 |   hello: {play: {prompt: "say:Hello"}, next: by}
      |                                              ^`
	if invalid := (*invalidConfig)(nil); !errors.As(err, &invalid) || !strings.HasPrefix(err.Error(), want) || out != "" {
		t.Errorf("got %s\n%v\nwant\n%s", out, err, want)
	}
}

func TestValidateAsJSON(t *testing.T) {
	for _, c := range []struct {
		doc   string
		valid bool
	}{{unasked, true}, {strings.Replace(unasked, "next: bye", "next: by", 1), false}} {
		_, out, err := validated(t, c.doc, outputJSON)
		if (err == nil) != c.valid {
			t.Errorf("valid: %v, error %v", c.valid, err)
		}
		var said struct {
			Valid    bool
			Problems []flowengine.Problem
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			t.Fatal(err)
		}
		if said.Valid != c.valid || len(said.Problems) == 0 || said.Problems[0].Warning != c.valid || said.Problems[0].Line != 6 {
			t.Errorf("got %+v of\n%s", said, out)
		}
	}
}
