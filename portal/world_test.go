package portal_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

var began = time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC)

const callOfAcme = "11111111-1111-4111-8111-111111111111"

// world is an API over an SQLite store, and a client of it.
type world struct {
	*testing.T
	db   store.Store
	file string // of the database
	log  bytes.Buffer
	now  time.Time
	*portal.Portal
	server *httptest.Server
	key    string            // of the requests; empty: none
	whole  map[string]string // by organization the key that may do everything
}

// everything are all scopes.
func everything() (all []string) {
	for _, s := range keys.Scopes {
		if !strings.HasPrefix(s.Name, keys.Incoming) {
			all = append(all, s.Name)
		}
	}
	return all
}

// empty returns the file of a database in which there is nothing yet: to make its tables
// takes longer than most tests.
var empty = sync.OnceValues(func() (text []byte, err error) {
	dir, err := os.MkdirTemp("", "portal-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "hookswitch.db")
	db, err := sqlite.Open(context.Background(), file)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(context.Background()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func newWorld(t *testing.T, with ...func(*portal.Options)) *world {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hookswitch.db")
	text, err := empty()
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, db: db, file: file, now: began, whole: map[string]string{}}
	ring, err := seal.OpenFile(filepath.Join(t.TempDir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := credentials.New(db, ring)
	secrets.Now = func() time.Time { return w.now }
	o := portal.Options{Store: db, Secrets: secrets, Log: zerolog.New(&w.log), Version: "1.2.3", Now: func() time.Time { return w.now }}
	o.InForce = w.inForce
	for _, set := range with {
		set(&o)
	}
	w.Portal = portal.New(o)
	w.server = httptest.NewServer(w.Portal)
	t.Cleanup(w.server.Close)
	w.as("acme")
	return w
}

// as lets requests have the key of an organization that may do everything.
func (w *world) as(org string) {
	w.Helper()
	if w.whole[org] == "" {
		w.whole[org] = w.addKey(org, store.Key{ID: "allOf" + org, Name: "key of " + org, Scopes: everything(), Created: began})
	}
	w.key = w.whole[org]
}

// inForce returns what the store has, as a server that follows it does.
func (w *world) inForce() *flowengine.Snapshot {
	revisions, err := confdir.InForce(context.Background(), w.db)
	if err != nil {
		w.Error(err)
		return nil
	}
	var orgs []confdir.Organization
	for org, r := range revisions {
		orgs = append(orgs, confdir.Organization{Name: org, Folder: r.Folder, Files: r.Files})
	}
	s, problems := flowengine.LoadFiles(confdir.Join(orgs), nodes.Kinds)
	if len(problems) > 0 {
		w.Errorf("what is in force is not valid: %v", problems)
	}
	return s
}

// newKey makes a key of an organization.
func (w *world) newKey(org string, scopes ...string) string {
	w.Helper()
	return w.addKey(org, store.Key{Name: "key of " + org, Scopes: scopes, Created: began})
}

func (w *world) addKey(org string, k store.Key) string {
	w.Helper()
	made := keys.New()
	k.ID, k.Hash = cmp.Or(k.ID, made.ID()), made.Hash()
	if err := w.db.AddKey(w.Context(), org, k); err != nil {
		w.Fatal(err)
	}
	return made.Reveal()
}

// response is an answer.
type response struct {
	*http.Response
	body string
}

// ask makes a request; body is JSON, or nil.
func (w *world) ask(method, path string, body any, headers ...string) response {
	w.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			w.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(w.Context(), method, w.server.URL+portal.Base+path, reader)
	if err != nil {
		w.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if w.key != "" {
		r.Header.Set("Authorization", "Bearer "+w.key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.server.Client().Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	return response{answer, string(text)}
}

// get is ask for what must be there; it reads the answer into out.
func (w *world) get(path string, out any) {
	w.Helper()
	w.does(http.MethodGet, path, nil, http.StatusOK, out)
}

// does is ask with the status that must be answered.
func (w *world) does(method, path string, body any, status int, out any) response {
	w.Helper()
	r := w.ask(method, path, body)
	if r.StatusCode != status {
		w.Fatalf("%s %s: %s: %s", method, path, r.Status, r.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(r.body), out); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, r.body)
		}
	}
	return r
}

// fails wants an answer with a status and these parts.
func (w *world) fails(status int, method, path string, body any, parts ...string) {
	w.Helper()
	r := w.ask(method, path, body)
	if r.StatusCode != status || r.Header.Get("Content-Type") != "application/problem+json" {
		w.Errorf("%s %s: %s as %s, not %d: %s", method, path, r.Status, r.Header.Get("Content-Type"), status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			w.Errorf("%s %s: no %q in %s", method, path, part, r.body)
		}
	}
}

// has lets the store have events of a call.
func (w *world) has(org, id string, events ...call.Event) {
	w.Helper()
	var lines []store.Line
	for i, e := range events {
		e.Org, e.Call, e.Epoch, e.Seq, e.Node = org, id, 1, i+1, "n1"
		if e.Time.IsZero() {
			e.Time = began.Add(time.Duration(i) * time.Second)
		}
		raw, err := json.Marshal(e)
		if err != nil {
			w.Fatal(err)
		}
		lines = append(lines, store.Line{Event: e, Raw: append(raw, '\n')})
	}
	err := w.db.Append(w.Context(), store.Batch{Journal: org + id, Node: "n1", To: store.Position{Segment: 1, Offset: 1}, Until: began.Add(time.Hour), Lines: lines})
	if err != nil {
		w.Fatal(err)
	}
}

// talk is a call that was connected with alice, and ended.
func talk(from string) []call.Event {
	return []call.Event{
		{Type: call.Started, Attrs: map[string]string{"from": from, "to": "+15550100", "campaign": "roofing", "flow": "main", "version": "3"}},
		{Type: call.Tagged, Step: "mark", Attrs: map[string]string{"tag": "state", "value": "TX", "source": "flow"}},
		{Type: call.TargetDialed, Target: "alice", Leg: "leg", Attrs: map[string]string{"attempt": "1"}},
		{Type: call.Connected, Target: "alice", Leg: "leg"},
		{Type: call.Ended, Cause: call.NormalClearing, Attrs: map[string]string{"billed": "4000", "duration": "5000", "by": "caller"}},
	}
}

// ids returns the ids of calls.
func ids(calls []store.Call) (out []string) {
	for _, c := range calls {
		out = append(out, c.ID)
	}
	slices.Sort(out)
	return out
}

func decode(t *testing.T, body string, out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), out); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}
