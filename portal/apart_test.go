package portal_test

import (
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

// ofTheKey are the operations that concern nothing an organization has, and why.
var ofTheKey = map[string]string{
	"whoami": "it is about the key",
	"health": "it is about the server",

	"validate-config": "it is about the files of the request",
	"set-secret":      "it gives a value to a secret of the organization of the key, whatever it had",
	"create-key":      "it makes something of the organization of the key",
}

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
			if _, is := apart[op.OperationID]; is == (ofTheKey[op.OperationID] != "") {
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
			if got, nothing := with.askedBy("other", r), without.askedBy("other", r); got != nothing {
				t.Errorf("the other organization is told %s\nwhere nobody else has anything it is told %s", got, nothing)
			}
			if r.method != http.MethodGet {
				if after := with.all(); after != before {
					t.Errorf("the other organization made of\n%s\nthis:\n%s", before, after)
				}
			}
			// That the owner is answered otherwise than somebody who has nothing shows that
			// the question could have hit.
			if got, none := with.askedBy("acme", r), with.askedBy("nobody", r); got == none {
				t.Errorf("the owner is told %s as well", got)
			}
		})
	}
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
