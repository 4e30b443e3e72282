package main

import (
	"errors"
	"strings"
	"testing"
)

// A command line that cannot be meant says what would be right, and exits with 2.
func TestWrongCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"vaildate":         `hookswitch has no command "vaildate"; did you mean "validate"?`,
		"calls lst":        `hookswitch calls has no command "lst"; did you mean "list"?`,
		"serve now":        "hookswitch serve takes no arguments; see hookswitch serve --help",
		"validate a b":     "hookswitch validate takes one folder at most; see hookswitch validate --help",
		"validate -o xml":  `invalid argument "xml" for "-o, --output" flag: neither text nor json; see hookswitch validate --help`,
		"schema menus":     `there is no kind "menus"; did you mean "menu"?`,
		"schema menu play": "hookswitch schema takes one kind at most; see hookswitch schema --help",
		"man":              "hookswitch man takes a folder; see hookswitch man --help",
		"test --bogus":     "unknown flag: --bogus; see hookswitch test --help",
	} {
		_, _, err := command(t, strings.Fields(line)...)
		if usage := (*usageError)(nil); !errors.As(err, &usage) || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}
