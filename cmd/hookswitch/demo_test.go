package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The demonstration shows, from the call log, a call of a routing plan and one of a flow,
// and why targets were not tried; what a form tells before a call is a tag of it, and the
// flow goes by it; and each event arrives, verified.
func TestDemoShowsACallToEachCampaign(t *testing.T) {
	data := t.TempDir()
	if _, _, err := command(t, "apply", exampleAt(t, freePort(t), freePort(t)), "--data", data); err != nil {
		t.Fatal(err)
	}
	out, _, err := command(t, "demo", "--once", "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The call log has 0 calls.", "+15550111  acme          roofing   radio      plan roofing",
		"campaign roofing  publisher google  flow plan.roofing", "campaign tiles  publisher google  flow tiles",
		"NORMAL_CLEARING after", "call.ended", "\n  rooms: waiting\n", "form (branch)  → several", "\nNOT TRIED ", "\ntileco     buyer  ", "\nrooms  2      webhook:form",
		"\ncall.completed        crm         verified", "\ncall.mark_5s          crm         verified", "\ncall.converted        crm         verified",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if !strings.Contains(line, data) && len([]rune(line)) > lineWidth+1 {
			t.Errorf("wider than a terminal: %q", line)
		}
	}
	list, _, err := command(t, "calls", "list", "--data", data)
	id := regexp.MustCompile(`(?m)^\S+ \S+  ([0-9a-f]{8}) .*tiles`).FindStringSubmatch(list)
	if err != nil || strings.Count(list, "\n") != 1+2 || id == nil {
		t.Fatalf("%v:\n%s", err, list)
	}
	if shown, _, err := command(t, "calls", "show", id[1], "--data", data); err != nil || !strings.Contains(out, shown) {
		t.Errorf("%v:\n%s", err, shown)
	}
}

// exampleAt returns a copy of the example with campaigns in which Tile Co and the CRM answer
// at other addresses.
func exampleAt(t *testing.T, tileco, crm string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/campaigns")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{"targets.yaml": {"127.0.0.1:8099", tileco}, "webhooks.yaml": {"127.0.0.1:8098", crm}} {
		file := filepath.Join(dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1])), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// freePort returns an address that nobody had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A folder of one's own takes the place of the example.
func TestDemoCallsAFolderOfOnesOwn(t *testing.T) {
	out, _, err := command(t, "demo", "--once", "--config-dir", "../../examples/main-line")
	if err != nil || !strings.Contains(out, "A call to +15550100, which runs flow main-line.") || !strings.Contains(out, "sales (dial)  → completed") {
		t.Errorf("%v:\n%s", err, out)
	}
}
