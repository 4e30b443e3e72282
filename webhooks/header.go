package webhooks

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/hookswitch/hookswitch/call"
)

// maxHeaders bounds the names in the header of a request, and of an answer.
const maxHeaders = 100

// headers builds the header of a request. No error repeats a value.
func headers(given map[string]string, key, userAgent string) (http.Header, error) {
	if len(given) > maxHeaders {
		return nil, fmt.Errorf("%d headers: at most %d", len(given), maxHeaders)
	}
	out := http.Header{}
	add := func(name, value string) error {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return fmt.Errorf("header %s: its value holds a line break or another control character", canonical)
		case out[canonical] != nil:
			return fmt.Errorf("header %s is given twice", canonical)
		}
		out[canonical] = []string{value}
		return nil
	}
	if key != "" {
		if err := add("Idempotency-Key", key); err != nil {
			return nil, err
		}
	}
	for name, value := range given {
		if !call.ValidHeader(name) { // which may be a value in the wrong place
			return nil, fmt.Errorf("the name of a header has %d bytes that are not all letters, digits or -; write {Name: value}, a name of at most 100", len(name))
		}
		if call.OwnHeader(name) {
			return nil, fmt.Errorf("header %s is set by Hookswitch itself; leave it out", textproto.CanonicalMIMEHeaderKey(name))
		}
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	if out["User-Agent"] == nil {
		out["User-Agent"] = []string{userAgent}
	}
	return out, nil
}
