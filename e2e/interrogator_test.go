//go:build freeswitch

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/hookswitch/hookswitch/e2e/hostile"
)

// interrogator is a partner that answers with hostile values and looks at every
// request: whether a value has become more of it than a value.
type interrogator struct {
	*httptest.Server

	mu     sync.Mutex
	values *hostile.Values
	turns  map[string]int // answers by caller
	got    map[string]int // requests by caller
	wrong  []string
}

func newInterrogator(t *testing.T, values *hostile.Values) *interrogator {
	p := &interrogator{values: values, turns: map[string]int{}, got: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// faults returns what was wrong with requests.
func (p *interrogator) faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.wrong)
}

// requests counts those of a caller.
func (p *interrogator) requests(caller string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got[caller]
}

// answers counts the hostile values in answers.
func (p *interrogator) answers() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for caller, turns := range p.turns {
		if !strings.HasPrefix(caller, tame) {
			n += 3 * turns
		}
	}
	return n
}

func (p *interrogator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	caller := r.Header.Get("X-Caller")
	if next, ok := strings.CutPrefix(r.RequestURI, "/next/"); ok && r.Method == http.MethodGet {
		caller = next
		p.answer(w, caller)
	} else if why := odd(r); why != "" {
		p.mu.Lock()
		p.wrong = append(p.wrong, fmt.Sprintf("%s: %s: %s %s %q", caller, why, r.Method, r.RequestURI, r.Header))
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got[caller]++
}

// answer gives a caller so many answers, and then none any more.
func (p *interrogator) answer(w http.ResponseWriter, caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns[caller] == askTurns {
		w.WriteHeader(http.StatusGone)
		return
	}
	p.turns[caller]++
	a, b, c := "a", "b", "c"
	if !strings.HasPrefix(caller, tame) {
		a, b, c = p.values.Next(), p.values.Next(), p.values.Next()
	}
	blank := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-C", strings.Map(blank, c[:min(len(c), 2000)]))
	json.NewEncoder(w).Encode(map[string]string{"a": a, "b": b})
}

// odd says what is wrong with a request that carries the values a, b and c, each in
// several places.
func odd(r *http.Request) string {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	query, err := url.ParseQuery(r.URL.RawQuery)
	if r.Method != http.MethodPost || len(segments) != 3 || segments[1] != "v" || err != nil {
		return "another request"
	}
	a, err := url.PathUnescape(segments[2])
	if err != nil {
		return "another path"
	}
	if len(query) != 2 || len(query["b"]) != 1 || len(query["c"]) != 1 {
		return "another query"
	}
	for name, values := range r.Header {
		known := []string{"X-Caller", "X-A", "Content-Type", "Content-Length", "User-Agent"}
		if !slices.Contains(known, name) || len(values) != 1 {
			return "another header"
		}
	}
	if strings.Trim(a, " \t") != r.Header.Get("X-A") {
		return fmt.Sprintf("the header is not the value %q", a)
	}
	var body map[string]any
	d := json.NewDecoder(r.Body)
	if err := d.Decode(&body); err != nil {
		return "no JSON"
	}
	if _, err := d.Token(); err != io.EOF {
		return "something follows the JSON"
	}
	text := func(s string) string { return string([]rune(s)) } // JSON has no other bytes
	list, _ := body["c"].([]any)
	if len(body) != 3 || len(list) != 1 || same(body["a"]) != text(a) || body["b"] != "b: "+text(query.Get("b")) || same(list[0]) != text(query.Get("c")) {
		return fmt.Sprintf("the body %q is not the values %q, %q", body, a, query)
	}
	return ""
}

// same is a value of JSON as a text; what is not there is an empty one.
func same(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
