package delivery

import (
	"bytes"
	"encoding/json"
	"net/url"
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

// hider replaces values by ***, as they are and as URL, form and JSON write them.
type hider struct {
	hidden  []string
	written []string          // all ways of writing them
	replace *strings.Replacer // nil: nothing is hidden
}

func newHider(hidden []string) hider {
	h := hider{hidden: slices.Clone(hidden)}
	for _, value := range hidden {
		quoted, err := json.Marshal(value)
		if value == "" || err != nil {
			continue
		}
		h.written = append(h.written, value, url.QueryEscape(value), url.PathEscape(value), string(quoted[1:len(quoted)-1]))
	}
	// The longest first: a secret may begin with another.
	slices.SortFunc(h.written, func(a, b string) int { return len(b) - len(a) })
	h.written = slices.Compact(h.written)
	if len(h.written) == 0 {
		return h
	}
	var pairs []string
	for _, w := range h.written {
		pairs = append(pairs, w, stars)
	}
	h.replace = strings.NewReplacer(pairs...)
	return h
}

// text hides the values in a text, and what no database takes.
func (h hider) text(s string) string {
	if h.replace != nil {
		s = h.replace.Replace(s)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// body hides them in a body and cuts it; cut says that it is a part already. What is left
// at its end of a value that was cut is hidden too.
func (h hider) body(b []byte, cut bool) ([]byte, bool) {
	if h.replace != nil {
		b = []byte(h.replace.Replace(string(b)))
	}
	if len(b) > keptBody {
		b, cut = b[:keptBody], true
	}
	if cut {
		for _, w := range h.written {
			for n := min(len(w)-1, len(b)); n > 0; n-- {
				if bytes.HasSuffix(b, []byte(w[:n])) {
					b = append(slices.Clone(b[:len(b)-n]), stars...)
					break
				}
			}
		}
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
	out.Body, out.Cut = h.body(r.Body, r.Cut)
	return out
}
