package storetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// RunKeys tests that an engine keeps keys. open returns an empty store.
func RunKeys(t *testing.T, open func(t *testing.T) store.Keys) {
	for name, test := range map[string]func(*testing.T, store.Keys){
		"a key is found by its hash, whoever has it":   keyFound,
		"keys are listed, the newest first":            keysListed,
		"a key ends once, and never later than it was": keyEnds,
		"the last use of a key is noted":               keyUsed,
		"no two keys are alike":                        keysDiffer,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func addKey(t *testing.T, s store.Keys, org string, k store.Key) {
	t.Helper()
	if err := s.AddKey(t.Context(), org, k); err != nil {
		t.Fatal(err)
	}
}

func findKey(t *testing.T, s store.Keys, hash []byte) store.Key {
	t.Helper()
	k, err := s.FindKey(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	return *k
}

func keyFound(t *testing.T, s store.Keys) {
	ends := began.Add(time.Hour)
	want := store.Key{Org: "acme", ID: "k1", Name: "CRM", Hash: store.Hash([]byte("1")), Scopes: []string{"calls:read", "incoming:leads"},
		Created: began, By: "ann", Ends: &ends}
	addKey(t, s, "acme", want)
	other := store.Key{Org: "beta", ID: "k1", Hash: store.Hash([]byte("2")), Scopes: []string{}, Created: began}
	addKey(t, s, "beta", other)
	for _, want := range []store.Key{want, other} {
		if got := findKey(t, s, want.Hash); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, hash := range [][]byte{nil, {}, want.Hash[:31], store.Hash([]byte("3"))} {
		if k, err := s.FindKey(t.Context(), hash); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%x: %v %v", hash, k, err)
		}
	}
}

func keysListed(t *testing.T, s store.Keys) {
	for i, id := range []string{"b", "a", "c"} {
		k := keyOf("acme", id)
		k.Created = began.Add(time.Duration(i/2) * time.Hour)
		addKey(t, s, "acme", k)
	}
	keys, err := s.Keys(t.Context(), "acme")
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	if want := []string{"c", "a", "b"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %q %v, want %q", ids, err, want)
	}
	if keys, err := s.Keys(t.Context(), "beta"); err != nil || len(keys) > 0 {
		t.Errorf("of another: %v %v", keys, err)
	}
}

func keyEnds(t *testing.T, s store.Keys) {
	k := keyOf("acme", "k1")
	addKey(t, s, "acme", k)
	for _, of := range []struct{ at, want time.Time }{
		{began.Add(2 * time.Hour), began.Add(2 * time.Hour)},
		{began.Add(time.Hour), began.Add(time.Hour)},
		{began.Add(3 * time.Hour), began.Add(time.Hour)},
	} {
		if err := s.RevokeKey(t.Context(), "acme", "k1", of.at); err != nil {
			t.Fatal(err)
		}
		if got := findKey(t, s, k.Hash).Ends; got == nil || !got.Equal(of.want) {
			t.Errorf("revoked at %v it ends at %v, want %v", of.at, got, of.want)
		}
	}
	for _, name := range [][2]string{{"acme", "k2"}, {"beta", "k1"}, {"acme", "k1\x00"}, {"acme\xff", "k1"}} {
		if err := s.RevokeKey(t.Context(), name[0], name[1], began); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func keyUsed(t *testing.T, s store.Keys) {
	k := keyOf("acme", "k1")
	addKey(t, s, "acme", k)
	for _, of := range []struct {
		later time.Duration
		from  string
		want  string
	}{
		{time.Minute, "192.0.2.1", "192.0.2.1"},
		{time.Hour, "192.0.2.2", "192.0.2.2"},
		{time.Second, "192.0.2.3", "192.0.2.2"}, // told late
	} {
		if err := s.UsedKey(t.Context(), "acme", "k1", began.Add(of.later), of.from); err != nil {
			t.Fatal(err)
		}
		if got := findKey(t, s, k.Hash); got.From != of.want || got.Used == nil || got.Used.Before(began.Add(of.later)) {
			t.Errorf("used from %s at %v, want %s", got.From, got.Used, of.want)
		}
	}
	if err := s.UsedKey(t.Context(), "beta", "k1", began.AddDate(1, 0, 0), "192.0.2.4"); err != nil {
		t.Error(err)
	}
	if got := findKey(t, s, k.Hash); got.From != "192.0.2.2" {
		t.Errorf("another organization used it from %s", got.From)
	}
}

func keysDiffer(t *testing.T, s store.Keys) {
	addKey(t, s, "acme", keyOf("acme", "k1"))
	sameHash := keyOf("acme", "k1")
	sameHash.ID = "k2"
	for what, k := range map[string]store.Key{"id": keyOf("beta", "k1"), "hash": sameHash} {
		if err := s.AddKey(t.Context(), "acme", k); err == nil {
			t.Errorf("two keys have the same %s", what)
		}
	}
}
