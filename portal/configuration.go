package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// filesBody is how many bytes a request with a configuration may have.
const filesBody = 16 << 20

func (p *Portal) configuration() {
	register(p, operation{
		method: http.MethodGet, path: "/config", id: "export-config", tag: tagConfig, scope: keys.ReadConfig, errors: []int{404},
		summary: "Exports the configuration that is in force",
		about:   "Returns the revision in force with its files, to the byte as they were applied.",
	}, p.exportConfig)
	register(p, operation{
		method: http.MethodPost, path: "/config/validate", id: "validate-config", tag: tagConfig, scope: keys.ReadConfig, body: filesBody, heavy: true,
		summary: "Says what is wrong in files",
		about:   "Checks files as apply does, and changes nothing. What is wrong is the answer, not an error of the request.",
	}, p.validateConfig)
	register(p, operation{
		method: http.MethodPost, path: "/config/diff", id: "diff-config", tag: tagConfig, scope: keys.ReadConfig, body: filesBody, heavy: true, errors: []int{409},
		summary: "Says what apply would change",
		about:   "Compares files with what is in force: what would be added, changed and removed, setting by setting.",
	}, p.diffConfig)
	register(p, operation{
		method: http.MethodPost, path: "/config/apply", id: "apply-config", tag: tagConfig, scope: keys.WriteConfig, body: filesBody, heavy: true, errors: []int{409},
		summary: "Puts files in force",
		about: "Puts files in force as a new revision, all of them or none. They are all that the organization has: what they do\n" +
			"not hold is removed. Servers have it within a second; calls go on in the version of the flow that they began with.\n" +
			"Files that are as they were make no revision.",
	}, p.applyConfig)
}

// Files are a configuration as it is sent.
type Files struct {
	Files texts `json:"files"`
}

// texts are files by their path.
type texts map[string]string

// Schema says what they are, but lets UnmarshalJSON check each: huma takes the point in a
// path for a step into an object, and would name other fields wrongly from then on.
func (texts) Schema(huma.Registry) *huma.Schema {
	least, most := 1, store.MaxFiles
	return &huma.Schema{Type: huma.TypeObject, MinProperties: &least, MaxProperties: &most,
		Description: "Texts by their path: documents and tests as YAML, schemas as .schema.json.",
		Extensions:  map[string]any{"additionalProperties": map[string]any{"type": "string"}},
		Examples:    []any{map[string]any{"acme.yaml": "organization: acme\n"}}}
}

// UnmarshalJSON reads an object of texts.
func (t *texts) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	*t = make(texts, len(raw))
	for name, value := range raw {
		var text string
		if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil {
			return fmt.Errorf("files: %q is not a text", name)
		}
		(*t)[name] = text
	}
	return nil
}

// Change is a configuration that shall be in force.
type Change struct {
	Files
	Base *int   `json:"base,omitempty" minimum:"0" doc:"Revision that the files are a change of: where another is in force, nothing is done and the answer is 409. Left out, it is the one in force."`
	Note string `json:"note,omitempty" maxLength:"2000" doc:"Why it is changed, on one line; for apply." example:"new hours"`
}

// read returns the files of a request as the organization's, and what they are when they
// are loaded alone. An *invalidError says what is wrong in them.
func (f Files) read(org string) (*confdir.Organization, *flowengine.Snapshot, error) {
	given := store.Files{}
	var wrongs []*huma.ErrorDetail
	for _, name := range slices.Sorted(maps.Keys(f.Files)) {
		if given[name] = []byte(f.Files[name]); !confdir.Belongs(name) {
			wrongs = append(wrongs, field("body.files."+name, "only .yaml, .yml and .schema.json belong to a configuration"))
		}
	}
	if len(wrongs) > 0 {
		return nil, nil, wrong(wrongs...)
	}
	if err := given.Check(); err != nil {
		return nil, nil, wrong(field("body.files", "%v", err))
	}
	loaded, problems := flowengine.LoadFiles(given, nodes.Kinds)
	if len(problems) > 0 {
		return nil, nil, &invalidError{problems}
	}
	orgs, outside, err := confdir.Split(given)
	switch {
	case err != nil:
		return nil, nil, err
	case len(orgs) > 1 || orgs[0].Name != org:
		names := make([]string, len(orgs))
		for i, o := range orgs {
			names[i] = o.Name
		}
		return nil, nil, wrong(field("body.files", "they are of organization %s, and the key is of %s; a document organization: %[2]s says whose they are", strings.Join(names, ", "), org))
	case len(outside) > 0:
		return nil, nil, wrong(field("body.files."+outside[0], "it is outside of the folder %s, which is the organization's", orgs[0].Folder))
	}
	return &orgs[0], loaded, nil
}

// changeset returns what files would change. What others have is not told.
func (p *Portal) changeset(ctx context.Context, org *confdir.Organization, loaded *flowengine.Snapshot, base *int) (*confdir.Changeset, error) {
	c, err := confdir.NewChangeset(ctx, p.Store, nodes.Kinds, []confdir.Organization{*org}, loaded, nil)
	if invalid := (*confdir.InvalidError)(nil); errors.As(err, &invalid) {
		return nil, problem(http.StatusConflict, "the files are valid, but not beside those of other organizations: a number in them may belong to another one")
	}
	if err == nil && base != nil {
		err = c.CheckBases(map[string]int{org.Name: *base})
	}
	return c, err
}

// Comparison is what differs from what is in force.
type Comparison struct {
	Base        int                  `json:"base" doc:"Revision in force; 0 where the organization has none."`
	Differences []confdir.Difference `json:"differences" doc:"Entities by kind and name, then files. A file differs also by a comment."`
}

func comparisonOf(c *confdir.Changeset, org string) (Comparison, error) {
	list, err := c.Differences()
	d := Comparison{Base: c.Base(org), Differences: []confdir.Difference{}}
	for _, of := range list {
		d.Differences = append(d.Differences, of.Differences...)
	}
	return d, err
}

func (p *Portal) diffConfig(ctx context.Context, in *struct{ Body Change }) (*answer[Comparison], error) {
	o, loaded, err := in.Body.read(org(ctx))
	if err != nil {
		return nil, err
	}
	c, err := p.changeset(ctx, o, loaded, in.Body.Base)
	if err != nil {
		return nil, err
	}
	d, err := comparisonOf(c, o.Name)
	return &answer[Comparison]{d}, err
}

// validation says whether files are valid.
type validation struct {
	Valid    bool                 `json:"valid" doc:"They can be applied."`
	Problems []flowengine.Problem `json:"problems" doc:"What is wrong, and what is hardly meant (warning)."`
}

func (p *Portal) validateConfig(ctx context.Context, in *struct{ Body Files }) (*answer[validation], error) {
	_, loaded, err := in.Body.read(org(ctx))
	out := validation{Valid: true, Problems: []flowengine.Problem{}}
	if invalid := (*invalidError)(nil); errors.As(err, &invalid) {
		out.Valid, out.Problems = false, invalid.problems
		err = nil
	} else if err == nil {
		out.Problems = append(out.Problems, loaded.Warnings()...)
	}
	return &answer[validation]{out}, err
}

// applied says what apply has done.
type applied struct {
	Revision int  `json:"revision" doc:"In force now."`
	Changed  bool `json:"changed" doc:"It is new; false where the files are as they were."`
	Comparison
}

func (p *Portal) applyConfig(ctx context.Context, in *struct{ Body Change }) (*answer[applied], error) {
	o, loaded, err := in.Body.read(org(ctx))
	if err != nil {
		return nil, err
	}
	return p.apply(ctx, o, loaded, in.Body.Base, in.Body.Note)
}

// apply puts an organization in force as its files say.
func (p *Portal) apply(ctx context.Context, o *confdir.Organization, loaded *flowengine.Snapshot, base *int, note string) (*answer[applied], error) {
	if p.Folder {
		return nil, problem(http.StatusConflict, "this server takes its configuration from a folder (setting config_dir): it is changed there")
	}
	if loaded == nil { // they are of an earlier revision
		var problems []flowengine.Problem
		if loaded, problems = flowengine.LoadFiles(confdir.Join([]confdir.Organization{*o}), nodes.Kinds); len(problems) > 0 {
			return nil, &invalidError{problems}
		}
	}
	c, err := p.changeset(ctx, o, loaded, base)
	if err != nil {
		return nil, err
	}
	d, err := comparisonOf(c, o.Name)
	if err != nil {
		return nil, err
	}
	if err := (&store.Change{Author: author(ctx), Note: note}).Check(); err != nil {
		return nil, wrong(field("body.note", "%v", err))
	}
	revisions, err := c.Apply(ctx, p.Store, author(ctx), note, bases(o.Name, base))
	if err != nil {
		return nil, err
	}
	out := applied{Revision: d.Base, Comparison: d}
	if number, changed := revisions[o.Name]; changed {
		out.Revision, out.Changed = number, true
	}
	return &answer[applied]{out}, nil
}

func bases(org string, base *int) map[string]int {
	if base == nil {
		return nil
	}
	return map[string]int{org: *base}
}

// author is who changes something: the key.
func author(ctx context.Context) string {
	k := asking(ctx)
	return fmt.Sprintf("%s (key %s)", k.Name, k.ID)
}

// exported is a revision with its files.
type exported struct {
	store.Revision
	Files map[string]string `json:"files" doc:"Texts by their path, as apply takes them."`
}

// revisionWithFiles returns a revision with its files.
func (p *Portal) revisionWithFiles(ctx context.Context, number int) (*answer[exported], error) {
	r, err := p.Store.Revision(ctx, org(ctx), number)
	if err != nil {
		return nil, err
	}
	out := exported{Revision: *r, Files: map[string]string{}}
	for name, text := range confdir.Join([]confdir.Organization{{Name: r.Org, Folder: r.Folder, Files: r.Files}}) {
		if !utf8.Valid(text) {
			return nil, problem(http.StatusConflict, name+" is not UTF-8, and JSON holds nothing else; hookswitch export writes it")
		}
		out.Files[name] = string(text)
	}
	return &answer[exported]{out}, nil
}

func (p *Portal) exportConfig(ctx context.Context, _ *struct{}) (*answer[exported], error) {
	current, err := p.Store.Current(ctx)
	if err != nil {
		return nil, err
	}
	if current[org(ctx)] == 0 {
		return nil, problem(http.StatusNotFound, "the organization has no configuration yet")
	}
	return p.revisionWithFiles(ctx, current[org(ctx)])
}
