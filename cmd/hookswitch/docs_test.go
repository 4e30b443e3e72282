package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var updateDocs = flag.Bool("update-docs", false, "write the table of settings into docs/operations.md")

const operations = "../../docs/operations.md"

// between returns what stands between two lines of a page.
func between(t *testing.T, page, begin, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, begin)
	text, _, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("no text between %q and %q", begin, end)
	}
	return strings.TrimSpace(text)
}

// settingsPage is the table of settings as operations.md has it.
func settingsPage() string {
	var b strings.Builder
	b.WriteString("| setting | default | |\n|---|---|---|\n")
	for _, s := range settingTable() {
		value := fmt.Sprint(s.value)
		switch v := s.value.(type) {
		case []string:
			value = strings.Join(v, ", ")
		case fmt.Stringer:
			value = strings.TrimSuffix(strings.TrimSuffix(v.String(), "0s"), "0m")
		}
		if s.key == "node" {
			value = "the host's name"
		} else if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.key, value, s.help)
	}
	return strings.TrimSpace(b.String())
}

// The table of settings in docs/operations.md is that of the program.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	have := between(t, page, "<!-- settings: checked by cmd/hookswitch/docs_test.go -->", "<!-- end of settings -->")
	want := settingsPage()
	switch {
	case have == want:
	case *updateDocs:
		if err := os.WriteFile(operations, []byte(strings.Replace(page, have, want, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of settings in docs/operations.md is not that of the program; go test ./cmd/hookswitch -run TestSettingsAreDocumented -update-docs writes it:\n%s", want)
	}
}

// The table of metrics in docs/operations.md has every metric and no other.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	table := between(t, string(text), "<!-- metrics: checked by cmd/hookswitch/docs_test.go -->", "<!-- end of metrics -->")
	var have, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(hookswitch_[a-z_]+)").FindAllStringSubmatch(table, -1) {
		have = append(have, m[1])
	}
	m := newMetrics(buildInfo{})
	m.watch(gauges{})
	m.drains(nil)
	m.delivers(nil)
	described := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(described)
		close(described)
	}()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range described {
		if n := name.FindStringSubmatch(d.String())[1]; !strings.HasPrefix(n, "hookswitch_process_") {
			want = append(want, n)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("documented: %v\n   there are: %v", have, want)
	}
}

// The settings file of the README is one.
func TestSettingsOfTheReadmeLoad(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n( *node: .*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("the README has no settings file")
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := settingsText(t, strings.ReplaceAll(string(found[1]), "/etc/hookswitch/password", password))
	if _, _, err := command(t, "serve", "--print-config", "--config", file); err != nil {
		t.Error(err)
	}
}
