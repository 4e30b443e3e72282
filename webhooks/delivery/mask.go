package delivery

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// What is kept of a request or an answer, in bytes.
const (
	keptBody  = 16 << 10
	keptValue = 1 << 10 // of a header
)

const stars = "***"

// mask hides the secrets of an endpoint in what is kept of its requests and answers. The
// zero mask is ready.
type mask struct {
	mu   sync.Mutex
	last hider
}

// of returns what hides these values.
func (m *mask) of(hidden []string) hider {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.last.hidden, hidden) {
		m.last = newHider(hidden)
	}
	return m.last
}

// hider replaces values by ***, however a text writes them (spelling.go).
type hider struct {
	hidden []string
	forms  []string // that are looked for
}

func newHider(hidden []string) hider {
	h := hider{hidden: slices.Clone(hidden)}
	for _, value := range hidden {
		if value != "" {
			h.forms = append(h.forms, formsOf(value)...)
		}
	}
	slices.Sort(h.forms)
	h.forms = slices.Compact(h.forms)
	return h
}

// text hides the values in a text.
func (h hider) text(s string) string { return without(s, find(s, h.forms, false)) }

// body hides them in a body and cuts it; cut says that it is a part already. What is left
// at its end of a value that was cut is hidden too.
func (h hider) body(b []byte, cut bool) ([]byte, bool) {
	if spans := find(string(b), h.forms, cut); len(spans) > 0 {
		b = []byte(without(string(b), spans))
	}
	if len(b) > keptBody {
		b, cut = b[:keptBody], true
	}
	return b, cut
}

// header hides the values of headers, and all of those that are made to hold a secret.
func (h hider) header(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for name, value := range in {
		if secretive(name) {
			out[name] = stars
			continue
		}
		value = h.text(value)
		if len(value) > keptValue {
			value = strings.ToValidUTF8(value[:keptValue], "") + "…"
		}
		out[name] = value
	}
	return out
}

// secretive says whether a header holds a secret by what it is.
func secretive(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"auth", "cookie", "token", "secret", "password", "api-key", "apikey", "credential", "session"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// request is what is kept of a request for a message; a body that is the standard one is
// the message's.
func (h hider) request(r call.Request, standard []byte) store.HTTP {
	out := store.HTTP{Method: r.Method, URL: h.text(r.URL), Header: h.header(r.Header)}
	if !bytes.Equal(r.Body, standard) {
		out.Body, out.Cut = h.body(r.Body, false)
	}
	return out
}

// response is what is kept of an answer.
func (h hider) response(r call.Response) store.HTTP {
	out := store.HTTP{Status: r.Status, Header: h.header(r.Header)}
	if coding := r.Header["Content-Encoding"]; coding != "" && !strings.EqualFold(coding, "identity") {
		out.Cut = len(r.Body) > 0 // nobody can tell what in it is secret
		return out
	}
	out.Body, out.Cut = h.body(r.Body, r.Cut)
	return out
}
