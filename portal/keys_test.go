package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// made is the answer to the wish for a key.
type made struct {
	store.Key
	Secret string `json:"key"`
}

func TestAKeyIsMadeUsedAndRevoked(t *testing.T) {
	w := newWorld(t)
	var m made
	w.does(http.MethodPost, "/keys", map[string]any{"name": "CRM", "scopes": []string{keys.ReadCalls}}, http.StatusCreated, &m)
	owner := w.key
	w.key = m.Secret
	w.get("/calls", nil)
	w.fails(http.StatusForbidden, http.MethodGet, "/config", nil, keys.ReadConfig)
	w.key = owner
	r := w.does(http.MethodGet, "/keys", nil, http.StatusOK, nil)
	if strings.Contains(r.body, m.Secret) || !strings.Contains(r.body, m.ID) || !strings.Contains(r.body, "key of acme (key ") {
		t.Errorf("%s", r.body)
	}
	w.does(http.MethodDelete, "/keys/"+m.ID, nil, http.StatusNoContent, nil)
	w.key = m.Secret
	w.fails(http.StatusUnauthorized, http.MethodGet, "/calls", nil)
	w.key = owner
	w.fails(http.StatusNotFound, http.MethodDelete, "/keys/nobody", nil)
}

func TestAKeyEnds(t *testing.T) {
	w := newWorld(t)
	var m made
	w.does(http.MethodPost, "/keys", map[string]any{"name": "for an hour", "scopes": []string{keys.ReadCalls}, "ends": began.Add(time.Hour)}, http.StatusCreated, &m)
	w.key = m.Secret
	w.get("/calls", nil)
	w.now = began.Add(time.Hour)
	w.fails(http.StatusUnauthorized, http.MethodGet, "/calls", nil)
}

// Nobody makes a key that may do more than their own.
func TestAKeyMakesNoMightierOne(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	w.key = w.newKey("acme", keys.WriteKeys, keys.ReadCalls)
	w.fails(http.StatusForbidden, http.MethodPost, "/keys", map[string]any{"name": "more", "scopes": []string{keys.ReadCalls, keys.Private}}, keys.Private)
	w.does(http.MethodPost, "/keys", map[string]any{"name": "less", "scopes": []string{keys.ReadCalls}}, http.StatusCreated, nil)
	w.does(http.MethodPost, "/keys", map[string]any{"name": "leads", "scopes": []string{"incoming:leads"}}, http.StatusCreated, nil)
	ends := began.Add(time.Hour)
	w.key = w.addKey("acme", store.Key{Scopes: []string{keys.WriteKeys, keys.ReadCalls}, Ends: &ends})
	for life, status := range map[time.Duration]int{time.Minute: http.StatusCreated, time.Hour: http.StatusCreated, 2 * time.Hour: http.StatusUnprocessableEntity} {
		w.does(http.MethodPost, "/keys", map[string]any{"name": "short", "scopes": []string{keys.ReadCalls}, "ends": began.Add(life)}, status, nil)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/keys", map[string]any{"name": "for ever", "scopes": []string{keys.ReadCalls}}, "body.ends")
}

func TestAKeyThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	for want, body := range map[string]map[string]any{
		"body.name":   {"name": "  ", "scopes": []string{keys.ReadCalls}},
		"100 bytes":   {"name": strings.Repeat("ж", 60), "scopes": []string{keys.ReadCalls}},
		"body.scopes": {"name": "a", "scopes": []string{"everything"}},
		"scopes":      {"name": "a"},
		"incoming":    {"name": "a", "scopes": []string{"incoming:leads", keys.ReadCalls}},
		"no incoming": {"name": "a", "scopes": []string{"incoming:nobody"}},
		"body.ends":   {"name": "a", "scopes": []string{keys.ReadCalls}, "ends": began.Add(-time.Second)},
	} {
		w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/keys", body, want)
	}
}
