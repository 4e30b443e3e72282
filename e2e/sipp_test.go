//go:build freeswitch

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// TestSIPp presses a key of the menu with a phone that is not ours.
func TestSIPp(t *testing.T) {
	switch {
	case sippBinary == "":
		t.Skip("SKIPPED: no sipp on PATH, and SIPP names none")
	case os.Geteuid() != 0:
		t.Skip("SKIPPED: sipp sends telephone events through a raw socket, which only root may open")
	}
	t.Parallel()
	l := newLane(t, 1, 1)
	ports, err := freePorts(2)
	l.must(err)
	ctx := within(t, time.Minute)
	_, port, err := net.SplitHostPort(l.switches[0].sip)
	l.must(err)
	scenario, err := filepath.Abs("testdata/caller.xml")
	l.must(err)
	cmd := exec.CommandContext(ctx, sippBinary, "127.0.0.1:"+port, "-sf", scenario, "-s", "+15550001", "-m", "1",
		"-i", "127.0.0.1", "-p", fmt.Sprint(ports[0]), "-mi", "127.0.0.1", "-mp", fmt.Sprint(ports[1]), "-nostdin",
		"-timeout", "30s", "-timeout_error")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	events := l.finish(t, ctx, &sipCall{from: "+16669990001", ended: true, change: make(chan struct{})})
	wantExits(t, events, "choose/2 bye/")
	if n := count(events, call.Ended); n != 1 {
		t.Errorf("%d ends", n)
	}
}
