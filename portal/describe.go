package portal

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// complete finishes what huma has made of the operations: it describes the types of other
// packages, names each error once, and leaves answers open for fields to come.
func complete(api *huma.OpenAPI) {
	schemas := api.Components.Schemas.Map()
	for name, schema := range schemas {
		about := fields[cmp.Or(extends[name], name)]
		for property, is := range schema.Properties {
			is.Description = cmp.Or(is.Description, about[property])
		}
	}
	detail := schemas["ErrorDetail"]
	delete(detail.Properties, "value")
	model := schemas["ErrorModel"]
	delete(model.Properties, "instance")
	delete(model.Properties, "type")
	for name, property := range model.Properties {
		property.Description, property.Examples = fields["ErrorModel"][name], nil
	}
	for name, property := range detail.Properties {
		property.Description = fields["ErrorDetail"][name]
	}
	api.Components.Responses = map[string]*huma.Response{}
	asked := map[string]bool{}
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Delete} {
			if op == nil {
				continue
			}
			if op.RequestBody != nil {
				for _, media := range op.RequestBody.Content {
					reach(api.Components.Schemas, media.Schema, asked)
				}
				for _, status := range unreadable {
					answer := *op.Responses[strconv.Itoa(http.StatusInternalServerError)]
					op.Responses[strconv.Itoa(status)] = &answer
				}
			}
			for _, code := range slices.Sorted(maps.Keys(op.Responses)) {
				if status, _ := strconv.Atoi(code); status >= 400 {
					name := strings.ReplaceAll(http.StatusText(status), " ", "")
					answer := op.Responses[code]
					answer.Description = errorsInWords[status]
					answer.Headers = headersOf(status)
					api.Components.Responses[name] = answer
					op.Responses[code] = &huma.Response{Ref: "#/components/responses/" + name}
				}
			}
		}
	}
	for name, s := range schemas {
		if !asked[name] && s.AdditionalProperties == false {
			s.AdditionalProperties = nil
		}
	}
}

// reach notes the schemas that one refers to.
func reach(all huma.Registry, s *huma.Schema, reached map[string]bool) {
	switch {
	case s == nil:
		return
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		if !reached[name] {
			reached[name] = true
			reach(all, all.SchemaFromRef(s.Ref), reached)
		}
		return
	}
	reach(all, s.Items, reached)
	for _, property := range s.Properties {
		reach(all, property, reached)
	}
}

// unreadable are the errors of what has a body.
var unreadable = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}

// errorsInWords says what an error means here.
var errorsInWords = map[int]string{
	http.StatusBadRequest:            "The request cannot be read.",
	http.StatusUnauthorized:          "There is no key, or none that is good.",
	http.StatusForbidden:             "The key does not have the scope.",
	http.StatusNotFound:              "The organization has nothing of that name or id.",
	http.StatusConflict:              "What is there stands against it.",
	http.StatusRequestTimeout:        "The body did not come in time.",
	http.StatusRequestEntityTooLarge: "The body is too large.",
	http.StatusUnsupportedMediaType:  "The body is not JSON by its Content-Type.",
	http.StatusUnprocessableEntity:   "Fields are wrong; errors says which, and what would be right.",
	http.StatusTooManyRequests:       "Too many requests with this key or from this address.",
	http.StatusInternalServerError:   "The server failed; its log says why, under the X-Request-Id.",
	http.StatusServiceUnavailable:    "The server or its database is too busy.",
}

// headersOf returns the header fields that come with an error.
func headersOf(status int) map[string]*huma.Header {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return nil
	}
	return map[string]*huma.Header{"Retry-After": {Description: "Seconds after which it is worth to try again.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
}
