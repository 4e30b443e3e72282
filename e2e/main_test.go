//go:build freeswitch

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store/storetest"
)

const (
	confDir    = "../freeswitch-conf"
	serverPath = "../cmd/hookswitch"
)

// Programs that the tests run. An empty one is not there.
var (
	freeswitchBinary string
	sippBinary       string
	serverBinary     string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	freeswitchBinary = find("FREESWITCH", "freeswitch")
	sippBinary = find("SIPP", "sipp")
	if freeswitchBinary == "" {
		fmt.Print("SKIPPED: everything in e2e. No FreeSWITCH is on PATH and FREESWITCH names none, so nothing was tested of:\n" +
			"  the shipped configuration, SIP calls, every kind of node, digits, secrets, dialling, early media, recording, voicemail,\n" +
			"  the CDR of every leg, requests while the caller waits, transfers, what FreeSWITCH makes of ten thousand hostile values,\n" +
			"  kill -9 of the server in every state of a call and every kind of node, two servers, two switches, the last resort,\n" +
			"  campaigns and routing plans, limits of targets over two servers, the call log in the database,\n" +
			"  what the doctor finds.\n")
		return 0
	}
	if sippBinary == "" {
		fmt.Println("SKIPPED: calls by sipp. It is not on PATH and SIPP does not name it; all other calls are placed.")
	}
	dir, err := os.MkdirTemp("", "hookswitch-e2e-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	serverBinary = filepath.Join(dir, "hookswitch")
	build := exec.Command("go", "build", "-tags", "crashpoints", "-o", serverBinary, serverPath)
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Println("building the server:", err)
		return 1
	}
	// The tests wait most of the time, each on a switch of its own.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set("6")
	}
	return storetest.Run(m)
}

func find(env, name string) string {
	if path := os.Getenv(env); path != "" {
		return path
	}
	path, _ := exec.LookPath(name)
	return path
}

// within is the context of a test or of a part of it.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
