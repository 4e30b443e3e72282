package portal_test

import (
	"database/sql"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// request is one of an operation, with the ids of what populate has made for acme.
type request struct {
	method, path string
	body         any
}

// apart has a request of each operation that concerns what an organization has, by the id
// of the operation. Whoever adds an operation adds a line here or in ofTheKey; and where
// it keeps something of a new kind, one in populate.
var apart = map[string]request{
	"list-calls": {http.MethodGet, "/calls", nil},
	"get-call":   {http.MethodGet, "/calls/" + callOfAcme, nil},

	"list-call-tags":      {http.MethodGet, "/calls/" + callOfAcme + "/tags", nil},
	"set-call-tag":        {http.MethodPut, "/calls/" + callOfAcme + "/tags/state", map[string]any{"value": "FL"}},
	"remove-call-tag":     {http.MethodDelete, "/calls/" + callOfAcme + "/tags/state", nil},
	"set-call-revenue":    {http.MethodPut, "/calls/" + callOfAcme + "/revenue", map[string]any{"amount": "40.00"}},
	"set-call-payout":     {http.MethodPut, "/calls/" + callOfAcme + "/payout", map[string]any{"amount": "25.00"}},
	"set-call-conversion": {http.MethodPut, "/calls/" + callOfAcme + "/conversion", map[string]any{"converted": true}},
	"export-calls":        {http.MethodGet, "/export/calls?format=ndjson&whole=true", nil},

	"export-config":      {http.MethodGet, "/config", nil},
	"diff-config":        {http.MethodPost, "/config/diff", map[string]any{"files": filesOf("other", "+15550199"), "base": 1}},
	"apply-config":       {http.MethodPost, "/config/apply", map[string]any{"files": filesOf("other", "+15550199"), "base": 1}},
	"list-revisions":     {http.MethodGet, "/config/revisions", nil},
	"get-revision":       {http.MethodGet, "/config/revisions/1", nil},
	"rollback-config":    {http.MethodPost, "/config/revisions/1/rollback", map[string]any{}},
	"list-flow-versions": {http.MethodGet, "/config/flows/main/versions", nil},
	"get-flow-version":   {http.MethodGet, "/config/flows/main/versions/VERSION", nil},
	"rollback-flow":      {http.MethodPost, "/config/flows/main/versions/VERSION/rollback", map[string]any{}},
	"list-entities":      {http.MethodGet, "/config/entities", nil},
	"get-entity":         {http.MethodGet, "/config/entities/target/alice", nil},
	"list-tags":          {http.MethodGet, "/tags", nil},
	"get-tag":            {http.MethodGet, "/tags/state", nil},

	"list-endpoint-secrets":  {http.MethodGet, "/endpoints/crm/secrets", nil},
	"rotate-endpoint-secret": {http.MethodPost, "/endpoints/crm/secrets", map[string]any{"overlap_ms": 0}},
	"list-endpoints":         {http.MethodGet, "/endpoints", nil},
	"get-endpoint":           {http.MethodGet, "/endpoints/crm", nil},
	"enable-endpoint":        {http.MethodPost, "/endpoints/broken/enable", nil},
	"disable-endpoint":       {http.MethodPost, "/endpoints/crm/disable", nil},
	"test-endpoint":          {http.MethodPost, "/endpoints/crm/test", map[string]any{"event": "call.ended"}},
	"list-deliveries":        {http.MethodGet, "/deliveries", nil},
	"get-delivery":           {http.MethodGet, "/deliveries/1", nil},
	"resend-delivery":        {http.MethodPost, "/deliveries/1/resend", map[string]any{}},
	"resend-deliveries":      {http.MethodPost, "/deliveries/resend", map[string]any{"call": callOfAcme}},
	"list-incoming":          {http.MethodGet, "/incoming", nil},
	"get-incoming":           {http.MethodGet, "/incoming/leads", nil},
	"list-requests":          {http.MethodGet, "/requests", nil},
	"get-request":            {http.MethodGet, "/requests/1", nil},

	"list-secrets":  {http.MethodGet, "/secrets", nil},
	"remove-secret": {http.MethodDelete, "/secrets/CRM", nil},

	"list-keys":  {http.MethodGet, "/keys", nil},
	"revoke-key": {http.MethodDelete, "/keys/keyOfACM", nil},
}

// ofTheKey has a request of each operation that asks for nothing by its id, and why that is
// so.
var ofTheKey = map[string]struct {
	request
	why string
}{
	"whoami":          {request{http.MethodGet, "/whoami", nil}, "it is about the key"},
	"health":          {request{http.MethodGet, "/health", nil}, "it is about the server"},
	"validate-config": {request{http.MethodPost, "/config/validate", map[string]any{"files": filesOf("other", "+15550199")}}, "it is about the files of the request"},
	"set-secret":      {request{http.MethodPut, "/secrets/CRM", map[string]any{"value": "another"}}, "it gives a value to a secret of the organization of the key, whatever it had"},
	"create-key":      {request{http.MethodPost, "/keys", map[string]any{"name": "new", "scopes": []string{keys.ReadCalls}}}, "it makes something of the organization of the key"},
}

// readers are the operations that are no GET, and write nothing all the same.
var readers = []string{"diff-config"}

// populate makes something of every kind for acme.
func populate(w *world) {
	const org = "acme"
	w.has(org, callOfAcme, talk("+15550111")...)
	w.apply(org, filesOf(org, "+15550100"))
	w.as(org)
	w.does(http.MethodPut, "/secrets/CRM", map[string]any{"value": "of " + org}, http.StatusNoContent, nil)
	w.does(http.MethodPost, "/endpoints/crm/secrets", map[string]any{"overlap_ms": 0}, http.StatusCreated, nil)
	w.does(http.MethodPost, "/endpoints/broken/disable", nil, http.StatusNoContent, nil)
	w.send("msg_1", "crm")
	w.attempt("crm", store.Attempt{State: store.Delivered, Response: store.HTTP{Status: 204}})
	if _, err := w.db.KeepRequest(w.Context(), org, store.Request{Webhook: "leads", Kind: "call-data", At: began, Status: 200}); err != nil {
		w.Fatal(err)
	}
	w.addKey(org, store.Key{ID: "keyOfACM", Name: "another", Scopes: []string{keys.ReadCalls}, Created: began})
}

// Organizations are apart: with a key of one, whatever is asked for by the ids of another
// is answered as if the other were not there, and the other keeps what it has. Each
// operation of the description must be known to this test.
func TestOrganizationsAreApart(t *testing.T) {
	var api struct {
		Paths map[string]map[string]operation
	}
	newWorld(t).get("/openapi.json", &api)
	var known []string
	for path, operations := range api.Paths {
		for method, op := range operations {
			known = append(known, op.OperationID)
			if _, is := apart[op.OperationID]; is == (ofTheKey[op.OperationID].why != "") {
				t.Errorf("%s (%s %s) must be either in apart or in ofTheKey", op.OperationID, method, path)
			}
		}
	}
	for id := range ofTheKey {
		if !slices.Contains(known, id) {
			t.Errorf("there is no operation %s any more", id)
		}
	}
	without, with := withOther(t), withOther(t)
	populate(with)
	for _, id := range slices.Sorted(maps.Keys(apart)) {
		if !slices.Contains(known, id) {
			t.Errorf("there is no operation %s any more", id)
		}
		t.Run(id, func(t *testing.T) {
			r, without, with, before := apart[id], without, with, ""
			if r.method != http.MethodGet { // it finds a world as nobody has changed it
				without, with = withOther(t), withOther(t)
				populate(with)
				before = with.all()
			}
			kept := with.kept()
			if got, nothing := with.askedBy("other", r), without.askedBy("other", r); got != nothing {
				t.Errorf("the other organization is told %s\nwhere nobody else has anything it is told %s", got, nothing)
			}
			if r.method != http.MethodGet {
				if after := with.all(); after != before {
					t.Errorf("the other organization made of\n%s\nthis:\n%s", before, after)
				}
			}
			with.keeps(kept)
			// That the owner is answered otherwise than somebody who has nothing shows that
			// the question could have hit.
			if got, none := with.askedBy("acme", r), with.askedBy("nobody", r); got == none {
				t.Errorf("the owner is told %s as well", got)
			}
			if writes := r.method != http.MethodGet && !slices.Contains(readers, id); writes && slices.Equal(with.kept(), kept) {
				t.Error("the owner has written nothing either")
			}
		})
	}
	for id, r := range ofTheKey {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			w := withOther(t)
			populate(w)
			before, kept := w.all(), w.kept()
			if got := w.askedBy("other", r.request); !strings.HasPrefix(got, "2") {
				t.Errorf("the other organization is told %s", got)
			}
			if after := w.all(); after != before {
				t.Errorf("the other organization made of\n%s\nthis:\n%s", before, after)
			}
			w.keeps(kept)
		})
	}
}

// kept returns every row of the database that does not name the other organization, sorted:
// also what the API does not show.
func (w *world) kept() (all []string) {
	w.Helper()
	db, err := sql.Open("sqlite", w.file)
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	for _, table := range column(w.T, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		columns := column(w.T, db, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+table+`')`)
		for _, row := range column(w.T, db, "SELECT "+strings.Join(columns, " || ' ' || ")+` FROM "`+table+`"`) {
			if !strings.Contains(row, "'other'") {
				all = append(all, table+" "+row)
			}
		}
	}
	slices.Sort(all)
	return all
}

// keeps wants every row to be there still.
func (w *world) keeps(rows []string) {
	w.Helper()
	now := w.kept()
	for _, row := range rows {
		if i, there := slices.BinarySearch(now, row); there {
			now = slices.Delete(now, i, i+1)
		} else {
			w.Errorf("the other organization changed %s", row)
		}
	}
}

// column returns what a query finds, a text a row.
func column(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// withOther is a world in which another organization names everything as acme does.
func withOther(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.apply("other", filesOf("other", "+15550198"))
	return w
}

// askedBy returns what an organization is answered.
func (w *world) askedBy(org string, r request) string {
	w.Helper()
	before := w.key
	defer func() { w.key = before }()
	w.as(org)
	answer := w.ask(r.method, strings.Replace(r.path, "VERSION", versionOfAcme(w.T), 1), r.body, "X-Request-Id", "one")
	return answer.Status + "\n" + byChance.ReplaceAllString(answer.body, "$1")
}

// byChance is what no two answers have alike.
var byChance = regexp.MustCompile(`("(?:id|time|secret)":)"(?:[0-9a-f-]{36}|20[0-9T:.Z-]+|whsec_[^"]+)"`)

// all returns all that acme has, as far as the API shows it.
func (w *world) all() (text string) {
	w.Helper()
	for _, id := range slices.Sorted(maps.Keys(apart)) {
		if r := apart[id]; r.method == http.MethodGet {
			text += w.askedBy("acme", r) + "\n"
		}
	}
	return text
}

// versionOfAcme returns the version of the flow main of filesOf: it is the same whoever has it.
func versionOfAcme(t *testing.T) string {
	t.Helper()
	text := filesOf("acme", "")["acme.yaml"]
	_, flow, _ := strings.Cut(text, "---\nflow")
	f, problems := flowengine.LoadFlow("main", []byte("flow"+flow), nodes.Kinds)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return f.Version
}
