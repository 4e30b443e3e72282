package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// RunSecrets tests that an engine keeps secrets. open returns an empty store.
func RunSecrets(t *testing.T, open func(t *testing.T) store.Secrets) {
	for name, test := range map[string]func(*testing.T, store.Secrets){
		"a secret comes back to the byte":                 secretKept,
		"the secrets before end, and are gone afterwards": secretsReplaced,
		"of many who make the first, one does":            firstSecret,
		"the first is made where the others have ended":   firstAfterAll,
		"secrets are removed by name":                     secretsRemoved,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// addSecret adds one of acme, and wants these sealed texts to hold then.
func addSecret(t *testing.T, s store.Secrets, secret store.Secret, ends time.Time, first bool, want ...string) {
	t.Helper()
	list, err := s.AddSecret(t.Context(), "acme", secret, ends, first)
	if err != nil {
		t.Fatal(err)
	}
	wantSecrets(t, list, want...)
}

func wantSecrets(t *testing.T, list []store.Secret, want ...string) {
	t.Helper()
	var got []string
	for _, s := range list {
		got = append(got, string(s.Sealed))
	}
	if !slices.Equal(got, want) {
		t.Errorf("secrets %q, want %q", got, want)
	}
}

func secretsAt(t *testing.T, s store.Secrets, org, name string, at time.Time) []store.Secret {
	t.Helper()
	list, err := s.Secrets(t.Context(), org, name, at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func secretKept(t *testing.T, s store.Secrets) {
	ends := began.Add(time.Hour)
	want := store.Secret{Name: "value/CRM", Sealed: []byte("\x00\xff'\n"), KeyID: "k2", Created: began, Ends: &ends}
	addSecret(t, s, want, began, false, string(want.Sealed))
	if got := secretsAt(t, s, "acme", "value/CRM", began); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	wantSecrets(t, secretsAt(t, s, "acme", "value/CRM", ends))
	wantSecrets(t, secretsAt(t, s, "acme", "value/crm", began))
	wantSecrets(t, secretsAt(t, s, "beta", "value/CRM", began))
	wantSecrets(t, secretsAt(t, s, "acme", "value/CRM\x00", began))
	wantSecrets(t, secretsAt(t, s, "acme", "value/CRM\xff", began))
}

func secretsReplaced(t *testing.T, s store.Secrets) {
	at := func(hours int) time.Time { return began.Add(time.Duration(hours) * time.Hour) }
	one, two, three := secretOf("one"), secretOf("two"), secretOf("three")
	two.Created, three.Created = at(1), at(2)
	addSecret(t, s, one, at(0), false, "one")
	addSecret(t, s, two, at(3), false, "two", "one")
	addSecret(t, s, three, at(9), false, "three", "two", "one")
	for hour, want := range map[int][]string{2: {"three", "two", "one"}, 3: {"three", "two"}, 9: {"three"}} {
		wantSecrets(t, secretsAt(t, s, "acme", "endpoint/crm", at(hour)), want...)
	}
	four := secretOf("four")
	four.Created = at(4)
	addSecret(t, s, four, at(4), false, "four")
	wantSecrets(t, secretsAt(t, s, "acme", "endpoint/crm", at(0)), "four") // what has ended is kept by nobody
}

func firstSecret(t *testing.T, s store.Secrets) {
	var wait sync.WaitGroup
	told := make([]string, 8)
	for i := range told {
		wait.Go(func() {
			list, err := s.AddSecret(t.Context(), "acme", secretOf(fmt.Sprint(i)), began, true)
			if err != nil || len(list) != 1 {
				t.Errorf("%d secrets, %v", len(list), err)
				return
			}
			told[i] = string(list[0].Sealed)
		})
	}
	wait.Wait()
	for _, sealed := range told {
		wantSecrets(t, secretsAt(t, s, "acme", "endpoint/crm", began), sealed)
	}
}

func firstAfterAll(t *testing.T, s store.Secrets) {
	ended := secretOf("ended")
	ends := began.Add(time.Hour)
	ended.Ends = &ends
	addSecret(t, s, ended, began, true, "ended")
	addSecret(t, s, secretOf("not the first"), began, true, "ended")
	late := secretOf("late")
	late.Created = ends
	addSecret(t, s, late, began, true, "late")
}

func secretsRemoved(t *testing.T, s store.Secrets) {
	for _, org := range []string{"acme", "beta"} {
		for _, name := range []string{"value/B", "value/A", "endpoint/crm", "value/B"} {
			secret := secretOf(org)
			secret.Name = name
			if _, err := s.AddSecret(t.Context(), org, secret, began.Add(time.Hour), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.RemoveSecrets(t.Context(), "acme", "value/B"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"value/B", "value/A\x00", "value/A\xff"} {
		if err := s.RemoveSecrets(t.Context(), "acme", name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removed %q, which is not there: %v", name, err)
		}
	}
	for org, want := range map[string]string{"acme": "endpoint/crm value/A", "beta": "endpoint/crm value/A value/B", "": ""} {
		if names, err := s.SecretNames(t.Context(), org); err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s has %q %v, want %s", org, names, err, want)
		}
	}
}
