package portal

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hookswitch/hookswitch/keys"
)

func init() {
	// A list is never null: where there is nothing it is empty, or left out.
	huma.DefaultArrayNullable = false
}

// The groups in which operations are described.
const (
	tagCalls  = "Calls"
	tagConfig = "Configuration"
	tagHooks  = "Webhooks"
	tagKeys   = "Keys and secrets"
	tagSystem = "System"
)

const about = `What an organization has in Hookswitch, and what it can do with it.

Every request but those of this description names a key: ` + "`Authorization: Bearer hsk_…`" + `. A key is of one
organization, and reaches nothing of another. It has scopes; an operation says which one it needs.

Errors are problem details (RFC 9457). Where something is wrong with a field, ` + "`errors`" + ` says which, and what
would be right. Lists come in pages: hand what is in ` + "`next`" + ` to the parameter ` + "`after`" + ` of the next request.

Requests are counted by key and by address: RateLimit and RateLimit-Policy say what is left. One too many is
answered 429, and Retry-After says when there is room again. Every answer has an X-Request-Id, that of the request
if it had one.

Times are RFC 3339; durations whose name ends with _ms are milliseconds; amounts of money are decimal texts.`

// description is how the API is described before it has operations.
func description() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Hookswitch API", Version: "1", Description: about, License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
			Tags: []*huma.Tag{
				{Name: tagCalls, Description: "The call log: records, timelines, tags, money."},
				{Name: tagConfig, Description: "The configuration as files: what is in force, what was, what shall be."},
				{Name: tagHooks, Description: "Webhooks of both directions, and what went over them."},
				{Name: tagKeys, Description: "Who may do what; what templates may read."},
				{Name: tagSystem, Description: "The API itself."},
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{security: {Type: "http", Scheme: "bearer", BearerFormat: "hsk_…", Description: scopesInWords()}},
			},
		},
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{withoutValues},
	}
}

func scopesInWords() string {
	var b strings.Builder
	b.WriteString("A key of the organization, made by `hookswitch keys create` or by this API. Scopes:\n")
	for _, s := range keys.Scopes {
		b.WriteString("\n- `" + s.Name + "`: " + s.About)
	}
	return b.String()
}

// defaultBody is how many bytes a request may have where nothing else is said.
const defaultBody = 64 << 10

const (
	bodyTime      = 5 * time.Second  // that the body of a request may take to come
	largeBodyTime = 20 * time.Second // where it may have more
	writing       = 5 * time.Second  // that the answer may take to go
)

// isHeavy is the name under which an operation says whether it is heavy.
const isHeavy = "heavy"

// described returns an operation as it is registered and described.
func (p *Portal) described(op operation) huma.Operation {
	o := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary, Description: op.about,
		DefaultStatus: op.status, MaxBodyBytes: op.body, Errors: op.errors, Metadata: map[string]any{isHeavy: op.heavy},
	}
	o.BodyReadTimeout = bodyTime
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = defaultBody
	} else {
		o.BodyReadTimeout = largeBodyTime
	}
	o.Errors = append(slices.Clone(o.Errors), http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	if !op.open {
		scopes := []string{}
		if op.scope != "" {
			scopes = append(scopes, op.scope)
			o.Errors = append(o.Errors, http.StatusForbidden)
			o.Description = strings.TrimSpace(o.Description + "\n\nScope: `" + op.scope + "`.")
		}
		o.Security = []map[string][]string{{security: scopes}}
		o.Errors = append(o.Errors, http.StatusUnauthorized)
	}
	return o
}

// document is the description of the API, in both forms.
type document struct{ json, yaml []byte }

// describe finishes the description and serves it.
func (p *Portal) describe() {
	complete(p.api.OpenAPI())
	var err error
	if p.spec.json, err = json.Marshal(p.api.OpenAPI()); err == nil {
		p.spec.yaml, err = p.api.OpenAPI().YAML()
	}
	if err != nil {
		panic("the description of the API: " + err.Error()) // it is made of constants
	}
	serve := func(path, kind string, text []byte) {
		p.mux.HandleFunc("GET "+Base+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(text) // the only error is a client that has left
		})
	}
	serve("/openapi.json", "application/openapi+json", p.spec.json)
	serve("/openapi.yaml", "application/openapi+yaml", p.spec.yaml)
}

// OpenAPI returns the description of the API as YAML.
func (p *Portal) OpenAPI() []byte { return p.spec.yaml }
