package credentials_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/sqlite"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// world is a database that several servers share, and the time.
type world struct {
	*testing.T
	db  store.Store
	now time.Time
}

func newWorld(t *testing.T) *world {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "hookswitch.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t, db, time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)}
}

// server is the keeper of one whose file of keys has these, each of one digit.
func (w *world) server(keys ...byte) *credentials.Keeper { return w.keeper(w.db, keys...) }

// keeper is that of a server with a database of its own.
func (w *world) keeper(db store.Secrets, keys ...byte) *credentials.Keeper {
	w.Helper()
	var text string
	for _, k := range keys {
		text += base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{k}, 32)) + "\n"
	}
	file := filepath.Join(w.TempDir(), "secret.key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	ring, err := seal.OpenFile(file)
	if err != nil {
		w.Fatal(err)
	}
	k := credentials.New(db, ring)
	k.Now = func() time.Time { return w.now }
	return k
}

func (w *world) signing(k *credentials.Keeper, org, endpoint string) []standard.Secret {
	w.Helper()
	list, err := k.For(w.Context(), org, endpoint)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

func (w *world) rotate(k *credentials.Keeper, overlap time.Duration) standard.Secret {
	w.Helper()
	list, err := k.Rotate(w.Context(), "acme", "crm", overlap)
	if err != nil {
		w.Fatal(err)
	}
	return list[0].Secret
}

// want is what signs for an endpoint, newest first.
func (w *world) want(k *credentials.Keeper, want ...standard.Secret) {
	w.Helper()
	list := w.signing(k, "acme", "crm")
	same := len(list) == len(want)
	for i := range min(len(list), len(want)) {
		same = same && list[i] == want[i]
	}
	if !same {
		w.Errorf("%d secrets sign, or others than the %d that should", len(list), len(want))
	}
}

func TestTheFirstSecretIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	var wait sync.WaitGroup
	made := make([]standard.Secret, 8)
	for i := range made {
		k := w.server(1)
		wait.Go(func() {
			if list, err := k.For(t.Context(), "acme", "crm"); err != nil || len(list) != 1 {
				t.Error(len(list), err)
			} else {
				made[i] = list[0]
			}
		})
	}
	wait.Wait()
	for _, s := range made {
		w.want(w.server(1), s)
	}
	k := w.server(1)
	for _, other := range [][2]string{{"acme", "sales"}, {"beta", "crm"}} {
		if w.signing(k, other[0], other[1])[0] == made[0] {
			t.Errorf("%q has the same secret", other)
		}
	}
}

func TestSecretsSignBesideEachOtherForTheOverlap(t *testing.T) {
	w := newWorld(t)
	k, other := w.server(1), w.server(1)
	first := w.signing(k, "acme", "crm")[0]
	w.want(other, first)
	second := w.rotate(k, time.Hour)
	w.want(k, second, first)
	w.want(other, first) // it has asked just now
	w.now = w.now.Add(credentials.Memory)
	w.want(other, second, first)
	w.now = w.now.Add(time.Hour - 2*credentials.Memory)
	w.want(k, second, first)
	w.now = w.now.Add(credentials.Memory)
	for _, k := range []*credentials.Keeper{k, other, w.server(1)} {
		w.want(k, second)
	}
	third := w.rotate(k, 0)
	w.want(k, third)
	w.want(w.server(1), third)
}

// away is a database that does not answer while it is gone.
type away struct {
	store.Store
	gone  bool
	asked int // while it was
}

var errAway = errors.New("the database is away")

func (a *away) Secrets(ctx context.Context, org, name string, now time.Time) ([]store.Secret, error) {
	if a.gone {
		a.asked++
		return nil, errAway
	}
	return a.Store.Secrets(ctx, org, name, now)
}

func (a *away) AddSecret(ctx context.Context, org string, s store.Secret, ends time.Time, first bool) ([]store.Secret, error) {
	if a.gone {
		return nil, errAway
	}
	return a.Store.AddSecret(ctx, org, s, ends, first)
}

func TestWhatWasReadLastGoesOnWhileTheDatabaseIsAway(t *testing.T) {
	w := newWorld(t)
	db := &away{Store: w.db}
	k := w.keeper(db, 1)
	first := w.signing(k, "acme", "crm")[0]
	second := w.rotate(k, time.Minute)
	if err := k.SetValue(t.Context(), "acme", "CRM", seal.NewSecret("a")); err != nil {
		t.Fatal(err)
	}
	db.gone = true
	w.now = w.now.Add(credentials.Memory)
	w.want(k, second, first)
	w.want(k, second, first)
	if db.asked != 1 {
		t.Errorf("asked %d times at once", db.asked)
	}
	w.now = w.now.Add(time.Minute)
	w.want(k, second)
	if got, err := k.Values(t.Context(), "acme", []string{"CRM"}); err != nil || got["CRM"] != "a" {
		t.Errorf("%d values (%v)", len(got), err)
	}
	var unavailable *store.UnavailableError
	if _, err := k.For(t.Context(), "acme", "sales"); !errors.As(err, &unavailable) || !errors.Is(err, errAway) {
		t.Errorf("For: %v", err)
	}
	if _, err := k.Values(t.Context(), "acme", []string{"CRM", "OTHER"}); !errors.As(err, &unavailable) {
		t.Errorf("Values: %v", err)
	}
	db.gone = false
	w.now = w.now.Add(credentials.Memory)
	third := w.rotate(w.server(1), 0)
	w.want(k, third)
}

func TestTheSecretsThatSignAtOnceAreBounded(t *testing.T) {
	w := newWorld(t)
	k := w.server(1)
	for range 10 {
		w.rotate(k, time.Hour)
	}
	if _, err := k.Rotate(t.Context(), "acme", "crm", time.Hour); err == nil || !strings.Contains(err.Error(), "10 secrets that still sign") {
		t.Errorf("an eleventh: %v", err)
	}
	for _, overlap := range []time.Duration{-1, credentials.MaxOverlap + 1} {
		if _, err := k.Rotate(t.Context(), "acme", "crm", overlap); err == nil || !strings.Contains(err.Error(), "from 0s to") {
			t.Errorf("an overlap of %v: %v", overlap, err)
		}
	}
	w.want(k, w.rotate(k, 0))
}

func TestAServerWithAnotherKeySaysSo(t *testing.T) {
	w := newWorld(t)
	k, wrong, both := w.server(1), w.server(2), w.server(2, 1)
	first := w.signing(k, "acme", "crm")[0]
	var missing *seal.MissingKeyError
	if _, err := wrong.For(t.Context(), "acme", "crm"); !errors.As(err, &missing) || !strings.HasPrefix(err.Error(), "organization acme: secret of endpoint crm: ") {
		t.Errorf("For: %v", err)
	}
	if _, err := wrong.Rotate(t.Context(), "acme", "crm", time.Hour); !errors.As(err, &missing) {
		t.Errorf("Rotate: %v", err)
	}
	w.want(both, first)
	w.want(k, first)
	// The key is lost, and so is the secret: a new one takes its place.
	w.want(wrong, w.rotate(wrong, 0))
}

func TestValuesAreRead(t *testing.T) {
	w := newWorld(t)
	k, other := w.server(1), w.server(1)
	set := func(org, name, value string) {
		t.Helper()
		if err := k.SetValue(t.Context(), org, name, seal.NewSecret(value)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(k *credentials.Keeper, org string, values map[string]string) {
		t.Helper()
		got, err := k.Values(t.Context(), org, []string{"CRM", "OTHER"})
		if err != nil || !maps.Equal(got, values) {
			t.Errorf("%s has %d values, want %d, or they differ (%v)", org, len(got), len(values), err)
		}
	}
	want(k, "acme", map[string]string{})
	want(other, "acme", map[string]string{})
	set("acme", "CRM", "a")
	set("acme", "CRM", "b")
	set("beta", "OTHER", "c")
	w.signing(k, "acme", "CRM") // the endpoint of that name has a secret, not a value
	want(k, "acme", map[string]string{"CRM": "b"})
	want(k, "beta", map[string]string{"OTHER": "c"})
	w.now = w.now.Add(credentials.Memory)
	want(other, "acme", map[string]string{"CRM": "b"})
	if list, err := k.List(t.Context(), "acme"); err != nil || len(list) != 1 || list[0].Name != "CRM" || list[0].Created.IsZero() {
		t.Errorf("listed %v %v", list, err)
	}
	if err := k.RemoveValue(t.Context(), "acme", "CRM"); err != nil {
		t.Error(err)
	}
	if err := k.RemoveValue(t.Context(), "acme", "CRM"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	want(k, "acme", map[string]string{})
}

func TestValuesAreBounded(t *testing.T) {
	w := newWorld(t)
	k := w.server(1)
	for _, of := range []struct{ name, value, want string }{
		{"", "x", `"" cannot be the name of a secret`},
		{"a-b", "x", `"a-b" cannot be the name of a secret`},
		{strings.Repeat("a", 65), "x", "cannot be the name of a secret"},
		{"CRM", "", "the value is empty"},
		{"CRM", "\xff", "the value is not text"},
		{"CRM", "a\x00", "the value is not text"},
		{"CRM", strings.Repeat("x", 8<<10+1), "the value has 8193 bytes: at most 8192"},
	} {
		if err := k.SetValue(t.Context(), "acme", of.name, seal.NewSecret(of.value)); err == nil || !strings.Contains(err.Error(), of.want) {
			t.Errorf("%.20q: %v, want %s", of.name, err, of.want)
		}
	}
	if list, err := k.List(t.Context(), "acme"); err != nil || len(list) > 0 {
		t.Errorf("kept %v %v", list, err)
	}
}
