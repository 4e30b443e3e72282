package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// world is a folder of a configuration, and a database on either engine.
type world struct {
	*testing.T
	dir, settings string
	files         store.Files
}

// onBoth runs a test on both engines.
func onBoth(t *testing.T, test func(w *world)) {
	for engine, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return storetest.Database(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			text := "data: " + t.TempDir() + "\ndatabase: '" + database(t) + "'\nlisten: 127.0.0.1:0\nlisten_takeover: 127.0.0.1:0\nhttp: 127.0.0.1:0\nnode: n1\n"
			test(&world{T: t, dir: t.TempDir(), settings: settingsText(t, text)})
		})
	}
}

// write makes the folder hold these files: path, text, path, text …
func (w *world) write(files ...string) {
	w.Helper()
	w.files = store.Files{}
	for i := 0; i < len(files); i += 2 {
		w.files[files[i]] = []byte(files[i+1])
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.Fatal(err)
	}
	if err := confdir.Write(w.dir, w.files, false); err != nil {
		w.Fatal(err)
	}
}

// run runs a command, which must succeed and print this.
func (w *world) run(want string, line ...string) {
	w.Helper()
	out, errs, err := command(w.T, append(line, "--config", w.settings)...)
	if err != nil {
		w.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, errs)
	}
	if want != "" && out != want {
		w.Errorf("%s:\ngot\n%swant\n%s", strings.Join(line, " "), out, want)
	}
}

// fails runs a command that fails with such an error.
func (w *world) fails(want string, line ...string) error {
	w.Helper()
	_, _, err := command(w.T, append(line, "--config", w.settings)...)
	if err == nil || !strings.Contains(err.Error(), want) {
		w.Errorf("%s: %v, want %s", strings.Join(line, " "), err, want)
	}
	return err
}

// exported is what export writes.
func (w *world) exported(line ...string) store.Files {
	w.Helper()
	dir := filepath.Join(w.TempDir(), "export")
	w.run("", append([]string{"export", dir}, line...)...)
	files, leftOut, err := confdir.Read(dir)
	if err != nil || len(leftOut) > 0 {
		w.Fatal(err, leftOut)
	}
	return files
}

func (w *world) wantExported(want store.Files, line ...string) {
	w.Helper()
	if got := w.exported(line...); !maps.EqualFunc(got, want, bytes.Equal) {
		w.Errorf("exported %q\nwant %q", got, want)
	}
}

const (
	acmeHead  = "# Acme\norganization: acme\nname: Acme Leads\n"
	acmeMain  = "# what callers hear first\nflow: main\nstart: bye\nnodes:\n  bye: {hangup: {cause: USER_BUSY}}   # busy\n"
	acmeOther = "---\n# another\nflow: other\r\nstart: bye\r\nnodes: {bye: {hangup: {}}}\n"
	acmeTest  = "# tests\ntests: {}\n"
	betaAll   = "organization: beta\n---\nnumbers:\n    '+15550200': { flow: b }\n---\nflow: b\nstart: bye\nnodes: {bye: {hangup: {}}}"
)

func (w *world) two() {
	w.write("acme/head.yaml", acmeHead, "acme/numbers.yaml", "numbers:\n  \"+15550100\": {flow: main}\n  \"+15550101\": {flow: other}\n",
		"acme/flows/all.yaml", acmeMain+acmeOther, "acme/flows/all.test.yaml", acmeTest, "beta/b.yml", betaAll, "beta/x.schema.json", "{ }")
}

func TestWhatWasAppliedIsExportedToTheByte(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		if err := os.WriteFile(filepath.Join(w.dir, "README.md"), []byte("no"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, err := command(w.T, "apply", w.dir, "--author", "ann", "--note", "first", "--config", w.settings)
		if err != nil || out != "acme: revision 1: 5 added, 0 changed, 0 removed, in 4 files\nbeta: revision 1: 3 added, 0 changed, 0 removed, in 2 files\n" {
			w.Errorf("%v\n%s", err, out)
		}
		if want := "left out of " + w.dir + ": README.md\n"; errs != want {
			w.Errorf("said %q, want %q", errs, want)
		}
		w.wantExported(w.files)
		w.wantExported(store.Files{"beta/b.yml": []byte(betaAll), "beta/x.schema.json": []byte("{ }")}, "--org", "beta")
		w.fails("is not empty; --force writes all the same", "export", w.dir)
		w.run("nothing differs\n", "diff", w.dir)
		w.run("nothing differs, nothing is applied\n", "apply", w.dir)
		w.run("the configuration in the database is valid: 2 organizations, 3 flows, 3 numbers, 0 targets\n", "validate")
	})
}

func TestDiffSaysWhatApplyWouldChange(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir)
		w.write("acme/head.yaml", acmeHead, "acme/numbers.yaml", "numbers:\n  \"+15550100\": {flow: other} # moved\n",
			"acme/flows/all.yaml", strings.Replace(acmeMain, "USER_BUSY", "CALL_REJECTED", 1)+acmeOther, "acme/flows/all.test.yaml", acmeTest,
			"beta/b.yml", "# only a comment\n"+betaAll, "beta/x.schema.json", "{ }")
		out, _, err := command(w.T, "diff", w.dir, "--config", w.settings)
		if exitCode(err) != 1 || !errors.As(err, new(*differsError)) {
			w.Errorf("error %v", err)
		}
		const want = `acme (revision 1)
  ~ flow main
      nodes.bye.hangup.cause: USER_BUSY → CALL_REJECTED
  ~ number +15550100
      flow: main → other
  - number +15550101
  ~ file flows/all.yaml
  ~ file numbers.yaml
beta (revision 1)
  ~ file b.yml
`
		if out != want {
			w.Errorf("got\n%swant\n%s", out, want)
		}
		out, _, _ = command(w.T, "diff", w.dir, "-o", "json", "--config", w.settings)
		var first struct {
			Org, Kind, Name, Change string
			Revision                int
			Settings                []confdir.Setting
		}
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&first); err != nil || first.Org != "acme" || first.Revision != 1 || first.Change != "changed" || len(first.Settings) != 1 {
			w.Errorf("%v: %s", err, out)
		}
		w.run("acme: would change: 0 added, 2 changed, 1 removed, in 2 files\nbeta: would change: 0 added, 0 changed, 0 removed, in 1 file\n", "apply", w.dir, "--dry-run")
		w.run("acme: revision 2: 0 added, 2 changed, 1 removed, in 2 files\nbeta: revision 2: 0 added, 0 changed, 0 removed, in 1 file\n", "apply", w.dir)
		if err := w.fails("no such file", "diff", filepath.Join(w.dir, "none")); exitCode(err) != 2 {
			w.Errorf("exit code %d", exitCode(err))
		}
	})
}

func TestNothingWrongIsApplied(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir)
		before := w.files
		w.write("acme/a.yaml", acmeHead+"---\n"+acmeMain, "beta/b.yml", strings.Replace(betaAll, "start: bye", "start: by", 1))
		w.fails(`beta/b.yml:7:8: start: there is no node "by"; did you mean "bye"?`, "apply", w.dir)
		// A number that another organization has, which is not in the folder.
		w.write("gamma.yaml", "organization: gamma\n---\nnumbers: {\"15550200\": {flow: g}}\n---\nflow: g\nstart: bye\nnodes: {bye: {hangup: {}}}\n")
		w.fails("is of organization beta already, at beta/b.yml:4:5", "apply", w.dir)
		w.fails("holds no YAML", "apply", w.TempDir())
		w.wantExported(before)
	})
}

func TestConflictNamesWhoApplied(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir)
		ann := filepath.Join(w.TempDir(), "ann")
		w.run("", "export", ann)
		w.write("acme/a.yaml", acmeHead+"---\n"+acmeMain)
		w.run("", "apply", w.dir, "--author", "bob")
		w.fails("organization acme is at revision 2, which bob applied at ", "apply", ann, "--base", "acme=1")
		w.fails("organization acme is at revision 2, which bob applied at ", "apply", ann, "--base", "acme=1", "--dry-run")
		w.fails("a base is given of organization foo, which the folder does not hold", "apply", ann, "--base", "foo=3")
		w.fails(`"acme" is not ORG=REVISION`, "apply", ann, "--base", "acme")
		w.wantExported(w.files, "--org", "acme")
		w.run("", "apply", ann, "--base", "acme=2")
	})
}

func TestRollbackBringsFilesBack(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir, "--author", "ann", "--note", "first")
		first := w.files
		w.write("acme/a.yaml", acmeHead+"---\n"+acmeMain)
		w.run("", "apply", w.dir, "--author", "bob")
		w.fails("--org names the organization; there are acme, beta", "rollback", "1")
		w.fails("revision 7 of organization acme: not found; hookswitch revisions lists them", "rollback", "7", "--org", "acme")
		w.run("acme: revision 3: 3 added, 0 changed, 0 removed, in 5 files\n", "rollback", "1", "--org", "acme", "--author", "eve")
		w.wantExported(first)
		out, _, err := command(w.T, "revisions", "--org", "acme", "-o", "json", "--config", w.settings)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for decode := json.NewDecoder(strings.NewReader(out)); decode.More(); {
			var r store.Revision
			if err := decode.Decode(&r); err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Author+": "+r.Note)
		}
		if strings.Join(got, "; ") != "eve: rollback to revision 1; bob: ; ann: first" {
			w.Errorf("revisions %v", got)
		}
		w.wantExported(w.files, "--org", "acme", "--revision", "2")
	})
}

func TestOrganizationIsRemovedOnlyWhenItIsSaid(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir)
		whole := w.files
		w.write("acme/a.yaml", acmeHead+"---\n"+acmeMain)
		w.run("", "apply", w.dir)
		w.wantExported(store.Files{"beta/b.yml": []byte(betaAll), "beta/x.schema.json": []byte("{ }")}, "--org", "beta")
		w.fails("there is no organization gamma to remove; there are acme, beta", "apply", w.dir, "--remove", "gamma")
		w.fails("organization acme is to be removed, and is in the folder", "apply", w.dir, "--remove", "acme")
		w.run("beta: revision 2, organization removed: 0 added, 0 changed, 3 removed, in 2 files\n", "apply", w.dir, "--remove", "beta")
		w.wantExported(w.files)
		w.run("", "rollback", "1", "--org", "beta")
		maps.DeleteFunc(whole, func(name string, _ []byte) bool { return strings.HasPrefix(name, "acme/") })
		w.wantExported(whole, "--org", "beta")
	})
}

func TestFlowIsTakenBackAlone(t *testing.T) {
	onBoth(t, func(w *world) {
		w.two()
		w.run("", "apply", w.dir, "--author", "ann")
		w.write("acme/head.yaml", acmeHead, "acme/numbers.yaml", "# newer\nnumbers:\n  \"+15550100\": {flow: main}\n  \"+15550101\": {flow: other}\n",
			"acme/flows/all.yaml", "# a head of its own\n"+strings.Replace(acmeMain, "USER_BUSY", "CALL_REJECTED", 1)+strings.Replace(acmeOther, "# another", "# another, newer", 1),
			"acme/flows/all.test.yaml", acmeTest, "beta/b.yml", betaAll, "beta/x.schema.json", "{ }")
		w.run("", "apply", w.dir, "--author", "bob")
		out, _, err := command(w.T, "flows", "versions", "main", "--org", "acme", "-o", "json", "--config", w.settings)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err != nil || len(lines) != 2 {
			t.Fatal(err, out)
		}
		var old store.FlowVersion
		if err := json.Unmarshal([]byte(lines[1]), &old); err != nil || old.Author != "ann" || old.First != 1 || old.Last != 1 {
			w.Fatalf("%v: %s", err, out)
		}
		w.fails("has no version 0000", "flows", "rollback", "main", "0000", "--org", "acme")
		w.fails("has never had a flow man", "flows", "versions", "man", "--org", "acme")
		w.run("acme: revision 3: 0 added, 1 changed, 0 removed, in 1 file\n", "flows", "rollback", "main", old.Version[:8], "--org", "acme")
		w.files["acme/flows/all.yaml"] = []byte(acmeMain + strings.Replace(acmeOther, "# another", "# another, newer", 1))
		w.wantExported(w.files)
		out, _, err = command(w.T, "flows", "versions", "main", "--org", "acme", "--config", w.settings)
		if err != nil || !strings.HasPrefix(strings.Split(out, "\n")[1], old.Version+"  1, in force") {
			w.Errorf("%v\n%s", err, out)
		}
	})
}

// A campaign that goes over to a flow, and back to its plan, leaves all else as it was.
func TestCampaignGoesOverToAFlowAndBack(t *testing.T) {
	const campaign = "organization: acme\n---\ncampaigns:\n  roofing: {plan: roofing, flow: ivr} # plan\nnumbers: {\"+15550100\": {campaign: roofing}}\n" +
		"plans:\n  roofing: {members: [{target: alice}]}\ntargets:\n  alice: {user: a@b}\n---\nflow: ivr\nstart: bye\nnodes: {bye: {hangup: {}}}\n"
	onBoth(t, func(w *world) {
		w.write("a.yaml", campaign)
		w.run("", "apply", w.dir)
		first := w.files
		w.write("a.yaml", strings.Replace(campaign, "flow: ivr}", "flow: ivr, mode: call_flow}", 1))
		out, _, _ := command(w.T, "diff", w.dir, "--config", w.settings)
		if want := "acme (revision 1)\n  ~ campaign roofing\n      mode: + call_flow\n  ~ file a.yaml\n"; out != want {
			w.Errorf("got\n%swant\n%s", out, want)
		}
		w.run("acme: revision 2: 0 added, 1 changed, 0 removed, in 1 file\n", "apply", w.dir)
		w.write("a.yaml", campaign)
		w.run("acme: revision 3: 0 added, 1 changed, 0 removed, in 1 file\n", "apply", w.dir)
		w.wantExported(first)
	})
}
