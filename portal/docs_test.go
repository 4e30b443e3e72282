package portal_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/keys"
)

var (
	shell     = regexp.MustCompile("(?s)```sh\n(.*?)```")
	jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
	words     = regexp.MustCompile(`"[^"]*"|'[^']*'|[^ "']+`)
)

// The examples of docs/api.md work, in their order.
func TestExamplesOfTheDocumentWork(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	w := withCall(t)
	stands := strings.NewReplacer("$KEY", w.key, "$CALL", callOfAcme, "$API", "")
	change := jsonBlock.FindStringSubmatch(string(text))[1]
	ran := 0
	for _, block := range shell.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			ran++
			method, path, body, headers := example(t, stands.Replace(strings.TrimSpace(line)))
			if body == "@change.json" {
				body = change
			}
			var sent any
			if body != "" {
				sent = body
			}
			if r := w.ask(method, path, sent, headers...); r.StatusCode >= 400 {
				t.Errorf("%s%s: %s", line, r.Status, r.body)
			}
		}
	}
	if ran < 15 {
		t.Errorf("only %d examples were found", ran)
	}
}

// example reads a line with curl.
func example(t *testing.T, line string) (method, path, body string, headers []string) {
	t.Helper()
	args := words.FindAllString(line, -1)
	if args[0] != "curl" {
		t.Fatalf("%q is no example", line)
	}
	for i := 1; i < len(args); i++ {
		value := func() string {
			i++
			return strings.Trim(args[i], `"'`)
		}
		switch args[i] {
		case "-X":
			method = value()
		case "-H":
			name, text, _ := strings.Cut(value(), ": ")
			headers = append(headers, name, text)
		case "--json":
			body = value()
		default:
			path = strings.Trim(args[i], `"`)
		}
	}
	switch {
	case method == "" && body != "":
		method = http.MethodPost
	case method == "":
		method = http.MethodGet
	}
	return method, path, body, headers
}

// The table of scopes in docs/api.md is that of package keys.
func TestScopesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range keys.Scopes {
		if line := "| `" + s.Name + "` | " + s.About + " |"; !strings.HasPrefix(s.Name, keys.Incoming) && !strings.Contains(string(text), line) {
			t.Errorf("there is no line %s", line)
		}
	}
}
