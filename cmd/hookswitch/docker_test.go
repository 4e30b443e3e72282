package main

import (
	"encoding/xml"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// composition is what compose.yaml says of interest here.
type composition struct {
	Services map[string]struct {
		Image       string
		NetworkMode string `yaml:"network_mode"`
		Environment map[string]string
		Secrets     []string
		Volumes     []string
		Ports       []string
		Entrypoint  []string
	}
	Volumes map[string]any
	Secrets map[string]struct{ Environment string }
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, "../../docker/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 4 {
		t.Fatalf("services %v", slices.Sorted(maps.Keys(c.Services)))
	}
	return c
}

var servers = []string{"hw1", "hw2"}

// What the composition sets in the environment are settings, with values that a server starts with.
func TestComposedServersHaveValidSettings(t *testing.T) {
	c := readComposition(t)
	known := map[string]string{}
	for _, s := range settingTable() {
		known["HOOKSWITCH_"+strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))] = s.key
	}
	for _, name := range servers {
		t.Run(name, func(t *testing.T) {
			password := settingsText(t, "secret") // a file with one line
			for key, value := range c.Services[name].Environment {
				if known[key] == "" {
					t.Errorf("%s is not a setting", key)
				}
				if secret, is := strings.CutPrefix(value, "/run/secrets/"); is {
					if !slices.Contains(c.Services[name].Secrets, secret) || c.Secrets[secret].Environment == "" {
						t.Errorf("%s: the server has no secret %s", key, secret)
					}
					value = password
				}
				t.Setenv(key, value)
			}
			out, _, err := command(t, "serve", "--print-config")
			if err != nil {
				t.Fatal(err)
			}
			var s struct{ Node, Data, CDR string }
			if err := yaml.Unmarshal([]byte(out), &s); err != nil || s.Node != name || !call.ValidNode(s.Node) {
				t.Errorf("%+v, %v", s, err)
			}
			for _, folder := range []string{s.Data, s.CDR} {
				if !slices.ContainsFunc(c.Services[name].Volumes, func(v string) bool { return strings.HasSuffix(v, ":"+folder) }) {
					t.Errorf("%s would be lost with the container", folder)
				}
			}
		})
	}
}

// Both servers open what either has sealed, and answer posts at an address of their own.
func TestComposedServersShareTheSealingKey(t *testing.T) {
	c := readComposition(t)
	one, other := c.Services[servers[0]], c.Services[servers[1]]
	const key, api = "HOOKSWITCH_SECRET_KEY_FILE", "HOOKSWITCH_API"
	file := one.Environment[key]
	kept := func(v string) bool { return strings.HasSuffix(v, ":"+path.Dir(file)) }
	i, j := slices.IndexFunc(one.Volumes, kept), slices.IndexFunc(other.Volumes, kept)
	if file == "" || other.Environment[key] != file || i < 0 || j < 0 || one.Volumes[i] != other.Volumes[j] {
		t.Errorf("keys at %q of %v and %q of %v", file, one.Volumes, other.Environment[key], other.Volumes)
	}
	if one.Environment[api] == "" || other.Environment[api] == "" || one.Environment[api] == other.Environment[api] {
		t.Errorf("the API is at %q and %q", one.Environment[api], other.Environment[api])
	}
}

// Both servers are in the lists of the dialplan, with the addresses that they have.
func TestComposedDialplanHasBothServers(t *testing.T) {
	c := readComposition(t)
	want := map[string]string{}
	for list, setting := range map[string]string{"hookswitch_nodes": "HOOKSWITCH_LISTEN", "hookswitch_takeover": "HOOKSWITCH_LISTEN_TAKEOVER"} {
		var hosts []string
		for _, name := range servers {
			hosts = append(hosts, c.Services[name].Environment[setting])
		}
		want[list] = strings.Join(hosts, "|")
	}
	if have := presets(t, "../../docker/freeswitch/dialplan.xml"); !maps.Equal(have, want) {
		t.Errorf("the dialplan has %v, the servers are %v", have, want)
	}
	// The shipped files ask for those of the composition, and know what they set.
	for shipped, site := range map[string]string{"fragments/dialplan/00_hookswitch.xml": "dialplan.xml", "vars.xml": "vars.xml"} {
		shippedPresets := presets(t, "../../freeswitch-conf/"+shipped)
		for name := range presets(t, "../../docker/freeswitch/"+site) {
			if _, known := shippedPresets[name]; !known {
				t.Errorf("%s does not know %s", shipped, name)
			}
		}
		folder := "/etc/hookswitch/freeswitch"
		if !strings.Contains(readFile(t, "../../freeswitch-conf/"+shipped), `cmd="include" data="`+path.Join(folder, site)+`"`) ||
			!slices.Contains(c.Services["freeswitch"].Volumes, "./freeswitch:"+folder+":ro") {
			t.Errorf("%s does not read %s", shipped, site)
		}
	}
	ports := map[string]string{}
	for _, name := range servers {
		for _, setting := range []string{"LISTEN", "LISTEN_TAKEOVER", "HTTP"} {
			address := c.Services[name].Environment["HOOKSWITCH_"+setting]
			if other, taken := ports[address]; taken || !strings.HasPrefix(address, "127.0.0.1:") {
				t.Errorf("%s of %s: %s (%s)", setting, name, address, other)
			}
			ports[address] = name
		}
	}
}

// presets returns the variables that a file of FreeSWITCH's configuration sets.
func presets(t *testing.T, file string) map[string]string {
	t.Helper()
	var x struct {
		Set []struct {
			Command string `xml:"cmd,attr"`
			Data    string `xml:"data,attr"`
		} `xml:"X-PRE-PROCESS"`
	}
	if err := xml.Unmarshal([]byte(readFile(t, file)), &x); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	out := map[string]string{}
	for _, set := range x.Set {
		if name, value, ok := strings.Cut(set.Data, "="); ok && strings.HasSuffix(set.Command, "set") {
			out[name] = value
		}
	}
	return out
}

// FreeSWITCH writes CDRs where the servers look for them, on the network of the
// servers; the database is where they look for it.
func TestComposedServicesMeet(t *testing.T) {
	c := readComposition(t)
	sw, db := c.Services["freeswitch"], c.Services["postgres"]
	for _, name := range append(servers, "freeswitch") {
		if c.Services[name].NetworkMode != "host" {
			t.Errorf("%s is not on the host's network", name)
		}
	}
	logs := sw.Entrypoint[slices.Index(sw.Entrypoint, "-log")+1]
	if cdr := c.Services["hw1"].Environment["HOOKSWITCH_CDR"]; cdr != logs+"/json_cdr" || !slices.Contains(sw.Volumes, "cdr:"+cdr) {
		t.Errorf("CDRs are written below %s and read in %s", logs, cdr)
	}
	if recordings := c.Services["hw1"].Environment["HOOKSWITCH_RECORDINGS"]; recordings != sw.Entrypoint[slices.Index(sw.Entrypoint, "-recordings")+1] {
		t.Errorf("recordings: %s", recordings)
	}
	if url := c.Services["hw1"].Environment["HOOKSWITCH_DATABASE"]; !strings.Contains(url, "//"+db.Environment["POSTGRES_USER"]+"@127.0.0.1:5432/"+db.Environment["POSTGRES_DB"]+"?") ||
		!slices.Equal(db.Ports, []string{"127.0.0.1:5432:5432"}) {
		t.Errorf("database %s", url)
	}
	if socket, port := c.Services["hw1"].Environment["HOOKSWITCH_FREESWITCH"], presets(t, "../../freeswitch-conf/vars.xml")["event_socket_port"]; socket != "127.0.0.1:"+port {
		t.Errorf("event socket %s, port %s", socket, port)
	}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; !named && !strings.ContainsAny(from, "./$") {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
	}
}

// What has to be told has a line in the example, without a value that would work everywhere.
func TestExampleOfTheEnvironmentHasNoSecrets(t *testing.T) {
	c, example := readComposition(t), readFile(t, "../../docker/.env.example")
	asked := []string{"FREESWITCH_IMAGE"}
	for _, secret := range c.Secrets {
		asked = append(asked, secret.Environment)
	}
	for _, name := range asked {
		if !regexp.MustCompile(`(?m)^` + name + `=$`).MatchString(example) {
			t.Errorf(".env.example: no empty %s", name)
		}
	}
	if !strings.HasPrefix(c.Services["freeswitch"].Image, "${FREESWITCH_IMAGE:?") {
		t.Errorf("FreeSWITCH's image is %s", c.Services["freeswitch"].Image)
	}
}

// The image is built with the Go of go.mod, and its folders are those of the settings.
func TestImageFitsTheProgram(t *testing.T) {
	dockerfile := readFile(t, "../../docker/Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(readFile(t, "../../go.mod"))[1]
	data := ""
	for _, s := range settingTable() {
		if s.key == "data" {
			data = s.value.(string)
		}
	}
	for _, want := range []string{
		"FROM golang:" + version + "-", "CGO_ENABLED=0", "\nUSER 65532:65532\n", "\nVOLUME " + data + "\n",
		" /out/empty " + data + "\n", " /out/empty " + readComposition(t).Services["hw1"].Environment["HOOKSWITCH_CDR"] + "\n",
		`CMD ["/usr/local/bin/hookswitch", "health"]`, "\nCMD [\"serve\"]\n",
	} {
		if !strings.Contains(dockerfile, want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	commands := newRoot()
	for _, name := range []string{"serve", "health"} {
		if c, _, err := commands.Find([]string{name}); err != nil || c.Name() != name {
			t.Errorf("there is no command %s", name)
		}
	}
}

// The unit leaves the server what it needs.
func TestUnitFitsTheServer(t *testing.T) {
	unit := map[string]string{}
	for line := range strings.Lines(readFile(t, "../../docker/systemd/hookswitch.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			unit[key] = value
		}
	}
	for key, want := range map[string]string{
		"Type": "notify", "ExecStart": "/usr/local/bin/hookswitch serve", "ExecReload": "/bin/kill -HUP $MAINPID", "Restart": "always",
		"After": "network-online.target", "ReadWritePaths": "-/var/log/freeswitch/json_cdr", "WatchdogSec": "30s",
	} {
		if unit[key] != want {
			t.Errorf("%s=%s, want %s", key, unit[key], want)
		}
	}
	for _, s := range settingTable() {
		switch s.key {
		case "data":
			if s.value != "/var/lib/"+unit["StateDirectory"] {
				t.Errorf("StateDirectory=%s, the data are in %s", unit["StateDirectory"], s.value)
			}
		case "max_calls":
			if files, err := strconv.Atoi(unit["LimitNOFILE"]); err != nil || files < s.value.(int)+500 {
				t.Errorf("LimitNOFILE=%s for %d calls", unit["LimitNOFILE"], s.value)
			}
		}
	}
	for _, family := range []string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"} {
		if !slices.Contains(strings.Fields(unit["RestrictAddressFamilies"]), family) {
			t.Errorf("the server may not use %s", family)
		}
	}
}
