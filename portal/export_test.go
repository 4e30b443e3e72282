package portal_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/portal"
)

func TestCallsAreExportedWhole(t *testing.T) {
	w := newWorld(t)
	const calls = 501 // more than are read at once
	for i := range calls {
		w.has("acme", fmt.Sprintf("call-%d", i), talk("+15550111")...)
	}
	w.has("beta", "call-of-beta", talk("+15550111")...)
	for path, lines := range map[string]int{
		"/export/calls": calls + 1, "/export/calls?rows=legs": 2*calls + 1, "/export/calls?format=ndjson": calls,
		"/export/calls?caller=15550112": 1, "/export/calls?format=ndjson&caller=15550112": 0,
	} {
		r := w.does(http.MethodGet, path, nil, http.StatusOK, nil)
		if n := strings.Count(r.body, "\n"); n != lines || strings.Contains(r.body, "beta") {
			t.Errorf("%s: %d lines", path, n)
		}
		if !strings.Contains(path, "ndjson") {
			if _, err := csv.NewReader(strings.NewReader(r.body)).ReadAll(); err != nil || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
				t.Errorf("%s: %v %v", path, err, r.Header)
			}
		}
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/export/calls?rows=legs&format=ndjson", nil, "query.rows")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/export/calls?format=xls", nil, "query.format")
}

// Exports that fail leave their place to others.
func TestExportsGiveTheirPlaceBack(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.Exports = 1 })
	for range 3 {
		w.does(http.MethodGet, "/export/calls", nil, http.StatusOK, nil)
		w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/export/calls?rows=legs&format=ndjson", nil)
	}
}
