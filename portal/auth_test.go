package portal_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

// Whatever is wrong with a key, the answer is the same to the byte.
func TestWrongKeysAreAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	good := w.key
	end := began
	expired := w.addKey("acme", store.Key{Scopes: []string{keys.ReadCalls}, Created: began, Ends: &end})
	incoming := w.newKey("acme", "incoming:leads")
	w.key = ""
	none := w.ask(http.MethodGet, "/whoami", nil)
	if none.StatusCode != http.StatusUnauthorized || none.Header.Get("WWW-Authenticate") == "" {
		t.Fatalf("%s %v", none.Status, none.Header)
	}
	for name, header := range map[string]string{
		"empty": "Bearer ", "unknown": "Bearer " + keys.New().Reveal(), "another scheme": "Basic " + good, "no prefix": "Bearer nobody", "malformed": "Bearer hsk_nobody",
		"expired": "Bearer " + expired, "of an incoming webhook": "Bearer " + incoming,
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
	w.key = w.newKey("beta", keys.ReadCalls)
	var is struct {
		Org, Name string
		Scopes    []string
	}
	w.get("/whoami", &is)
	if is.Org != "beta" || is.Name != "key of beta" || len(is.Scopes) != 1 || is.Scopes[0] != keys.ReadCalls {
		t.Errorf("%+v", is)
	}
}

// The last use of a key is noted, but not with every request.
func TestUseIsNotedOnceAMinute(t *testing.T) {
	uses := new(uses)
	w := newWorld(t, func(o *portal.Options) { uses.Store, o.Store = o.Store, uses })
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second, time.Minute} {
		w.now = began.Add(after)
		w.get("/whoami", nil)
	}
	list, err := w.db.Keys(t.Context(), "acme")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if k := list[0]; uses.n != 2 || k.Used == nil || !k.Used.Equal(began.Add(time.Minute)) || k.From != "127.0.0.1" {
		t.Errorf("%d times: %+v", uses.n, k)
	}
}

// uses counts how often the use of a key is noted.
type uses struct {
	store.Store
	n int
}

func (u *uses) UsedKey(ctx context.Context, org, id string, at time.Time, from string) error {
	u.n++
	return u.Store.UsedKey(ctx, org, id, at, from)
}
