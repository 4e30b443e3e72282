package main

import (
	"strings"
	"testing"
)

// twoOrganizations writes a folder of two organizations that name everything alike.
func twoOrganizations(t *testing.T) {
	t.Helper()
	const all = `organization: ORG
---
numbers: {"NUMBER": {campaign: c}}
campaigns: {c: {flow: main}}
targets: {alice: {user: alice@ORG}}
---
flow: main
start: dial
nodes:
  dial: {dial: {targets: [alice]}, exits: {else: bye}}
  bye: {hangup: {}}
`
	const test = `tests:
  - {name: alice answers, to: "NUMBER", expect: {dialled: [alice]}}
  - {name: without a number, org: ORG, flow: main, expect: {dialled: [alice]}}
`
	t.Chdir(t.TempDir())
	written := map[string]string{}
	for org, number := range map[string]string{"acme": "+15550100", "beta": "+15550200"} {
		of := strings.NewReplacer("ORG", org, "NUMBER", number)
		written["conf/"+org+"/all.yaml"] = of.Replace(all)
		written["conf/"+org+"/calls.test.yaml"] = of.Replace(test)
	}
	written["conf/beta/own.yaml"] = "numbers: {\"+15550201\": {flow: own}}\n---\nflow: own\nstart: bye\nnodes: {bye: {hangup: {}}}\n"
	files(t, written)
}

func TestSeveralOrganizationsInOneFolder(t *testing.T) {
	twoOrganizations(t)
	out, _, err := command(t, "validate", "conf")
	if want := "conf is valid: 2 organizations, 3 flows, 3 numbers, 2 targets, 2 campaigns\n"; err != nil || out != want {
		t.Errorf("got %s%v, want %s", out, err, want)
	}
	if out, _, err := command(t, "test", "conf"); err != nil || !strings.Contains(out, "4 tests, 4 passed") {
		t.Errorf("got %s%v", out, err)
	}
	for _, c := range []struct{ args, org, why string }{
		{"+15550100", `"org":"acme"`, ""},
		{"+15550200", `"org":"beta"`, ""},
		{"main --org beta", `"org":"beta"`, ""},
		{"main --to +15550200", `"org":"beta"`, ""},
		{"main", "", `FLOW: several organizations have a flow "main"; --org names the one that is meant: acme, beta`},
		{"own", `"org":"beta"`, ""},
		{"own", `"to":"+15550201"`, ""},
		{"c", "", "FLOW: c is a campaign; simulate one of its numbers: +15550100, +15550200"},
		{"c --org beta", "", "FLOW: c is a campaign; simulate one of its numbers: +15550200"},
		{"main --org bete", "", `--org: there is no organization "bete"; did you mean "beta"?`},
		{"mian --org beta", "", `FLOW: there is no flow "mian"`},
		{"+15550100 --org beta", "", `FLOW: number "+15550100" is not of organization beta; leave org out`},
	} {
		out, _, err := command(t, append([]string{"simulate", "--config-dir", "conf", "-o", "json"}, strings.Fields(c.args)...)...)
		switch {
		case c.why == "" && (err != nil || !strings.Contains(out, c.org)):
			t.Errorf("simulate %s: %v\n%s", c.args, err, out)
		case c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)):
			t.Errorf("simulate %s: got %v, want %s", c.args, err, c.why)
		}
	}
}
