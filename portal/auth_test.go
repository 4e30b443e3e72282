package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

// Whatever is wrong with a key, the answer is the same to the byte.
func TestWrongKeysAreAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	good := w.key
	expired, revoked := w.newKey("acme", portal.ReadCalls), w.newKey("acme", portal.ReadConfig)
	incoming := w.newKey("acme", "incoming:leads")
	for hash, k := range w.keys.keys {
		if end := began.Add(-time.Second); strings.HasSuffix(expired, k.ID) || strings.HasSuffix(revoked, k.ID) {
			k.Ends = &end
			w.keys.keys[hash] = k
		}
	}
	w.key = ""
	none := w.ask(http.MethodGet, "/whoami", nil)
	if none.StatusCode != http.StatusUnauthorized || none.Header.Get("WWW-Authenticate") == "" {
		t.Fatalf("%s %v", none.Status, none.Header)
	}
	for name, header := range map[string]string{
		"empty": "Bearer ", "unknown": "Bearer hsk_nobody", "another scheme": "Basic " + good, "no prefix": "Bearer nobody",
		"expired": "Bearer " + expired, "revoked": "Bearer " + revoked, "of an incoming webhook": "Bearer " + incoming,
		"cut": "Bearer " + good[:len(good)-1], "long": "Bearer hsk_" + strings.Repeat("a", 5000),
	} {
		r := w.ask(http.MethodGet, "/whoami", nil, "Authorization", header)
		if r.StatusCode != none.StatusCode || r.body != none.body || r.Header.Get("WWW-Authenticate") != none.Header.Get("WWW-Authenticate") {
			t.Errorf("%s: %s %s", name, r.Status, r.body)
		}
	}
	if r := w.ask(http.MethodGet, "/whoami", nil, "Authorization", "bearer "+good); r.StatusCode != http.StatusOK {
		t.Errorf("the good one: %s", r.Status)
	}
}

// A key without the scope of an operation is told which one it needs.
func TestScopesAreAskedFor(t *testing.T) {
	w := newWorld(t)
	var api struct {
		Paths map[string]map[string]operation
	}
	w.get("/openapi.json", &api)
	w.key = w.newKey("acme")
	seen := 0
	for path, operations := range api.Paths {
		for method, op := range operations {
			if len(op.Security) == 0 || len(op.Security[0]["key"]) == 0 {
				continue
			}
			seen++
			w.fails(http.StatusForbidden, strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), nil, op.Security[0]["key"][0])
		}
	}
	if seen == 0 {
		t.Error("no operation asks for a scope")
	}
}

func TestWhoAsksIsKnown(t *testing.T) {
	w := newWorld(t)
	w.key = w.newKey("beta", portal.ReadCalls)
	var is struct {
		Org, Name string
		Scopes    []string
	}
	w.get("/whoami", &is)
	if is.Org != "beta" || is.Name != "key of beta" || len(is.Scopes) != 1 || is.Scopes[0] != portal.ReadCalls {
		t.Errorf("%+v", is)
	}
}

// The last use of a key is noted, but not with every request.
func TestUseIsNotedOnceAMinute(t *testing.T) {
	w := newWorld(t)
	var k store.Key
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second, time.Minute} {
		w.now = began.Add(after)
		w.get("/whoami", nil)
	}
	for _, k = range w.keys.keys {
	}
	if w.keys.used != 2 || !k.Used.Equal(began.Add(time.Minute)) || k.From != "127.0.0.1" {
		t.Errorf("%d times, the last at %v from %q", w.keys.used, k.Used, k.From)
	}
}
