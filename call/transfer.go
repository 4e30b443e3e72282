package call

import (
	"fmt"
	"regexp"
)

// Extension is a place in the dialplan of the switch. Build one with
// NewExtension: nothing in it could change the meaning of a command.
type Extension struct {
	Number  string // what the dialplan is asked for
	Context string // of the XML dialplan; empty: the one the call came in by
}

var (
	extensionSyntax = regexp.MustCompile(`^[A-Za-z0-9+*#._][A-Za-z0-9+*#._-]{0,63}$`)
	contextSyntax   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// NewExtension checks both parts; the context may be empty. A number that begins
// with - would be an option (mod_commands.c, transfer_function).
func NewExtension(number, context string) (Extension, error) {
	if !extensionSyntax.MatchString(number) {
		return Extension{}, fmt.Errorf("extension %.60q is not made of letters, digits, + * # . _ -, with no - first, at most 64", number)
	}
	if context != "" && !contextSyntax.MatchString(context) {
		return Extension{}, fmt.Errorf("context %.60q is not made of letters, digits, . _ -, at most 64", context)
	}
	return Extension{number, context}, nil
}

// String returns the extension as a person would write it.
func (e Extension) String() string {
	if e.Context == "" {
		return e.Number
	}
	return e.Number + " in " + e.Context
}
