package portal_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/hookswitch/hookswitch/store"
)

func TestCallsAreListedInPages(t *testing.T) {
	w := newWorld(t)
	want := []string{"a", "b", "c", "d", "e"}
	for _, id := range want {
		w.has("acme", id, talk("+15550111")...)
	}
	var got []string
	for after := ""; ; {
		var page struct {
			Items []store.Call
			Next  string
		}
		w.get("/calls?limit=2&after="+after, &page)
		got = append(got, ids(page.Items)...)
		if after = page.Next; after == "" {
			break
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestCallsAreFiltered(t *testing.T) {
	w := newWorld(t)
	w.has("acme", callOfAcme, talk("+15550111")...)
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/conversion", map[string]any{"converted": true}, http.StatusOK, nil)
	for _, c := range []struct {
		query string
		found bool
	}{
		{"", true}, {"?from=2026-10-03T12:00:00Z", true}, {"?from=2026-10-03T12:00:01Z", false}, {"?to=2026-10-03T12:00:00Z", false},
		{"?number=15550100", true}, {"?number=+15550100", true}, {"?number=1555", false}, {"?caller=%2B15550111", true}, {"?caller=15550112", false},
		{"?campaign=roofing", true}, {"?campaign=other", false}, {"?target=alice", true}, {"?target=bob", false},
		{"?tag=state", true}, {"?tag=state=TX", true}, {"?tag=state=FL", false}, {"?cause=NORMAL_CLEARING", true}, {"?cause=USER_BUSY", false},
		{"?state=complete", true}, {"?state=open", false},
		{"?converted=true", true}, {"?converted=false", false},
	} {
		var page struct{ Items []store.Call }
		if w.get("/calls"+c.query, &page); (len(page.Items) == 1) != c.found || page.Items == nil {
			t.Errorf("%q: %+v", c.query, page.Items)
		}
	}
}

func TestOneCallIsWhole(t *testing.T) {
	w := newWorld(t)
	w.has("acme", callOfAcme, talk("+15550111")...)
	w.has("acme", "11112222", talk("+15550111")...)
	var c store.Call
	w.get("/calls/"+callOfAcme[:5], &c)
	if c.ID != callOfAcme || len(c.Events) != 5 || len(c.Tags) != 1 || len(c.Legs) != 2 {
		t.Errorf("%+v", c)
	}
	w.fails(http.StatusConflict, http.MethodGet, "/calls/1111", nil, "path.call", callOfAcme)
}
