package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hookswitch/hookswitch/store"
)

// RunConfigurations tests that an engine keeps configurations. open returns an empty
// store.
func RunConfigurations(t *testing.T, open func(t *testing.T) store.Configurations) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Configurations)
	}{
		{"FilesComeBackToTheByte", filesComeBack},
		{"UnchangedFilesMakeNoRevision", unchangedFiles},
		{"ConflictNamesWhoApplied", conflict},
		{"ApplyIsAllOrNothing", allOrNothing},
		{"CancelledApplyIsAllOrNothing", cancelled},
		{"OneOfManyAtOnceWins", atOnce},
		{"ConfigurationsAreApart", apartConfigurations},
		{"NumberBelongsToOneOrganization", oneNumber},
		{"RemovalIsARevision", removal},
		{"EntitiesKeepTheirIDs", entities},
		{"FlowVersionsHaveTheirHistory", flowVersions},
		{"FlowVersionsAreOfTheirOrganization", commentsStay},
		{"RevisionsComeInPages", revisionPages},
		{"PathsThatLeadElsewhereAreRefused", paths},
		{"AuthorAndNoteAreALine", lines},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// change is one of an organization whose files are given as path, text, path, text …
func change(org string, base int, files ...string) store.Change {
	c := store.Change{Org: org, Base: base, Author: "ann", Note: "why", Files: store.Files{}}
	for i := 0; i < len(files); i += 2 {
		c.Files[files[i]] = []byte(files[i+1])
	}
	return c
}

// apply applies changes, and wants these new revisions.
func apply(t *testing.T, s store.Configurations, want map[string]int, changes ...store.Change) {
	t.Helper()
	got, err := s.Apply(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("new revisions %v, want %v", got, want)
	}
}

func revision(t *testing.T, s store.Configurations, org string, n int) *store.Revision {
	t.Helper()
	r, err := s.Revision(t.Context(), org, n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func current(t *testing.T, s store.Configurations) map[string]int {
	t.Helper()
	c, err := s.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func filesComeBack(t *testing.T, s store.Configurations) {
	first := change("acme", 0, "a.yaml", "# a\r\nflow: a\n", "b/c.yaml", "\ufeffflow: b", "empty.yaml", "")
	first.Folder = "customers/acme"
	apply(t, s, map[string]int{"acme": 1}, first)
	second := change("acme", 1, "a.yaml", "# a\r\nflow: a\n", "b/d.yaml", "flow: d", "empty.yaml", "no longer")
	second.Author, second.Note = "bob", ""
	apply(t, s, map[string]int{"acme": 2}, second)
	third := change("acme", 2, "b/c.yaml", "\ufeffflow: b", "empty.yaml", "", "binary", "\x00\xff")
	apply(t, s, map[string]int{"acme": 3}, third)
	for i, c := range []store.Change{first, second, third} {
		r := revision(t, s, "acme", i+1)
		if !maps.EqualFunc(r.Files, c.Files, bytes.Equal) {
			t.Errorf("revision %d has %q, want %q", r.Number, r.Files, c.Files)
		}
		if r.Author != c.Author || r.Note != c.Note || r.Folder != c.Folder || r.Counts["file"] != len(c.Files) || r.Time.IsZero() {
			t.Errorf("revision %+v of %+v", r, c)
		}
	}
	if got := current(t, s); !maps.Equal(got, map[string]int{"acme": 3}) {
		t.Errorf("current %v", got)
	}
	if _, err := s.Revision(t.Context(), "acme", 4); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revision 4: %v", err)
	}
}

func unchangedFiles(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, change("acme", 0, "a.yaml", "1"), change("beta", 0, "b.yaml", "1"))
	apply(t, s, map[string]int{}, change("acme", 1, "a.yaml", "1"), change("beta", 1, "b.yaml", "1"))
	apply(t, s, map[string]int{"beta": 2}, change("acme", 1, "a.yaml", "1"), change("beta", 1, "b.yaml", "2"))
	apply(t, s, map[string]int{"beta": 3}, change("beta", 2, "c.yaml", "2"))
	if got := current(t, s); !maps.Equal(got, map[string]int{"acme": 1, "beta": 3}) {
		t.Errorf("current %v", got)
	}
}

func conflict(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, change("acme", 0, "a.yaml", "1"), change("beta", 0, "b.yaml", "1"))
	meanwhile := change("acme", 1, "a.yaml", "2")
	meanwhile.Author = "bob"
	apply(t, s, map[string]int{"acme": 2}, meanwhile)
	for _, base := range []int{0, 1, 3} {
		_, err := s.Apply(t.Context(), []store.Change{change("beta", 1, "b.yaml", "2"), change("acme", base, "a.yaml", "3")})
		var e *store.ConflictError
		if !errors.As(err, &e) || e.Org != "acme" || e.Base != base || e.Current != 2 || e.Author != "bob" || e.Time.IsZero() {
			t.Errorf("base %d: %v", base, err)
		}
	}
	if got := current(t, s); !maps.Equal(got, map[string]int{"acme": 2, "beta": 1}) {
		t.Errorf("current %v", got)
	}
}

// full is a change with something of all that is kept.
func full(org string, base int, digit string) store.Change {
	c := change(org, base, "same.yaml", "same", "a.yaml", org+digit, digit+".yaml", digit)
	c.Entities = []store.EntityKey{{Kind: "flow", Slug: "main"}, {Kind: "flow", Slug: "f" + digit}, {Kind: store.NumberKind, Slug: org + digit}}
	c.Flows = []store.FlowVersion{{Flow: "main", Version: "000000000000000" + digit, Bundle: "flow: main # " + org + digit}}
	return c
}

// state writes down all that a store says of some organizations.
func state(t *testing.T, s store.Configurations, orgs ...string) string {
	t.Helper()
	var b strings.Builder
	for org, n := range current(t, s) {
		if slices.Contains(orgs, org) {
			orgs = append(slices.DeleteFunc(orgs, func(o string) bool { return o == org }), org)
			fmt.Fprintf(&b, "%s is at %d\n", org, n)
		}
	}
	slices.Sort(orgs)
	lines := strings.Split(b.String(), "\n")
	slices.Sort(lines)
	b.Reset()
	b.WriteString(strings.Join(lines, "\n"))
	for _, org := range orgs {
		revisions, err := s.Revisions(t.Context(), org, store.RevisionPage{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range revisions {
			files := revision(t, s, org, r.Number).Files
			fmt.Fprintf(&b, "%+v\n", r)
			for _, name := range slices.Sorted(maps.Keys(files)) {
				fmt.Fprintf(&b, "  %s %q\n", name, files[name])
			}
		}
		entities, err := s.Entities(t.Context(), org)
		if err != nil {
			t.Fatal(err)
		}
		versions, err := s.FlowVersions(t.Context(), org, "main")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%+v\n%+v\n", entities, versions)
	}
	return b.String()
}

func allOrNothing(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, full("acme", 0, "1"), full("beta", 0, "1"))
	before := state(t, s, "acme", "beta", "gamma")
	double := full("beta", 1, "2")
	double.Entities = append(double.Entities, store.EntityKey{Kind: store.NumberKind, Slug: "acme2"})
	for _, last := range []store.Change{full("beta", 7, "2"), double, change("gamma", 0, "../a.yaml", "")} {
		if _, err := s.Apply(t.Context(), []store.Change{full("acme", 1, "2"), last}); err == nil {
			t.Errorf("%s: applied", last.Org)
		}
		if after := state(t, s, "acme", "beta", "gamma"); after != before {
			t.Errorf("was\n%s\nis\n%s", before, after)
		}
	}
}

// impatient is a context that ends when it is looked at for the nth time: at each of the
// steps of whoever works under it.
type impatient struct {
	context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	left   int
}

func impatience(ctx context.Context, looks int) *impatient {
	ctx, cancel := context.WithCancel(ctx)
	return &impatient{Context: ctx, cancel: cancel, left: looks}
}

func (c *impatient) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.cancel()
	}
}

func (c *impatient) Done() <-chan struct{} {
	c.look()
	return c.Context.Done()
}

func (c *impatient) Err() error {
	c.look()
	return c.Context.Err()
}

func cancelled(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, full("acme", 0, "1"), full("beta", 0, "1"))
	before := state(t, s, "acme", "beta")
	const tries = 10_000
	for looks := 1; looks <= tries; looks++ {
		ctx := impatience(t.Context(), looks)
		_, err := s.Apply(ctx, []store.Change{full("acme", 1, "2"), full("beta", 1, "2")})
		ctx.cancel()
		if err == nil {
			break
		}
		if after := state(t, s, "acme", "beta"); after != before {
			// The answer to the commit was not waited for: then all is there.
			if got := current(t, s); !maps.Equal(got, map[string]int{"acme": 2, "beta": 2}) {
				t.Fatalf("cancelled at look %d: was\n%s\nis\n%s", looks, before, after)
			}
			break
		}
		if looks == tries {
			t.Fatal("never applied")
		}
	}
	for _, org := range []string{"acme", "beta"} {
		want := full(org, 1, "2")
		if r := revision(t, s, org, 2); !maps.EqualFunc(r.Files, want.Files, bytes.Equal) {
			t.Errorf("%s has %q", org, r.Files)
		}
	}
}

func atOnce(t *testing.T, s store.Configurations) {
	const many = 8
	var wait sync.WaitGroup
	failures := make(chan error, many)
	for i := range many {
		wait.Go(func() {
			_, err := s.Apply(t.Context(), []store.Change{change("acme", 0, "a.yaml", fmt.Sprint(i))})
			if err != nil {
				failures <- err
			}
		})
	}
	wait.Wait()
	close(failures)
	lost := 0
	for err := range failures {
		if e := (*store.ConflictError)(nil); !errors.As(err, &e) {
			t.Error(err)
		}
		lost++
	}
	if lost != many-1 || current(t, s)["acme"] != 1 {
		t.Errorf("%d lost, current %v", lost, current(t, s))
	}
}

func apartConfigurations(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1}, full("acme", 0, "1"))
	before := state(t, s, "acme")
	if _, err := s.Revision(t.Context(), "beta", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revision: %v", err)
	}
	if r, err := s.Revisions(t.Context(), "beta", store.RevisionPage{}); err != nil || len(r) > 0 {
		t.Errorf("revisions: %v %v", r, err)
	}
	if e, err := s.Entities(t.Context(), "beta"); err != nil || len(e) > 0 {
		t.Errorf("entities: %v %v", e, err)
	}
	if f, err := s.FlowVersions(t.Context(), "beta", "main"); err != nil || len(f) > 0 {
		t.Errorf("versions: %v %v", f, err)
	}
	apply(t, s, map[string]int{"beta": 1}, full("beta", 0, "2"))
	apply(t, s, map[string]int{"beta": 2}, store.Change{Org: "beta", Base: 1, Remove: true})
	if after := state(t, s, "acme"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

func number(org string, base int, numbers ...string) store.Change {
	c := change(org, base, "numbers.yaml", strings.Join(numbers, " "))
	for _, n := range numbers {
		c.Entities = append(c.Entities, store.EntityKey{Kind: store.NumberKind, Slug: n})
	}
	return c
}

func oneNumber(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, number("acme", 0, "1001", "1002"), number("beta", 0, "2001"))
	_, err := s.Apply(t.Context(), []store.Change{number("beta", 1, "2001", "1002")})
	if e := (*store.NumberTakenError)(nil); !errors.As(err, &e) || e.Org != "acme" || e.Number != "1002" {
		t.Errorf("a number of another organization: %v", err)
	}
	_, err = s.Apply(t.Context(), []store.Change{number("gamma", 0, "3001"), number("delta", 0, "3001")})
	if e := (*store.NumberTakenError)(nil); !errors.As(err, &e) || e.Org != "gamma" || e.Number != "3001" {
		t.Errorf("the same number twice: %v", err)
	}
	// It moves in one apply, whatever comes first.
	apply(t, s, map[string]int{"acme": 2, "beta": 2}, number("beta", 1, "2001", "1002"), number("acme", 1, "1001"))
	apply(t, s, map[string]int{"acme": 3, "beta": 3}, number("beta", 2, "2001"), number("acme", 2, "1001", "1002"))
}

func removal(t *testing.T, s store.Configurations) {
	apply(t, s, map[string]int{"acme": 1, "beta": 1}, number("acme", 0, "1001"), number("beta", 0, "2001"))
	_, err := s.Apply(t.Context(), []store.Change{{Org: "acme", Base: 2, Remove: true}})
	if e := (*store.ConflictError)(nil); !errors.As(err, &e) {
		t.Errorf("of another revision: %v", err)
	}
	apply(t, s, map[string]int{"acme": 2}, store.Change{Org: "acme", Base: 1, Remove: true, Author: "bob"})
	if got := current(t, s); !maps.Equal(got, map[string]int{"beta": 1}) {
		t.Errorf("current %v", got)
	}
	if r := revision(t, s, "acme", 2); !r.Removed || len(r.Files) > 0 || r.Author != "bob" {
		t.Errorf("revision %+v", r)
	}
	if r := revision(t, s, "acme", 1); len(r.Files) != 1 {
		t.Errorf("before its removal it has %q", r.Files)
	}
	_, err = s.Apply(t.Context(), []store.Change{number("acme", 2, "1001")})
	if e := (*store.ConflictError)(nil); !errors.As(err, &e) || e.Current != 0 {
		t.Errorf("a change of what was removed: %v", err)
	}
	apply(t, s, map[string]int{"beta": 2}, number("beta", 1, "1001"))
	apply(t, s, map[string]int{"acme": 3}, number("acme", 0, "2001"))
}

func entities(t *testing.T, s store.Configurations) {
	with := func(base int, keys ...store.EntityKey) store.Change {
		c := change("acme", base, "a.yaml", fmt.Sprint(keys))
		c.Entities = keys
		return c
	}
	alice, bob, plan := store.EntityKey{Kind: "target", Slug: "alice"}, store.EntityKey{Kind: "target", Slug: "bob"}, store.EntityKey{Kind: "plan", Slug: "alice"}
	list := func() map[store.EntityKey]store.Entity {
		got, err := s.Entities(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		out := map[store.EntityKey]store.Entity{}
		for _, e := range got {
			out[e.EntityKey] = e
		}
		return out
	}
	apply(t, s, map[string]int{"acme": 1}, with(0, alice, plan, alice))
	if c := revision(t, s, "acme", 1).Counts; c["target"] != 1 || c["plan"] != 1 || c["file"] != 1 {
		t.Errorf("counts %v", c)
	}
	before := list()
	apply(t, s, map[string]int{"acme": 2}, with(1, bob, plan))
	after := list()
	if a := after[alice]; a.ID != before[alice].ID || a.First != 1 || a.Last != 1 {
		t.Errorf("taken out: %+v, was %+v", a, before[alice])
	}
	if b := after[bob]; b.ID == "" || b.ID == before[alice].ID || b.First != 2 || b.Last != 0 {
		t.Errorf("put in: %+v", b)
	}
	if after[plan] != before[plan] {
		t.Errorf("left alone: %+v, was %+v", after[plan], before[plan])
	}
	apply(t, s, map[string]int{"acme": 3}, with(2, alice, bob, plan))
	if a := list()[alice]; a != before[alice] {
		t.Errorf("put in again: %+v, was %+v", a, before[alice])
	}
}

func revisionPages(t *testing.T, s store.Configurations) {
	for i := range 5 {
		apply(t, s, map[string]int{"acme": i + 1}, change("acme", i, "a.yaml", fmt.Sprint(i)))
	}
	var got []int
	for page := (store.RevisionPage{Limit: 2}); ; page.Before = got[len(got)-1] {
		revisions, err := s.Revisions(t.Context(), "acme", page)
		if err != nil {
			t.Fatal(err)
		}
		if len(revisions) == 0 {
			break
		}
		for _, r := range revisions {
			got = append(got, r.Number)
		}
	}
	if !slices.Equal(got, []int{5, 4, 3, 2, 1}) {
		t.Errorf("revisions %v", got)
	}
}

func paths(t *testing.T, s store.Configurations) {
	for _, name := range []string{"", ".", "/etc/passwd", "../a.yaml", "a/../../b.yaml", "a//b", "a/", `a\b`, "a\x00b", "a\nb", strings.Repeat("a", 256), "a\xff"} {
		if got, err := s.Apply(t.Context(), []store.Change{change("acme", 0, name, "x")}); err == nil {
			t.Errorf("%q was applied: %v", name, got)
		}
	}
	if _, err := s.Apply(t.Context(), []store.Change{change("acme", 0, "big.yaml", strings.Repeat("x", store.MaxFile+1))}); err == nil {
		t.Error("a file that is too large was applied")
	}
	if got := current(t, s); len(got) > 0 {
		t.Errorf("current %v", got)
	}
}

func lines(t *testing.T, s store.Configurations) {
	for _, text := range []string{"two\nlines", "\x1b[31mred", "\xff", strings.Repeat("x", 2001)} {
		author, note := change("acme", 0), change("acme", 0)
		author.Author, note.Note = text, text
		for _, c := range []store.Change{author, note} {
			if got, err := s.Apply(t.Context(), []store.Change{c}); err == nil {
				t.Errorf("%.20q was applied: %v", text, got)
			}
		}
	}
}
