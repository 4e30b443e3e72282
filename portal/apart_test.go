package portal_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

// request is one of an operation, with the ids of what populate has made for acme.
type request struct {
	method, path string
	body         any
}

// apart has a request of each operation that concerns what an organization has, by the id
// of the operation. Whoever adds an operation adds a line here or in ofTheKey; and where
// it keeps something of a new kind, one in populate.
var apart = map[string]request{
	"list-calls": {http.MethodGet, "/calls", nil},
	"get-call":   {http.MethodGet, "/calls/" + callOfAcme, nil},
}

// ofTheKey are the operations that concern nothing an organization has, and why.
var ofTheKey = map[string]string{
	"whoami": "it is about the key",
	"health": "it is about the server",
}

// populate makes something of every kind for an organization.
func populate(w *world, org string) {
	w.has(org, callOfAcme, talk("+15550111")...)
}

// Organizations are apart: with a key of one, whatever is asked for by the ids of another
// is answered as if the other were not there, and the other keeps what it has. Each
// operation of the description must be known to this test.
func TestOrganizationsAreApart(t *testing.T) {
	var api struct {
		Paths map[string]map[string]operation
	}
	newWorld(t).get("/openapi.json", &api)
	var known []string
	for path, operations := range api.Paths {
		for method, op := range operations {
			known = append(known, op.OperationID)
			if _, is := apart[op.OperationID]; is == (ofTheKey[op.OperationID] != "") {
				t.Errorf("%s (%s %s) must be either in apart or in ofTheKey", op.OperationID, method, path)
			}
		}
	}
	for id := range ofTheKey {
		if !slices.Contains(known, id) {
			t.Errorf("there is no operation %s any more", id)
		}
	}
	for id, r := range apart {
		if !slices.Contains(known, id) {
			t.Errorf("there is no operation %s any more", id)
		}
		t.Run(id, func(t *testing.T) {
			nothing := newWorld(t).askedBy("other", r)
			w := newWorld(t)
			populate(w, "acme")
			before := w.all()
			if got := w.askedBy("other", r); got != nothing {
				t.Errorf("the other organization is told %s\nwhere nobody has anything it is told %s", got, nothing)
			}
			if after := w.all(); after != before {
				t.Errorf("the other organization made of\n%s\nthis:\n%s", before, after)
			}
			// That the owner is answered differently shows that the question could have hit.
			own := newWorld(t)
			populate(own, "acme")
			if got := own.askedBy("acme", r); got == nothing {
				t.Errorf("the owner is told %s as well", got)
			}
		})
	}
}

// askedBy returns what an organization is answered.
func (w *world) askedBy(org string, r request) string {
	w.Helper()
	before := w.key
	defer func() { w.key = before }()
	w.key = w.newKey(org, everything()...)
	answer := w.ask(r.method, r.path, r.body, "X-Request-Id", "one")
	return answer.Status + "\n" + answer.body
}

// all returns all that acme has, as far as the API shows it.
func (w *world) all() (text string) {
	w.Helper()
	for _, id := range slices.Sorted(maps.Keys(apart)) {
		if r := apart[id]; r.method == http.MethodGet {
			text += w.askedBy("acme", r) + "\n"
		}
	}
	return text
}
