package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/hookswitch/hookswitch/store"
)

func flowVersions(t *testing.T, s store.Configurations) {
	with := func(base int, author, version string) store.Change {
		c := change("acme", base, "a.yaml", author)
		c.Author = author
		c.Flows = []store.FlowVersion{{Flow: "main", Version: version, Bundle: "flow: main # " + version}, {Flow: "other", Version: "cc", Bundle: "flow: other"}}
		return c
	}
	apply(t, s, map[string]int{"acme": 1}, with(0, "ann", "aa"))
	apply(t, s, map[string]int{"acme": 2}, with(1, "bob", "bb"))
	list := func() (out []string) {
		versions, err := s.FlowVersions(t.Context(), "acme", "main")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range versions {
			out = append(out, fmt.Sprintf("%s by %s, %d to %d", v.Version, v.Author, v.First, v.Last))
			if v.Flow != "main" || v.Note != "why" || v.Time.IsZero() {
				t.Errorf("version %+v", v)
			}
		}
		return out
	}
	if got := list(); !slices.Equal(got, []string{"bb by bob, 2 to 0", "aa by ann, 1 to 1"}) {
		t.Errorf("versions %v", got)
	}
	apply(t, s, map[string]int{"acme": 3}, with(2, "eve", "aa"))
	if got := list(); !slices.Equal(got, []string{"aa by ann, 1 to 0", "bb by bob, 2 to 2"}) {
		t.Errorf("versions %v", got)
	}
	f, err := s.FlowVersion(t.Context(), "acme", "main", "bb")
	if err != nil || f.Bundle != "flow: main # bb" || f.Author != "bob" {
		t.Errorf("%+v %v", f, err)
	}
	if bundle, err := s.FlowBundle(t.Context(), "main", "bb"); err != nil || bundle != "flow: main # bb" {
		t.Errorf("bundle %q %v", bundle, err)
	}
	for _, of := range [][3]string{{"acme", "main", "cc"}, {"beta", "main", "bb"}, {"acme", "main\x00", "bb"}, {"acme", "main", "bb\xff"}} {
		if _, err := s.FlowVersion(t.Context(), of[0], of[1], of[2]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q: %v", of, err)
		}
	}
	for _, of := range [][2]string{{"main", "cc"}, {"main", "bb\x00"}, {"main\xff", "bb"}} {
		if _, err := s.FlowBundle(t.Context(), of[0], of[1]); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("bundle of %q: %v", of, err)
		}
	}
	if list, err := s.FlowVersions(t.Context(), "acme", "main\x00"); err != nil || len(list) > 0 {
		t.Errorf("versions of what cannot be a flow: %v %v", list, err)
	}
}

// commentsStay: two organizations have one version of a flow, and each its own comments.
func commentsStay(t *testing.T, s store.Configurations) {
	orgs := []string{"acme", "beta", "corp"}
	for _, org := range orgs {
		c := change(org, 0, "a.yaml", org)
		c.Author = "ann of " + org
		c.Flows = []store.FlowVersion{{Flow: "main", Version: "aa", Bundle: "flow: main # " + org}}
		apply(t, s, map[string]int{org: 1}, c)
	}
	for _, org := range orgs {
		if f, err := s.FlowVersion(t.Context(), org, "main", "aa"); err != nil || f.Bundle != "flow: main # "+org || f.Author != "ann of "+org {
			t.Errorf("of %s: %+v %v", org, f, err)
		}
	}
}
