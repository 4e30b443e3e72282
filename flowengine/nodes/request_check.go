package nodes

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
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
	r.checkURL(c)
	if d := time.Duration(r.Timeout); d < 100*time.Millisecond || d > 30*time.Second {
		c.Problem("timeout", "", "timeout: %s is not between 100ms and 30s", round(d))
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
	}
}

// checkURL wants an address whose host is the same for every call: no caller may
// choose whom we talk to.
func (r *Request) checkURL(c *flowengine.Check) {
	problem := func(hint, format string, args ...any) { c.Problem("url", hint, "url: "+format, args...) }
	const example = "write it like https://api.example.com/callers/{{ caller.number }}"
	u, err := url.Parse(r.URL.With("0"))
	if err != nil {
		problem(example, "it is no address")
		return
	}
	origin := u.Scheme + "://" + u.Host
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		problem(example, "it is no address")
	case u.User != nil:
		problem("write headers: {Authorization: …}", "an address holds no user and no password")
	case !strings.HasPrefix(strings.ToLower(r.URL.Head()), strings.ToLower(origin)):
		problem("begin it like https://api.example.com/", "the host must be written out, without {{ }}")
	case strings.Contains(r.URL.With("0"), "#"):
		problem("leave it out, with what follows", "no server gets to see a #")
	case leaves(u):
		problem("write the path that is meant", "the path has a part . or ..")
	}
}
