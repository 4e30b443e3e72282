package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

// filesOf is a configuration of an organization with one number.
func filesOf(org, number string) map[string]string {
	text := strings.NewReplacer("ORG", org, "NUMBER", number).Replace(`organization: ORG
---
numbers: {"NUMBER": {campaign: roofing}}
campaigns: {roofing: {flow: main}}
targets: {alice: {user: "alice@ORG", ring: 20s}}
tags:
  state: {type: enum, values: [TX, FL], sources: [webhook, api, flow], description: "where the caller is"}
  income: {type: number, min: 0, privacy: private}
  quality: {type: string, sources: [flow]}
incoming:
  leads: {accepts: [call-data, update-tags], fields: {leadState: state}, life: 10m}
webhooks:
  crm: {url: "https://crm.example/hook", events: [call.ended], filter: 'tags.state == "TX"'}
  spare: {url: "https://spare.example/hook", events: [call.ended], enabled: false}
  broken: {url: "https://broken.example/hook", events: [call.ended]}
---
flow: main
start: bye
nodes:
  bye: {hangup: {}}
`)
	return map[string]string{org + ".yaml": text}
}

// applied is the answer of apply.
type applied struct {
	Revision, Base int
	Changed        bool
	Differences    []confdir.Difference
}

// apply applies files with the key of an organization.
func (w *world) apply(org string, files map[string]string) applied {
	w.Helper()
	before := w.key
	defer func() { w.key = before }()
	w.as(org)
	var a applied
	w.does(http.MethodPost, "/config/apply", map[string]any{"files": files, "note": "because"}, http.StatusOK, &a)
	return a
}

func TestFilesAreAppliedAndExported(t *testing.T) {
	w := newWorld(t)
	files := filesOf("acme", "+15550100")
	files["acme.test.yaml"] = "# none yet\ntests: []\n"
	if a := w.apply("acme", files); a.Revision != 1 || !a.Changed || a.Base != 0 || len(a.Differences) == 0 {
		t.Errorf("first: %+v", a)
	}
	if a := w.apply("acme", files); a.Revision != 1 || a.Changed || a.Base != 1 || len(a.Differences) != 0 {
		t.Errorf("as it was: %+v", a)
	}
	var is struct {
		Revision     int
		Author, Note string
		Files        map[string]string
	}
	w.get("/config", &is)
	if is.Revision != 1 || is.Note != "because" || !strings.HasPrefix(is.Author, "key of acme (key ") || len(is.Files) != 2 || is.Files["acme.yaml"] != files["acme.yaml"] || is.Files["acme.test.yaml"] != files["acme.test.yaml"] {
		t.Errorf("%+v", is)
	}
}

func TestWhatWouldChangeIsToldSettingBySetting(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	files := filesOf("acme", "+15550100")
	files["acme.yaml"] = strings.Replace(files["acme.yaml"], "ring: 20s", "ring: 25s", 1)
	var d applied
	w.does(http.MethodPost, "/config/diff", map[string]any{"files": files}, http.StatusOK, &d)
	if d.Base != 1 || len(d.Differences) != 2 || d.Differences[0].Settings[0] != (confdir.Setting{Path: "ring", Old: "20s", New: "25s"}) {
		t.Errorf("%+v", d)
	}
	var page struct{ Items []store.Revision }
	if w.get("/config/revisions", &page); len(page.Items) != 1 {
		t.Errorf("diff has changed something: %+v", page.Items)
	}
}

func TestWhatIsWrongInFilesIsToldByPlace(t *testing.T) {
	w := newWorld(t)
	bad := map[string]string{"acme.yaml": "organization: acme\n---\nflow: main\nstart: bye\nnodes:\n  bye: {hangupp: {}}\n"}
	for _, path := range []string{"/config/diff", "/config/apply"} {
		w.fails(http.StatusUnprocessableEntity, http.MethodPost, path, map[string]any{"files": bad}, "body.files.acme.yaml:6:", "hangup")
	}
	var is struct {
		Valid    bool
		Problems []flowengine.Problem
	}
	w.does(http.MethodPost, "/config/validate", map[string]any{"files": bad}, http.StatusOK, &is)
	if is.Valid || len(is.Problems) == 0 || is.Problems[0].Line != 6 || is.Problems[0].File != "acme.yaml" {
		t.Errorf("%+v", is)
	}
	w.does(http.MethodPost, "/config/validate", map[string]any{"files": filesOf("acme", "+15550100")}, http.StatusOK, &is)
	if !is.Valid {
		t.Errorf("%+v", is)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/config", nil)
}

func TestFilesThatCannotBeTakenAreRefused(t *testing.T) {
	w := newWorld(t)
	good := filesOf("acme", "+15550100")
	with := func(name, text string) map[string]string {
		return map[string]string{"acme.yaml": good["acme.yaml"], name: text}
	}
	for name, c := range map[string]struct {
		body any
		want string
	}{
		"nothing":              {map[string]any{}, "files"},
		"no files":             {map[string]any{"files": map[string]string{}}, "body.files"},
		"of somebody else":     {map[string]any{"files": filesOf("beta", "+15550100")}, "organization beta"},
		"of no one":            {map[string]any{"files": map[string]string{"a.yaml": "targets: {a: {user: a@b}}\n"}}, "organization default"},
		"another kind of file": {map[string]any{"files": with("README.md", "")}, "body.files.README.md"},
		"outside":              {map[string]any{"files": with("../a.yaml", "")}, "../a.yaml"},
		"a note of two lines":  {map[string]any{"files": good, "note": "a\nb"}, "body.note"},
		"no text":              {map[string]any{"files": map[string]any{"acme.yaml": 5}}, `\"acme.yaml\" is not a text`},
		"an unknown field":     {map[string]any{"files": good, "force": true}, "body.force"},
	} {
		t.Run(name, func(t *testing.T) {
			of := *w
			of.T = t
			of.fails(http.StatusUnprocessableEntity, http.MethodPost, "/config/apply", c.body, c.want)
		})
	}
	w.fails(http.StatusBadRequest, http.MethodPost, "/config/apply", "{", "body")
	w.fails(http.StatusRequestEntityTooLarge, http.MethodPost, "/keys", `{"name": "`+strings.Repeat("a", 70_000)+`"}`)
}

func TestAChangeOfAnEarlierRevisionIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	w.apply("acme", filesOf("acme", "+15550101"))
	for _, path := range []string{"/config/diff", "/config/apply"} {
		w.fails(http.StatusConflict, http.MethodPost, path, map[string]any{"files": filesOf("acme", "+15550102"), "base": 1}, "body.base", "2")
	}
}

// Somebody else's number is refused, and whose it is stays unknown.
func TestANumberOfAnotherOrganizationIsRefused(t *testing.T) {
	w := newWorld(t)
	w.apply("beta", filesOf("beta", "+15550100"))
	r := w.ask(http.MethodPost, "/config/apply", map[string]any{"files": filesOf("acme", "+15550100")})
	if r.StatusCode != http.StatusConflict || strings.Contains(r.body, "beta") || !strings.Contains(r.body, "another") {
		t.Errorf("%s %s", r.Status, r.body)
	}
}

func TestAFolderIsChangedInTheFolder(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Folder = true })
	w.fails(http.StatusConflict, http.MethodPost, "/config/apply", map[string]any{"files": filesOf("acme", "+15550100")}, "config_dir")
}

func TestARevisionIsTakenBack(t *testing.T) {
	w := newWorld(t)
	first := filesOf("acme", "+15550100")
	w.apply("acme", first)
	w.apply("acme", filesOf("acme", "+15550101"))
	w.fails(http.StatusNotFound, http.MethodPost, "/config/revisions/7/rollback", map[string]any{})
	w.fails(http.StatusConflict, http.MethodPost, "/config/revisions/1/rollback", map[string]any{"base": 1})
	var a applied
	if w.does(http.MethodPost, "/config/revisions/1/rollback", map[string]any{}, http.StatusOK, &a); a.Revision != 3 || !a.Changed {
		t.Errorf("%+v", a)
	}
	var is struct {
		Note  string
		Files map[string]string
	}
	if w.get("/config", &is); is.Files["acme.yaml"] != first["acme.yaml"] || is.Note != "rollback to revision 1" {
		t.Errorf("%+v", is)
	}
	var page struct {
		Items []store.Revision
		Next  string
	}
	if w.get("/config/revisions?limit=2", &page); len(page.Items) != 2 || page.Items[0].Number != 3 || page.Next != "2" {
		t.Errorf("%+v", page)
	}
	page.Next = ""
	if w.get("/config/revisions?limit=2&after=2", &page); len(page.Items) != 1 || page.Items[0].Number != 1 || page.Next != "" {
		t.Errorf("%+v", page)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/config/revisions?after=x", nil, "query.after")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/config/revisions?after=3000000000", nil, "query.after")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/config/revisions/3000000000", nil, "path.revision")
}

// What stands against an earlier flow is said as of any files.
func TestAFlowThatDoesNotFitIsNotTakenBack(t *testing.T) {
	w := newWorld(t)
	const head, numbers = "organization: acme\n---\n", "numbers: {\"+15550100\": {flow: main}}\n---\nflow: main\nstart: a\n"
	w.apply("acme", map[string]string{"acme.yaml": head + "targets: {alice: {user: alice@pbx}}\n" + numbers + "nodes: {a: {dial: {targets: [alice]}, exits: {else: b}}, b: {hangup: {}}}\n"})
	w.apply("acme", map[string]string{"acme.yaml": head + numbers + "nodes: {a: {hangup: {}}}\n"})
	var versions struct{ Items []store.FlowVersion }
	w.get("/config/flows/main/versions", &versions)
	old := "/config/flows/main/versions/" + versions.Items[1].Version
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, old+"/rollback", map[string]any{}, "body.files.acme.yaml:", "alice")
}

func TestAFlowIsTakenBack(t *testing.T) {
	w := newWorld(t)
	first := filesOf("acme", "+15550100")
	w.apply("acme", first)
	second := filesOf("acme", "+15550100")
	second["acme.yaml"] = "# kept\n" + strings.Replace(second["acme.yaml"], "bye: {hangup: {}}", "bye: {hangup: {cause: USER_BUSY}}", 1)
	w.apply("acme", second)
	var versions struct{ Items []store.FlowVersion }
	w.get("/config/flows/main/versions", &versions)
	if len(versions.Items) != 2 || versions.Items[0].First != 2 {
		t.Fatalf("%+v", versions)
	}
	old := "/config/flows/main/versions/" + versions.Items[1].Version
	var text struct{ Version, Documents string }
	if w.get(old, &text); !strings.Contains(text.Documents, "bye: {hangup: {}}") || text.Version != versions.Items[1].Version {
		t.Errorf("%+v", text)
	}
	w.does(http.MethodPost, old+"/rollback", map[string]any{}, http.StatusOK, nil)
	var is struct{ Files map[string]string }
	if w.get("/config", &is); is.Files["acme.yaml"] != "# kept\n"+first["acme.yaml"] {
		t.Errorf("%q", is.Files)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/config/flows/main/versions/0000", nil)
	w.fails(http.StatusNotFound, http.MethodGet, "/config/flows/none/versions", nil)
}

func TestEntitiesKeepTheirIDs(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	var alice struct{ ID, File, YAML, Name string }
	w.get("/config/entities/target/alice", &alice)
	if alice.ID == "" || alice.File != "acme.yaml" || !strings.Contains(alice.YAML, "ring: 20s") || alice.Name != "alice" {
		t.Errorf("%+v", alice)
	}
	var number struct{ Name, Slug string }
	if w.get("/config/entities/number/+15550100", &number); number.Name != "+15550100" || number.Slug != "15550100" {
		t.Errorf("%+v", number)
	}
	files := filesOf("acme", "+15550100")
	files["acme.yaml"] = strings.ReplaceAll(files["acme.yaml"], "alice", "bob")
	w.apply("acme", files)
	w.fails(http.StatusNotFound, http.MethodGet, "/config/entities/target/alice", nil)
	for query, want := range map[string]int{"?kind=target": 1, "?kind=target&removed=true": 2, "?kind=nothing": 0} {
		var page struct{ Items []store.Entity }
		if w.get("/config/entities"+query, &page); len(page.Items) != want {
			t.Errorf("%s: %+v", query, page.Items)
		}
	}
}

func TestDefinitionsOfTagsAreListed(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	var state struct {
		Name, Type, Privacy, Description string
		Values, Sources                  []string
	}
	w.get("/tags/state", &state)
	if state.Type != "enum" || len(state.Values) != 2 || len(state.Sources) != 3 || state.Privacy != "public" || state.Description != "where the caller is" {
		t.Errorf("%+v", state)
	}
	var page struct{ Items []struct{ Name string } }
	if w.get("/tags", &page); len(page.Items) != 3 || page.Items[0].Name != "income" {
		t.Errorf("%+v", page)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/tags/none", nil)
}
