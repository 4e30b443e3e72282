package portal_test

import (
	"flag"
	"os"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/openapi.yaml anew")

// The description that is checked in is the one that is served.
func TestDescriptionIsCheckedIn(t *testing.T) {
	const file = "../docs/openapi.yaml"
	text := newWorld(t).OpenAPI()
	if *updateDocs {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != string(text) {
		t.Errorf("%s is not what is served; go test ./portal -run TestDescriptionIsCheckedIn -update-docs writes it", file)
	}
}

// Everything in the description is described: operations, parameters, fields.
func TestEverythingIsDescribed(t *testing.T) {
	var api struct {
		Paths      map[string]map[string]operation
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	newWorld(t).get("/openapi.json", &api)
	seen := map[string]bool{}
	for path, operations := range api.Paths {
		for method, op := range operations {
			if op.Summary == "" || op.Description == "" || len(op.Tags) != 1 || op.OperationID == "" || seen[op.OperationID] {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			seen[op.OperationID] = true
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: %s has no description", method, path, p.Name)
				}
			}
		}
	}
	for name, schema := range api.Components.Schemas {
		for property, is := range schema.Properties {
			if is.Description == "" {
				t.Errorf("%s.%s has no description", name, property)
			}
		}
	}
	if len(seen) == 0 || len(api.Components.Schemas) == 0 {
		t.Error("nothing was found")
	}
}

// What has a body may be refused for it; the rest is not.
func TestErrorsOfBodiesAreDescribed(t *testing.T) {
	var api struct {
		Paths map[string]map[string]operation
	}
	newWorld(t).get("/openapi.json", &api)
	for path, operations := range api.Paths {
		for method, op := range operations {
			for _, status := range []string{"400", "408", "413", "415"} {
				if _, told := op.Responses[status]; told != (op.RequestBody != nil) {
					t.Errorf("%s %s with a body (%t) may answer %s (%t)", method, path, op.RequestBody != nil, status, told)
				}
			}
		}
	}
}

// operation is one of the description.
type operation struct {
	OperationID          string
	Summary, Description string
	Tags                 []string
	Security             []map[string][]string
	Parameters           []struct{ Name, In, Description string }
	RequestBody          any
	Responses            map[string]any
}
