//go:build freeswitch

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/eslctl/doctor"
)

// patient is a switch beside a server that is ready, for the doctor to look at.
type patient struct {
	*testing.T
	sw     *freeswitch
	server *server
}

// edit is a change to a file of FreeSWITCH's configuration.
type edit struct{ file, old, text string }

func (e edit) apply(dir string) error {
	path := filepath.Join(dir, e.file)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), e.old) {
		return fmt.Errorf("%s has no %q", e.file, e.old)
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(b), e.old, e.text)), 0o644)
}

// newPatient starts a switch on the shipped configuration with the edits.
func newPatient(t *testing.T, edits ...edit) *patient {
	t.Helper()
	return newPatientOf(t, flows(t, "flows.yaml"), false, edits...)
}

// newPatientOf is newPatient with flows, which are in the database if they are to be.
func newPatientOf(t *testing.T, flows string, stored bool, edits ...edit) *patient {
	t.Helper()
	p := &patient{T: t}
	dir, err := os.MkdirTemp("", "hookswitch-e2e-doctor-")
	p.must(err)
	conf := filepath.Join(dir, "freeswitch-conf")
	p.must(os.CopyFS(conf, os.DirFS(confDir)))
	for _, e := range edits {
		p.must(e.apply(conf))
	}
	p.server, err = newServer(dir, "doctor")
	p.must(err)
	p.server.stored = stored
	ctx := within(t, 3*time.Minute)
	p.sw, err = startSwitch(ctx, freeswitchBinary, conf, switchOptions{nodes: p.server.listen, takeover: p.server.takeover, callees: "127.0.0.1:9"})
	p.must(err)
	t.Cleanup(func() {
		p.server.kill()
		p.sw.stop()
		if !t.Failed() {
			os.RemoveAll(dir)
			os.RemoveAll(p.sw.dir)
		}
	})
	p.must(p.server.settle(flows, "", p.sw))
	p.must(p.server.start(ctx, ""))
	return p
}

func (p *patient) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// findings runs the doctor and returns what is not well, each as
// "check: severity: what it says: lines to write".
func (p *patient) findings(args ...string) (bad []string) {
	p.Helper()
	out, err := exec.Command(serverBinary, append([]string{"doctor", "-o", "json", "--config", p.server.settings()}, args...)...).Output()
	errs, all := 0, 0
	for line := range strings.Lines(string(out)) {
		var f doctor.Finding
		p.must(json.Unmarshal([]byte(line), &f))
		all++
		if f.Severity == doctor.Error {
			errs++
		}
		if f.Severity != doctor.OK {
			bad = append(bad, fmt.Sprintf("%s: %s: %s: %s", f.Check, f.Severity, f.Says, strings.Join(f.Write, "; ")))
		}
	}
	if exit := new(exec.ExitError); all < 20 || (errs > 0) != errors.As(err, &exit) || errs > 0 && exit.ExitCode() != 1 {
		p.Errorf("%d findings, %d errors: %v", all, errs, err)
	}
	if strings.Contains(string(out), p.sw.password) {
		p.Error("the doctor tells the password")
	}
	return bad
}

// only says that there is this finding and no other: its check, its severity and
// a part of the line to write.
func only(t *testing.T, found []string, want ...string) {
	t.Helper()
	if len(found) != 1 || !strings.HasPrefix(found[0], want[0]+": "+want[1]+": ") || !strings.Contains(found[0], want[2]) {
		t.Errorf("found %q, want %q", found, want)
	}
}

const (
	dialplanFile = "fragments/dialplan/00_hookswitch.xml"
	resumeAction = `<action application="set" data="socket_resume=true"/>`
	socketAction = `<action application="socket" data="${hookswitch_socket} async full"/>`
)

// On the shipped configuration the doctor finds nothing. Each fault that is
// planted there, in FreeSWITCH's files or in the server's settings, is named,
// and nothing else is.
func TestDoctor(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	conf := filepath.Join(p.sw.dir, "conf")
	reload := func(t *testing.T) {
		t.Helper()
		if _, err := p.sw.api(within(t, 20*time.Second), "reloadxml"); err != nil {
			t.Fatal(err)
		}
	}
	if found := p.findings(); len(found) > 0 {
		t.Errorf("on the shipped configuration: %q", found)
	}
	for _, fault := range []struct {
		name string
		edit edit
		want []string
	}{
		{"no socket_resume", edit{dialplanFile, resumeAction, ""}, []string{"socket_resume", "error", resumeAction}},
		{"one socket action", edit{dialplanFile, "        " + resumeAction + socketAction + `<action application="sleep"`, `<action application="sleep"`}, []string{"repetition", "error", socketAction}},
		{"another port", edit{dialplanFile, "hookswitch_nodes=" + p.server.listen, "hookswitch_nodes=127.0.0.1:1"}, []string{"dialplan", "error", "hookswitch_nodes=" + p.server.listen}},
		{"another takeover port", edit{dialplanFile, "hookswitch_takeover=" + p.server.takeover, "hookswitch_takeover=127.0.0.1:1"}, []string{"takeover", "error", "hookswitch_takeover=" + p.server.takeover}},
		{"not async", edit{dialplanFile, "async full", "full"}, []string{"control", "error", socketAction}},
		{"another context", edit{"freeswitch.xml", `<context name="public">`, `<context name="inbound">`}, []string{"context", "error", `<param name="context" value="inbound"/>`}},
		{"no last resort", edit{dialplanFile, "^hookswitch-last-resort$", "^nothing$"}, []string{"last resort", "error", `<extension name="hookswitch-last-resort">`}},
		{"a number is not taken", edit{dialplanFile, `expression="^\+?[0-9*#]{1,32}$">` + "\n        <action", `expression="^\+1444">` + "\n        <action"}, []string{"numbers", "error", "destination_number"}},
		{"log level debug", edit{"vars.xml", "log_level=info", "log_level=debug"}, []string{"log level", "warning", `<param name="loglevel" value="info"/>`}},
		{"CDRs by HTTP alone", edit{"fragments/autoload_configs/json_cdr.conf.xml", `<param name="rotate" value="false"/>`, `<param name="url" value="http://127.0.0.1:9/"/>`}, []string{"cdr", "error", "log-http-and-disk"}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			before, err := os.ReadFile(filepath.Join(conf, fault.edit.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := fault.edit.apply(conf); err != nil {
				t.Fatal(err)
			}
			reload(t)
			only(t, p.findings(), fault.want...)
			if err := os.WriteFile(filepath.Join(conf, fault.edit.file), before, 0o644); err != nil {
				t.Fatal(err)
			}
			reload(t)
		})
	}
	t.Run("settings of the server", func(t *testing.T) {
		only(t, p.findings("--cdr", t.TempDir()), "cdr", "error", `<param name="log-dir" value="`)
		only(t, p.findings("--recordings", filepath.Join(p.sw.dir, "nowhere")), "recordings", "warning", "nowhere")
		only(t, p.findings("--profile", "internal"), "profile", "error", "profile: external")
		only(t, p.findings("--tts-engine", "cepstral"), "speech", "error", "mod_cepstral")
		only(t, p.findings("--allow", "0.0.0.0/0"), "allow", "error", "allow: [")
		folder := t.TempDir()
		p.must(os.WriteFile(filepath.Join(folder, "targets.yaml"), []byte("targets:\n  bob: {number: \"7001\", gateway: nowhere}\n"), 0o644))
		only(t, p.findings("--config-dir", folder), "gateways", "error", `<gateway name="nowhere">`)
	})
	if found := p.findings(); len(found) > 0 {
		t.Errorf("in the end: %q", found)
	}
}

// The doctor reads the numbers and targets of a server whose configuration is in the
// database out of it, also what was applied last and also beside the server.
func TestDoctorOfAStoredConfiguration(t *testing.T) {
	t.Parallel()
	text := flows(t, "campaigns.yaml")
	p := newPatientOf(t, text, true, edit{dialplanFile, `expression="^\+?[0-9*#]{1,32}$">` + "\n        <action", `expression="^\+15550">` + "\n        <action"})
	if found := p.findings(); len(found) > 0 {
		t.Errorf("on the shipped configuration: %q", found)
	}
	apply := func(old, text string) {
		t.Helper()
		e := edit{"e2e.yaml", old, text}
		p.must(e.apply(filepath.Join(p.server.dir, "conf")))
		p.must(p.server.apply())
	}
	apply(`"+15550200": {campaign`, `"+14445550200": {campaign`)
	only(t, p.findings(), "numbers", "error", "destination_number")
	apply(`"+14445550200": {campaign`, `"+15550200": {campaign`)
	apply("trunk: {gateway: carrier}", "trunk: {gateway: nowhere}")
	only(t, p.findings(), "gateways", "error", `<gateway name="nowhere">`)
}

// Faults that FreeSWITCH has from its start.
func TestDoctorOfFaultsFromTheStart(t *testing.T) {
	t.Parallel()
	const listen = `<param name="listen-ip" value="127.0.0.1"/>`
	for _, fault := range []struct {
		name string
		edit edit
		want []string
	}{
		{"no TTS module", edit{"autoload_configs/modules.conf.xml", `<load module="mod_flite"/>`, ""}, []string{"speech", "error", `<load module="mod_flite"/>`}},
		{"no CDR module", edit{"autoload_configs/modules.conf.xml", `<load module="mod_json_cdr"/>`, ""}, []string{"modules", "error", `<load module="mod_json_cdr"/>`}},
		{"API expansion", edit{"autoload_configs/switch.conf.xml", `name="api-expansion" value="false"`, `name="api-expansion" value="true"`}, []string{"api expansion", "warning", `name="api-expansion" value="false"`}},
		{"few sessions", edit{"autoload_configs/switch.conf.xml", `name="max-sessions" value="5000"`, `name="max-sessions" value="1000"`}, []string{"sessions", "warning", `name="max-sessions" value="4000"`}},
		{"event socket without a list", edit{"autoload_configs/event_socket.conf.xml", listen, strings.Replace(listen, "127.0.0.1", "0.0.0.0", 1)}, []string{"event socket", "warning", "apply-inbound-acl"}},
		{"event socket for everybody", edit{"autoload_configs/event_socket.conf.xml", listen,
			strings.Replace(listen, "127.0.0.1", "0.0.0.0", 1) + `<param name="apply-inbound-acl" value="any_v4.auto"/>`}, []string{"event socket", "error", `default="deny"`}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			only(t, newPatient(t, fault.edit).findings(), fault.want...)
		})
	}
}
