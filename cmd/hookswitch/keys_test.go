package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

const acmeHooks = acmeHead + `---
incoming: {leads: {accepts: [call-data]}}
webhooks: {crm: {url: "https://crm.example/hook", events: [call.ended], headers: {X-Token: "{{ secrets.CRM }}"}}}
---
`

// hooked makes a database with an organization that has webhooks, and the key that a server
// would have made.
func (w *world) hooked() {
	w.Helper()
	w.write("acme/a.yaml", acmeHooks+acmeMain)
	w.run("", "apply", w.dir)
	s := w.serversSettings()
	if _, err := seal.OpenFile(s.secretKeyFile()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) serversSettings() *settings {
	w.Helper()
	serve, _, err := newRoot().Find([]string{"serve"})
	if err != nil {
		w.Fatal(err)
	}
	if err := serve.ParseFlags([]string{"--config", w.settings}); err != nil {
		w.Fatal(err)
	}
	s, err := loadSettings(serve)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// typed runs a command that reads a text from its input.
func (w *world) typed(text string, line ...string) (string, error) {
	w.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append(line, "--config", w.settings))
	root.SetIn(strings.NewReader(text))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(w.Context())
	return out.String(), err
}

func TestAKeyIsMadeShownOnceAndRevoked(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		out, errs, err := command(t, "keys", "create", "--name", "CRM", "--scope", "calls:read,tags:write", "--scope", "private", "--config", w.settings)
		if err != nil {
			t.Fatal(err)
		}
		key, err := keys.Parse(strings.TrimSuffix(out, "\n"))
		if err != nil || !strings.Contains(errs, "key "+key.ID()+" for calls:read, tags:write, private, made now and not shown again") {
			t.Errorf("printed %v, said %s", err, errs)
		}
		db, err := askStore(t.Context(), w.serversSettings(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		kept, err := db.FindKey(t.Context(), key.Hash())
		if err != nil || kept.Org != "acme" || kept.ID != key.ID() || kept.By == "" || !keys.Allows(kept.Scopes, keys.Private) || kept.Ends != nil {
			t.Errorf("kept %+v %v", kept, err)
		}
		for _, form := range []string{"text", "json"} {
			out, _, err := command(t, "keys", "list", "--org", "acme", "-o", form, "--config", w.settings)
			if err != nil || !strings.Contains(out, key.ID()) || !strings.Contains(out, "CRM") || strings.Contains(out, key.Reveal()) {
				t.Errorf("%v, listed %s", err, out)
			}
		}
		w.run("", "keys", "revoke", key.ID())
		if kept, err := db.FindKey(t.Context(), key.Hash()); err != nil || kept.Ends == nil {
			t.Errorf("it does not end: %+v %v", kept, err)
		}
		out, _, err = command(t, "keys", "list", "--config", w.settings)
		if err != nil || !strings.Contains(out, "ended") {
			t.Errorf("%v, listed %s", err, out)
		}
		w.fails(`there is no key "abcdefgh"; hookswitch keys list shows the ids`, "keys", "revoke", "abcdefgh")
	})
}

func TestAKeyOfAnIncomingWebhookIsForThatAlone(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		out, _, err := command(t, "keys", "create", "--name", "leads", "--scope", "incoming:leads", "--life", "24h", "-o", "json", "--config", w.settings)
		var made struct {
			ID, Key string
			Scopes  []string
			Ends    string
		}
		if err != nil || json.Unmarshal([]byte(out), &made) != nil || made.Ends == "" || len(made.Scopes) != 1 || !strings.HasPrefix(made.Key, "hsk_"+made.ID+"_") {
			t.Errorf("%v: %+v", err, made)
		}
		for want, line := range map[string]string{
			`scope incoming:lead: there is no incoming webhook lead; did you mean "leads"?`: "--name x --scope incoming:lead",
			"can have no other scopes":                      "--name x --scope incoming:leads --scope calls:read",
			`--scope: there is no scope "calls"`:            "--name x --scope calls",
			"--scope: a key has 1 to 20 scopes":             "--name x",
			`--name: ""`:                                    "--scope calls:read",
			"--life: -1s is negative":                       "--name x --scope calls:read --life -1s",
			"there is no organization acma; there are acme": "--name x --scope calls:read --org acma",
		} {
			w.fails(want, append([]string{"keys", "create"}, strings.Fields(line)...)...)
		}
		if out, _, err := command(t, "keys", "list", "-o", "json", "--config", w.settings); err != nil || strings.Count(out, "\n") != 1 {
			t.Errorf("%v, made were %s", err, out)
		}
	})
}

func TestSecretsAreSetFromTheInputAndNeverShown(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		for _, value := range []string{"canary-one\n", "canary-two"} {
			if out, err := w.typed(value, "secrets", "set", "CRM"); err != nil || out != "secrets.CRM is set\n" {
				t.Errorf("%v: %s", err, out)
			}
		}
		for _, form := range []string{"text", "json"} {
			out, _, err := command(t, "secrets", "list", "-o", form, "--config", w.settings)
			if err != nil || !strings.Contains(out, "CRM") || strings.Contains(out, "canary") {
				t.Errorf("%v, listed %s", err, out)
			}
		}
		w.fails(`"a-b" cannot be the name of a secret`, "secrets", "set", "a-b")
		if _, err := w.typed("\n", "secrets", "set", "CRM"); err == nil || !strings.Contains(err.Error(), "secrets.CRM: the value is empty") {
			t.Errorf("an empty value: %v", err)
		}
		w.run("secrets.CRM has no value any more\n", "secrets", "remove", "CRM")
		w.fails(`there is no secret "CRM"; hookswitch secrets list shows them`, "secrets", "remove", "CRM")
		files, err := filepath.Glob(filepath.Join(w.serversSettings().Data, "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("canary")) {
				t.Errorf("%s: %v, or it holds the value", file, err)
			}
		}
	})
}

func TestTheSecretOfAnEndpointIsShownAndRotated(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		type signing struct{ Secret, Created, Ends string }
		secrets := func(line ...string) (list []signing) {
			t.Helper()
			out, _, err := command(t, append([]string{"webhooks", "secret", "crm", "-o", "json", "--config", w.settings}, line...)...)
			if err != nil {
				t.Fatal(err)
			}
			for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
				var s signing
				if err := d.Decode(&s); err != nil {
					t.Fatal(err)
				}
				if _, err := standard.ParseSecret(s.Secret); err != nil {
					t.Error(err)
				}
				list = append(list, s)
			}
			return list
		}
		first := secrets()
		if again := secrets(); len(first) != 1 || len(again) != 1 || again[0] != first[0] {
			t.Errorf("made anew, or %d", len(again))
		}
		if both := secrets("--rotate", "--overlap", "1h"); len(both) != 2 || both[1].Secret != first[0].Secret || both[1].Ends == "" || both[0].Ends != "" {
			t.Errorf("%d secrets after a rotation with overlap", len(both))
		}
		if one := secrets("--rotate", "--overlap", "0s"); len(one) != 1 || one[0].Secret == first[0].Secret {
			t.Errorf("%d secrets after a rotation without overlap", len(one))
		}
		w.run("", "webhooks", "secret", "crm")
		w.fails(`there is no outgoing webhook crn; did you mean "crm"?`, "webhooks", "secret", "crn")
		w.fails("--overlap goes with --rotate", "webhooks", "secret", "crm", "--overlap", "1h")
		w.fails("an overlap of -1s", "webhooks", "secret", "crm", "--rotate", "--overlap", "-1s")
	})
}

// A command makes no key: the servers would not have it.
func TestSecretsNeedTheKeyOfTheServers(t *testing.T) {
	onBoth(t, func(w *world) {
		w.write("acme/a.yaml", acmeHooks+acmeMain)
		w.run("", "apply", w.dir)
		file := w.serversSettings().secretKeyFile()
		for _, line := range [][]string{{"secrets", "set", "CRM"}, {"webhooks", "secret", "crm"}} {
			w.fails("a server makes it when it starts", line...)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s was made", file)
		}
		w.run("", "secrets", "list")
	})
}

func TestKeysOfAnOrganizationInAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("incoming: {leads: {accepts: [call-data]}}\n---\n"+acmeMain), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, settings: settingsText(t, "data: "+t.TempDir()+"\nconfig_dir: "+dir+"\n")}
	if _, err := seal.OpenFile(w.serversSettings().secretKeyFile()); err != nil {
		t.Fatal(err)
	}
	w.fails("there is no database yet", "keys", "create", "--name", "x", "--scope", "incoming:leads")
	db, err := openStore(t.Context(), w.serversSettings())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w.run("", "keys", "create", "--name", "x", "--scope", "incoming:leads")
	out, _, err := command(t, "keys", "list", "-o", "json", "--config", w.settings)
	if err != nil || strings.Count(out, `"incoming:leads"`) != 1 {
		t.Errorf("%v, listed %s", err, out)
	}
}
