package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/eslctl/doctor"
)

// nobody returns an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDoctorNamesWhatIsWrong(t *testing.T) {
	t.Setenv("HOOKSWITCH_FREESWITCH_PASSWORD", "canary")
	address, server := nobody(t), httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	args := []string{"doctor", "--freeswitch", address, "--http", strings.TrimPrefix(server.URL, "http://"), "--config-dir", "../../examples/main-line"}
	out, _, err := command(t, args...)
	if err == nil || err.Error() != "doctor: errors: 1" {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"✓ server          the server is ready\n\n" + address + "\n✗ connection      dial tcp ", "\n    write: <param name=\"listen-ip\"", "\n    in:    autoload_configs/event_socket.conf.xml\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	out, _, err = command(t, append(args, "-o", "json")...)
	var findings []doctor.Finding
	for line := range strings.Lines(out) {
		var f doctor.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		findings = append(findings, f)
	}
	if err == nil || len(findings) != 2 || findings[1].Switch != address || findings[1].Severity != doctor.Error || len(findings[1].Write) == 0 {
		t.Errorf("%v: %+v", err, findings)
	}
	if strings.Contains(out, "canary") || !strings.Contains(out, "<param") {
		t.Errorf("JSON: %s", out)
	}
}

func TestDoctorNeedsAFreeSWITCH(t *testing.T) {
	var usage *usageError
	if _, _, err := command(t, "doctor"); !errors.As(err, &usage) {
		t.Errorf("error %v", err)
	}
}

func TestDoctorAsksTheServerItself(t *testing.T) {
	reasons := new(readiness)
	reasons.check("journal", func() error { return fmt.Errorf("no space left") })
	server := httptest.NewServer(newMux(reasons, http.NotFoundHandler()))
	defer server.Close()
	if f := serverAnswers(t.Context(), strings.TrimPrefix(server.URL, "http://")); f.Severity != doctor.Warning || !strings.Contains(f.Says, "no space left") {
		t.Errorf("not ready: %+v", f)
	}
	if f := serverAnswers(t.Context(), nobody(t)); f.Severity != doctor.Warning || !strings.Contains(f.Says, "no server answers") {
		t.Errorf("not there: %+v", f)
	}
}
