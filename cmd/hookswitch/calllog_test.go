package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// kept is a store of some calls, newest first, that gives two a page.
type kept struct {
	calls []*store.Call
	at    store.Position
	err   error
}

func (k *kept) Search(_ context.Context, org string, q store.Query) (store.Page, error) {
	var page store.Page
	for _, c := range k.calls {
		switch {
		case c.Org != org || !q.Matches(c) || q.After != "" && c.ID >= q.After:
		case len(page.Calls) == 2:
			page.Next = page.Calls[1].ID
			return page, k.err
		default:
			page.Calls = append(page.Calls, &store.Call{Org: org, ID: c.ID, State: c.State, Started: c.Started})
		}
	}
	return page, k.err
}

func (k *kept) Call(_ context.Context, org, id string) (*store.Call, error) {
	if k.err != nil {
		return nil, k.err
	}
	for _, c := range k.calls {
		if c.Org == org && strings.HasPrefix(c.ID, id) {
			return c, nil
		}
	}
	return nil, store.ErrNotFound
}

func (k *kept) Organizations(context.Context) ([]string, error) {
	var orgs []string
	for _, c := range k.calls {
		orgs = append(orgs, c.Org)
	}
	slices.Sort(orgs)
	return slices.Compact(orgs), k.err
}

func (k *kept) Position(context.Context, string) (store.Position, error) { return k.at, k.err }
func (k *kept) Close() error                                             { return nil }

// acme is an event of the organization acme.
func acme(id string, epoch, seq int, after time.Duration, typ call.Type) call.Event {
	return event(id, epoch, seq, after, call.Event{Org: "acme", Node: "n1", Type: typ})
}

func TestAllPagesOfAStoreAreListed(t *testing.T) {
	db := &kept{}
	for _, id := range []string{"e", "d", "c", "b", "a"} {
		db.calls = append(db.calls, store.Project([]call.Event{acme(id, 1, 1, 0, call.Started)}))
	}
	db.calls = append(db.calls, store.Project([]call.Event{event("0", 1, 1, 0, call.Event{Org: "other", Type: call.Started})}))
	log := &storeLog{db: db, own: &journalLog{dirs: []string{t.TempDir()}}}
	for limit, want := range map[int]string{0: "edcba", 1: "e", 3: "edc", 9: "edcba"} {
		got, legs := "", 0
		for c, err := range atMost(limit, log.Calls(t.Context(), "acme", store.Query{}, limit == 3)) {
			if err != nil {
				t.Fatal(err)
			}
			got += c.ID
			legs += len(c.Legs)
		}
		if got != want || (legs > 0) != (limit == 3) {
			t.Errorf("at most %d: %s with %d legs, want %s", limit, got, legs, want)
		}
	}
}

func TestTheOnlyOrganizationNeedNotBeNamed(t *testing.T) {
	log := &storeLog{db: &kept{}}
	for i, of := range []struct {
		adds string
		want string
		says string
	}{{}, {adds: "acme", want: "acme"}, {adds: "beta", says: "2 organizations have calls, --org names the one that is meant: acme, beta"}} {
		if i > 0 {
			log.db.(*kept).calls = append(log.db.(*kept).calls, &store.Call{}, &store.Call{Org: of.adds})
		}
		got, err := log.Organization(t.Context())
		if got != of.want || (err != nil) != (of.says != "") || err != nil && err.Error() != of.says {
			t.Errorf("%q, %v; want %q, %q", got, err, of.want, of.says)
		}
	}
}

func TestACallNamesItsOrganization(t *testing.T) {
	log := &storeLog{db: &kept{calls: []*store.Call{{ID: "1a"}, {Org: "acme", ID: "1b"}, {Org: "beta", ID: "1b"}, {Org: "beta", ID: "2"}}}}
	for id, of := range map[string]struct{ want, says string }{
		"2":  {want: "beta"},
		"1a": {},
		"3":  {},
		"1b": {says: `calls of several organizations begin with "1b", --org names the one that is meant: acme, beta`},
		"1":  {says: `calls of several organizations begin with "1", --org names the one that is meant: "", acme, beta`},
	} {
		got, err := log.OrganizationOf(t.Context(), id)
		if got != of.want || (err != nil) != (of.says != "") || err != nil && err.Error() != of.says {
			t.Errorf("%s: %q, %v; want %q, %q", id, got, err, of.want, of.says)
		}
	}
}

func TestALogThatFailsPrintsNoNames(t *testing.T) {
	log := &storeLog{db: &kept{err: errors.New("away")}, own: &journalLog{dirs: []string{t.TempDir()}}}
	for _, format := range []output{outputText, outputCSV, outputJSON} {
		var out strings.Builder
		if err := printCalls(&out, log.Calls(t.Context(), "acme", store.Query{}, false), format, false, began); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v, printed %q", format, err, out.String())
		}
	}
}

// drained has the store of the commands hold events.
func drained(t *testing.T, events ...call.Event) {
	t.Helper()
	t.Setenv("HOOKSWITCH_DATA", t.TempDir())
	db, err := openStore(t.Context(), &settings{Data: os.Getenv("HOOKSWITCH_DATA")})
	if err != nil {
		t.Fatal(err)
	}
	b := store.Batch{Journal: "j", Node: "n1", To: store.Position{Segment: 1, Offset: 1}, Until: began}
	for _, e := range events {
		b.Lines = append(b.Lines, store.Line{Event: e, Raw: journal.AppendEvent(nil, e)})
	}
	if err := errors.Join(db.Append(t.Context(), b), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Values of tags that the configuration says are private are shown to whoever asks for
// them; where it cannot be read, any tag may be one.
func TestPrivateTagsAreMasked(t *testing.T) {
	tagged := func(seq int, name, value string) call.Event {
		e := acme(first, 1, seq, time.Second, call.Tagged)
		e.Attrs = map[string]string{"tag": name, "value": value, "replaced": "old-" + value}
		return e
	}
	drained(t, acme(first, 1, 1, 0, call.Started), tagged(2, "card", "Visa 9"), tagged(3, "state", "TX"), acme(first, 1, 4, time.Minute, call.Ended))
	t.Chdir(t.TempDir())
	files(t, map[string]string{"acme.yaml": "organization: acme\n---\ntags: {card: {privacy: private}, state: {}}\n"})
	for _, c := range []struct {
		settings, line string
		card, state    bool // are shown
	}{
		{"config_dir: .", "show " + first, false, true}, {"config_dir: .", "show -o json " + first, false, true}, {"config_dir: .", "list --legs -o json", false, true},
		{"config_dir: .", "show --private " + first, true, true}, {"config_dir: .", "list --private --legs -o json", true, true},
		{"config_dir: none", "show " + first, false, false}, {"config_dir: none", "show --private " + first, true, true},
	} {
		out, errs, err := command(t, append([]string{"calls", "--config", settingsText(t, c.settings)}, strings.Fields(c.line)...)...)
		if err != nil || strings.Contains(out, "Visa 9") != c.card || strings.Contains(out, "TX") != c.state || (errs == "") != (c.state || c.card) {
			t.Errorf("%s, calls %s: %v, %s, printed:\n%s", c.settings, c.line, err, errs, out)
		}
	}
}

// Where the organization is not configured any more, any tag may have been private.
func TestTagsOfAnOrganizationThatIsGoneAreMasked(t *testing.T) {
	tagged := acme(first, 1, 2, time.Second, call.Tagged)
	tagged.Attrs = map[string]string{"tag": "card", "value": "Visa 9"}
	drained(t, acme(first, 1, 1, 0, call.Started), tagged, acme(first, 1, 3, time.Minute, call.Ended))
	t.Chdir(t.TempDir())
	files(t, map[string]string{"other.yaml": "organization: other\n"})
	for line, shown := range map[string]bool{"show " + first: false, "show --private " + first: true} {
		out, _, err := command(t, append([]string{"calls", "--config", settingsText(t, "config_dir: .")}, strings.Fields(line)...)...)
		if err != nil || strings.Contains(out, "Visa 9") != shown || !strings.Contains(out, "card") {
			t.Errorf("calls %s: %v, printed:\n%s", line, err, out)
		}
	}
}

// What a server has drained is read with its settings alone.
func TestCallsAreReadFromTheStore(t *testing.T) {
	drained(t, acme(first, 1, 1, 0, call.Started), acme(first, 1, 2, time.Second, call.Ended), acme(second, 1, 1, 0, call.Started))
	for line, want := range map[string]string{
		"list -o csv --state open":       "\r\nacme," + second + ",open,",
		"list -o csv --legs":             "\r\nacme," + first + "," + first + ",A,",
		"show 11111111":                  first + "  - → -\n",
		"show 11111111 --org acme":       "  call.ended",
		"list -o csv --org other":        "org,call,state,",
		"list --limit 1 --since 100000h": shortID(second),
	} {
		out, errs, err := command(t, append([]string{"calls"}, strings.Fields(line)...)...)
		if err != nil || errs != "" || !strings.Contains(out, want) {
			t.Errorf("calls %s: %v, %s, printed:\n%s", line, err, errs, out)
		}
	}
	if _, _, err := command(t, "calls", "show", first, "--org", "other"); err == nil {
		t.Error("another organization was shown the call")
	}
	if _, _, err := command(t, "calls", "show", first, "--data", t.TempDir()); err == nil {
		t.Error("the call is in another folder")
	}
}

func TestWhatTheStoreDoesNotHaveYetIsInTheJournal(t *testing.T) {
	started, step, ended := acme(first, 1, 1, 0, call.Started), acme(first, 1, 2, time.Second, call.Step), acme(first, 1, 3, 2*time.Second, call.Ended)
	full, none := []call.Event{started, step, ended}, []call.Event(nil)
	for name, c := range map[string]struct {
		stored, journal []call.Event
		err             error
		events          int
		said            string
	}{
		"all is there":              {stored: full, journal: none, events: 3},
		"the store has less":        {stored: full[:1], journal: full, events: 3, said: "the store is behind, 2 events are from the journal"},
		"the store has more":        {stored: full[:2], journal: full[:1], events: 2},
		"the store has nothing":     {journal: full, events: 3, said: "the store does not have this call yet"},
		"the store does not answer": {journal: full, err: errors.New("no route to host"), events: 3, said: "the store cannot be read, this is from the journal alone: no route to host"},
		"nobody has it":             {},
	} {
		t.Run(name, func(t *testing.T) {
			db := &kept{err: c.err}
			if c.stored != nil {
				db.calls = append(db.calls, store.Project(c.stored))
			}
			var said bytes.Buffer
			log := &storeLog{db: db, own: &journalLog{dirs: []string{written(t, c.journal...)}, warn: &said}}
			got, err := log.Call(t.Context(), "acme", first[:8])
			if c.events == 0 {
				if !errors.Is(err, store.ErrNotFound) {
					t.Errorf("found %+v, %v", got, err)
				}
				return
			}
			if err != nil || len(got.Events) != c.events || !strings.Contains(said.String(), c.said) || (c.said == "") != (said.Len() == 0) {
				t.Errorf("%v, %+v, said %q; want %d events, %q", err, got, &said, c.events, c.said)
			}
		})
	}
	log := &storeLog{db: &kept{err: errors.New("no route to host")}, own: &journalLog{dirs: []string{written(t)}}}
	if _, err := log.Call(t.Context(), "acme", first); err == nil || err.Error() != "no route to host" {
		t.Errorf("nobody knows: %v", err)
	}
	for _, err := range log.Calls(t.Context(), "acme", store.Query{}, false) {
		if err == nil || !strings.Contains(err.Error(), "no route to host; --journal ") {
			t.Errorf("a list without a store: %v", err)
		}
	}
}

func TestAStoreThatIsBehindIsNamed(t *testing.T) {
	dir := written(t, acme(first, 1, 1, 0, call.Started))
	_, end, _, err := journal.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	for _, test := range []struct {
		at     store.Position
		age    time.Duration
		behind bool
	}{{at: end, age: time.Hour}, {age: time.Hour, behind: true}, {age: 0}} {
		changed := time.Now().Add(-test.age)
		if err := os.Chtimes(files[len(files)-1], changed, changed); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		log := &storeLog{db: &kept{at: test.at}, own: &journalLog{dirs: []string{dir}, warn: &said}}
		for range log.Calls(t.Context(), "acme", store.Query{}, false) {
			t.Error("there is no call")
		}
		if strings.Contains(said.String(), "the store is behind the journal") != test.behind {
			t.Errorf("at %v, written %v ago: said %q", test.at, test.age, &said)
		}
	}
}
