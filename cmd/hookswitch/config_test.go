package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs hookswitch with args and returns what it printed.
func command(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&errs)
	err = root.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// settingsText returns the path of a settings file with that text.
func settingsText(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hookswitch.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagComesBeforeEnvironmentBeforeFileBeforeDefault(t *testing.T) {
	t.Setenv("HOOKSWITCH_MAX_CALLS", "20")
	t.Setenv("HOOKSWITCH_LOG_LEVEL", "warn")
	t.Setenv("HOOKSWITCH_ALLOW", "10.1.2.3/8, 192.0.2.1")
	file := settingsText(t, "max_calls: 10\njournal_max: 1024 MiB\ndrain: 5m\nlog: {level: debug, format: console}\nallow: [127.0.0.1]\n")
	out, _, err := command(t, "serve", "--print-config", "--config", file, "--log-level", "error", "--node", "n1")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"max_calls: 20\n", "drain: 5m0s\n", "journal_max: 1GiB\n", "level: error\n", "format: console\n", "node: n1\n",
		"- 10.0.0.0/8\n- 192.0.2.1/32\n", "http: 127.0.0.1:8090\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}

func TestPasswordsAreFoundAndNeverPrinted(t *testing.T) {
	t.Setenv("HOOKSWITCH_FREESWITCH_PASSWORD", "hidden-one")
	own := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(own, []byte("hidden-two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := settingsText(t, "freeswitch:\n- 127.0.0.1:8021\n- {address: '10.0.0.2:8021', password: hidden-three}\n- {address: '10.0.0.3:8021', password_file: "+own+"}\n")
	out, _, err := command(t, "serve", "--print-config", "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "hidden") || strings.Count(out, "password: (secret)\n") != 4 {
		t.Errorf("printed:\n%s", out)
	}

	root := newRoot()
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.ParseFlags([]string{"--config", file}); err != nil {
		t.Fatal(err)
	}
	s, err := loadSettings(serve)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.complete(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []secret{"hidden-one", "hidden-three", "hidden-two"} {
		if s.FreeSWITCH[i].Password != want {
			t.Errorf("event socket %d has another password", i)
		}
	}
}

func TestMistakesInSettingsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"lisen: 127.0.0.1:1":                         `unknown setting "lisen"; did you mean "listen"?`,
		"log: {levl: info}":                          `unknown setting "log.levl"; did you mean "log.level"?`,
		"freeswitch: [{adress: '127.0.0.1:8021'}]":   `unknown setting "adress" in entry 1 of freeswitch; did you mean "address"?`,
		"xxxxxxxxxxxxxxxxx: 1":                       `unknown setting "xxxxxxxxxxxxxxxxx"; hookswitch serve --help lists all`,
		"max_calls: many":                            `'max_calls'`,
		"max_calls: 0":                               `setting max_calls: "0": at least 1`,
		"drain: 5":                                   `"5" is not a duration such as 90s`,
		"drain: -5s":                                 `setting drain: "-5s": not negative`,
		"journal_max: 2048":                          `"2048" is not a size such as 512MiB or 2GiB`,
		"journal_max: -1GiB":                         `"-1GiB" is not a size`,
		"journal_max: 9999999999TiB":                 `is not a size`,
		"journal_max: 63MiB":                         `setting journal_max: "63MiB": at least 64MiB`,
		"allow: [everybody]":                         `"everybody" is not a network such as 10.0.0.0/8`,
		"allow: []":                                  `setting allow: "": at least one network`,
		"node: a node":                               `setting node: "a node": 1 to 32 letters`,
		"listen: 8084":                               `setting listen: "8084": an address with a port`,
		"http: 127.0.0.1:99999":                      `setting http: "127.0.0.1:99999"`,
		"log: {level: loud}":                         `setting log.level: "loud": trace, debug`,
		"log: {format: xml}":                         `setting log.format: "xml": json or console`,
		"freeswitch: [127.0.0.1]":                    `setting freeswitch[0].address: "127.0.0.1"`,
		"freeswitch: ['127.0.0.1:8021']":             `no password for 127.0.0.1:8021`,
		"freeswitch_password_file: /does/not/exist":  `setting freeswitch_password_file: open /does/not/exist`,
		"database: 'mysql://u:hidden@h/d'":           `setting database: not a URL such as postgres://`,
		"database: 'postgres://u:hidden@h:x/d'":      `setting database: not a URL such as postgres://`,
		"listen: [":                                  `settings: `,
		"freeswitch: {address: x, password: secret}": `unknown setting "freeswitch.address"`,
	} {
		_, _, err := command(t, "serve", "--print-config", "--config", settingsText(t, text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s\n says %v\n want %s", text, err, want)
		}
	}
	if _, _, err := command(t, "serve", "--config", "/does/not/exist"); err == nil {
		t.Error("a settings file that does not exist was read")
	}
	if _, _, err := command(t, "serve", "--lisen", "x"); err == nil || !strings.Contains(err.Error(), "serve --help") {
		t.Errorf("unknown flag: %v", err)
	}
}

func TestEverySettingHasItsFieldAndItsDefaultInTheHelp(t *testing.T) {
	help, _, err := command(t, "serve", "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settingTable() {
		flag := "--" + flagName.Replace(s.key) + " "
		if strings.Contains(help, flag) == (s.key == "freeswitch_password") {
			t.Errorf("help and setting %s do not agree", s.key)
		}
	}
	for _, want := range []string{`"127.0.0.1:8084"`, "default 2000", "default 2h0m0s", "127.0.0.0/8,::1/128"} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %s", want)
		}
	}
}

func TestHostNamesBecomeNodeNames(t *testing.T) {
	for host, want := range map[string]string{"fs1": "fs1", "fs1.example.com": "fs1-example-com", "": "node", "...": "node",
		strings.Repeat("a", 31) + ".b": strings.Repeat("a", 31)} {
		if got := nodeName(host); got != want {
			t.Errorf("%q becomes %q, want %q", host, got, want)
		}
	}
}
