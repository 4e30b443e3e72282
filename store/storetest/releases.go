package storetest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// Databases makes databases of an engine from SQL, and SQL from databases.
type Databases struct {
	Empty func(t testing.TB) (at string) // says where it is
	Open  func(t testing.TB, at string) store.Store
	Exec  func(t testing.TB, at, sql string) // any number of statements
	Dump  func(t testing.TB, at string) (schema, rows string)
}

// Where the databases of earlier releases are, below the folder of an engine: NAME.sql
// makes one, and NAME.json says what its release told of each organization in it.
const releases = "testdata/releases"

// RunReleases tests that the program finds all that is in the databases of earlier
// releases, that it makes the same tables of them as of nothing, and goes on with them.
// With RELEASE=NAME in the environment it first adds a database of the present one.
func RunReleases(t *testing.T, d Databases) {
	if name := os.Getenv("RELEASE"); name != "" {
		write(t, d, filepath.Join(releases, name))
	}
	files, err := filepath.Glob(filepath.Join(releases, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no database of an earlier release (%v)", err)
	}
	fresh := d.Empty(t)
	fill(t, d.Open(t, fresh)) // some tables are made by what is written
	want, _ := d.Dump(t, fresh)
	for _, file := range files {
		name := strings.TrimSuffix(file, ".sql")
		t.Run(filepath.Base(name), func(t *testing.T) {
			at := d.Empty(t)
			d.Exec(t, at, read(t, file))
			s := d.Open(t, at)
			var told map[string][]any
			if err := json.Unmarshal([]byte(read(t, name+".json")), &told); err != nil {
				t.Fatal(err)
			}
			for org, views := range told {
				compareViews(t, org, views, viewsOf(t, s, org))
			}
			if schema, _ := d.Dump(t, at); schema != want {
				t.Errorf("a migration was changed after this release (see Migrations in CONTRIBUTING.md): its tables have\n%s\nnew ones\n%s",
					onlyIn(schema, want), onlyIn(want, schema))
			}
			goOn(t, s)
		})
	}
}

// onlyIn returns the lines of a text that another one does not have.
func onlyIn(text, other string) string {
	have := strings.Split(other, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return slices.Contains(have, line) }), "\n")
}

// RunBesideLater tests that a program that runs goes on while a later one adds to its
// tables what CONTRIBUTING.md allows a migration.
func RunBesideLater(t *testing.T, d Databases) {
	at := d.Empty(t)
	s := d.Open(t, at)
	fill(t, s)
	before := everything(t, s, "acme")
	schema, _ := d.Dump(t, at)
	tables := createTable.FindAllStringSubmatch(schema, -1)
	if len(tables) < 10 {
		t.Fatalf("only the tables %q", tables)
	}
	for _, table := range tables {
		if strings.Contains(schema, "ATTACH PARTITION public."+table[1]+" ") {
			continue
		}
		d.Exec(t, at, fmt.Sprintf(`ALTER TABLE %s ADD COLUMN later_1 text;
			ALTER TABLE %[1]s ADD COLUMN later_2 integer NOT NULL DEFAULT 7;
			CREATE INDEX later_of_%[1]s ON %[1]s (later_2);`, table[1]))
	}
	d.Exec(t, at, "CREATE TABLE later (id integer PRIMARY KEY, name text NOT NULL)")
	if after := everything(t, s, "acme"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	goOn(t, s)
}

var createTable = regexp.MustCompile(`CREATE TABLE (?:public\.)?(\w+)`)

// write writes a database of this release.
func write(t *testing.T, d Databases, name string) {
	at := d.Empty(t)
	s := d.Open(t, at)
	fill(t, s)
	told := map[string][]any{"acme": viewsOf(t, s, "acme"), "beta": viewsOf(t, s, "beta")}
	text, err := json.MarshalIndent(told, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	schema, rows := d.Dump(t, at)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	for suffix, content := range map[string]string{".json": string(text) + "\n", ".sql": schema + rows} {
		if err := os.WriteFile(name+suffix, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// begun and settling are what two nodes told of one call.
var (
	begun = story("acme", "settling", "n3", 1, began,
		call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550111", "to": "+15550100"}})
	settling = story("acme", "settling", "n2", 2, began.Add(time.Minute),
		call.Event{Type: call.Resumed, Attrs: map[string]string{"from_node": "n3"}},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})
)

// fill writes calls in every state, revisions, slots, keys, secrets and requests.
func fill(t testing.TB, s store.Store) {
	populate(t, s, "acme")
	n2 := newJournal(t, s, "n2")
	n2.send(began.Add(time.Hour), simple("beta", "call of beta", began)...)
	n2.send(began.Add(time.Hour), settling...)
	n2.send(began.Add(time.Hour), simple("acme", "open", began)[:2]...)
	if _, err := s.Apply(t.Context(), []store.Change{full("acme", 1, "2"), full("beta", 0, "3")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), []call.Claim{claimOf("beta", "call of beta", "leg of beta")}); err != nil {
		t.Fatal(err)
	}
}

// goOn lets the store do everything with what fill has written.
func goOn(t testing.TB, s store.Store) {
	ctx := t.Context()
	j := newJournal(t, s, "n2")
	at, err := s.Position(ctx, j.id)
	if err != nil || at == (store.Position{}) {
		t.Fatalf("position of a journal: %s %v", at, err)
	}
	j.at = at
	open, fresh := simple("acme", "open", began), simple("acme", "new", began.AddDate(1, 0, 0))
	j.send(began.Add(2*time.Hour), slices.Concat(open[2:], fresh)...)
	expect(t, s, "acme", "open", open, store.Complete)
	expect(t, s, "acme", "new", fresh, store.Complete)
	expect(t, s, "acme", "settling", settling, store.Settling)
	newJournal(t, s, "n3").send(began.Add(2*time.Minute), begun...)
	expect(t, s, "acme", "settling", slices.Concat(begun, settling), store.Complete)
	current, err := s.Current(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next := current["acme"] + 1
	if got, err := s.Apply(ctx, []store.Change{full("acme", next-1, "4")}); err != nil || got["acme"] != next {
		t.Errorf("applied %v %v, want revision %d", got, err, next)
	}
	c := claimOf("acme", "another call", "another leg")
	if r, err := s.Reserve(ctx, []call.Claim{c}); err != nil || r[0].Refused == nil {
		t.Errorf("what was taken of a cap of 1 is not known: %+v %v", r, err)
	}
	if err := s.Post(ctx, []store.Entry{{What: store.Released, Claim: claimOf("acme", "call of acme", "leg of acme")}}); err != nil {
		t.Error(err)
	}
	if turns, err := s.Turns(ctx, []store.TurnKey{{Org: "acme", Key: "sales"}}); err != nil || turns[0] != 1 {
		t.Errorf("turns %v %v, want 1", turns, err)
	}
	if _, err := s.Beat(ctx, "n1"); err != nil {
		t.Error(err)
	}
	if err := s.AddKey(ctx, "acme", keyOf("acme", "another")); err != nil {
		t.Error(err)
	}
	if secrets, err := s.AddSecret(ctx, "acme", secretOf("next"), began.Add(time.Hour), false); err != nil || len(secrets) != 2 {
		t.Errorf("%d secrets (%v), want 2", len(secrets), err)
	}
	if n, err := s.KeepRequest(ctx, "acme", requestOf(began)); err != nil || n < 2 {
		t.Errorf("request %d %v", n, err)
	}
	if err := s.PruneRequests(ctx, began); err != nil {
		t.Error(err)
	}
	if _, err := s.Slots(ctx, store.IdleQuery{Limit: 10}); err != nil {
		t.Error(err)
	}
	if err := s.PruneShared(ctx, time.Hour); err != nil {
		t.Error(err)
	}
	again := to("call of acme", input("another sale", paying(store.Revenue, "40"), paying(store.Payout, "25.5"), converting(true), untagging("of")))
	again.Key = "sale of acme"
	if r, err := s.Receive(ctx, "acme", again); err != nil || !r.Repeated || r.ID != "sale of acme" {
		t.Errorf("what was received with a key is not known: %+v %v", r, err)
	}
	join(t, s, "live call of acme", "", "data of acme")
	j.send(began.Add(2*time.Hour), story("acme", "next", "n2", 1, began.Add(10*time.Minute), call.Event{Type: call.Started, Attrs: map[string]string{"from": "+13105550198"}},
		call.Event{Type: call.Ended, Cause: call.NormalClearing})...)
	conclude(t, s, began, 1)
	if c := got(t, s, "next"); tagsOf(c)["of"] != "acme" {
		t.Errorf("what waited for the caller is not in %s", text(c))
	}
	deliverOn(t, s)
	if _, _, err := s.Settle(ctx, began.Add(3*time.Hour), patience); err != nil {
		t.Error(err)
	}
	if n, err := s.Prune(ctx, "acme", began.Add(2*time.Hour), 100); err != nil || n != 4 {
		t.Errorf("%d calls were removed (%v), want 4", n, err)
	}
}

// deliverOn goes on with the deliveries of populateOutbox.
func deliverOn(t testing.TB, s store.Store) {
	ctx := t.Context()
	if err := s.Forsake(ctx, "n1"); err != nil {
		t.Error(err)
	}
	send(t, s, "call of acme", "crm", "later")
	w := newWorker(t, s, "n1", "crm", "leased", "failing")
	for _, d := range w.claims("crm", "leased") {
		w.delivers(d)
	}
	if n, err := s.Resend(ctx, "acme", store.Resending{Endpoint: "done"}); err != nil || n != 1 {
		t.Errorf("%d sent again (%v), want 1", n, err)
	}
	if err := s.PruneOutbox(ctx, began.AddDate(0, 0, 2)); err != nil {
		t.Error(err)
	}
	w.delivers(w.claims("later")["later"])
}

// viewsOf returns all that an organization has, as JSON knows it.
func viewsOf(t testing.TB, s store.Store, org string) (all []any) {
	for line := range strings.Lines(everything(t, s, org)) {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// compareViews wants everything that a release told to be told now. More may be told.
func compareViews(t testing.TB, where string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, _ := got.(map[string]any)
		for k, v := range want {
			compareViews(t, where+"."+k, v, object[k])
		}
	case []any:
		list, _ := got.([]any)
		if len(list) < len(want) { // views may be added at the end
			t.Errorf("%s: %d entries, the release had %d", where, len(list), len(want))
			return
		}
		for i, v := range want {
			compareViews(t, fmt.Sprintf("%s[%d]", where, i), v, list[i])
		}
	default:
		if got != want {
			t.Errorf("%s is %v, the release had %v", where, got, want)
		}
	}
}
