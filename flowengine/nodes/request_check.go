package nodes

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// keyHeader is set by whoever sends the request (call.Request.Key).
const keyHeader = "Idempotency-Key"

// Check holds the request within what can be sent.
func (r *Request) Check(c *flowengine.Check) {
	content := len(r.Form) > 0 || !r.Body.Empty()
	if r.Method == "" {
		r.Method = http.MethodGet
		if content {
			r.Method = http.MethodPost
		}
	}
	switch {
	case !slices.Contains(call.Methods, r.Method):
		c.Problem("method", flowengine.Nearest(r.Method, call.Methods), "method: there is no %q", r.Method)
	case content && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		c.Problem("method", "leave method out, or write POST", "a %s has no body", r.Method)
	case len(r.Form) > 0 && !r.Body.Empty():
		c.Problem("form", "leave one out", "request has both body and form")
	}
	if wrong := r.URL.Address(); wrong != nil {
		c.Problem("url", wrong.Hint, "url: %s", wrong.Message)
	}
	if d := time.Duration(r.Timeout); d < 100*time.Millisecond || d > 30*time.Second {
		c.Problem("timeout", "", "timeout: %s is not between 100ms and 30s", call.ShortDuration(d))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !call.ValidHeader(name):
			c.Problem("headers/"+name, "letters, digits and -", "%q cannot be the name of a header", name)
		case call.OwnHeader(name) || canonical == keyHeader:
			c.Problem("headers/"+name, "leave it out", "the header %s is set by Hookswitch", canonical)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Vars)) {
		if !identifier.MatchString(name) {
			c.Problem("vars/"+name, identifierHint, "%q cannot be the name of a variable", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Tags)) {
		if !nameSyntax.MatchString(name) {
			c.Problem("tags/"+name, nameHint, "%q cannot be the name of a tag", name)
		}
		c.Writes("tags/"+name, name, nil)
	}
}
