package kills

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// badDisk is how long the disk is full, or fails.
	badDisk = 20 * time.Second
	// alarmLimit is how soon that is to be said aloud.
	alarmLimit = 5 * time.Second
)

// A disk that is full, or whose fsync fails, under the journal and the database costs no
// call and no event: new calls are routed meanwhile, the server says that it is not ready,
// and the log has all of it in the end.
func TestCallsOutlastTheDisk(t *testing.T) {
	long(t, "a disk that is full or fails is not tested")
	program, err := shipped()
	must(t, err)
	for name, disk := range map[string]struct {
		spoil func(w *world, n *node) (mend func())
		kill  bool // the server meanwhile
	}{"full": {fill, false}, "full, and the server dies": {fill, true}, "fsync fails": {failFsync, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 4*time.Minute)
			w.forgiven = []string{"journal cannot be kept as it should", "call log lacks events", "limits are counted by this node alone",
				"configuration"} // which has no copy on a full disk
			a := w.newNode("a", program, "10s")
			smallDisk(t, a)
			w.open(60, a)
			a.start()
			const population = 50
			disperse := w.crowd(population)
			w.moments.wait(w.ctx, 2000)

			const alarmed = "journal cannot be kept as it should"
			alarm := a.logged(alarmed)
			mend := disk.spoil(w, a)
			began := time.Now()
			<-w.within(alarm)
			for a.readiness() == http.StatusOK {
				w.during(t, 20*time.Millisecond)
			}
			if took := time.Since(began); took > alarmLimit {
				t.Errorf("the alarm came after %v, at most %v", took, alarmLimit)
			} else {
				t.Logf("alarm after %v", took.Round(time.Millisecond))
			}
			before := w.over()
			w.during(t, badDisk)
			if routed := w.over() - before; routed < population {
				t.Errorf("only %d calls began and ended while the disk was bad", routed)
			}
			if a.metric("hookswitch_journal_failed") == 0 {
				t.Error("the journal was written, so the disk was not bad")
			}
			var all []caught
			if disk.kill {
				all = w.kill(a)
				alarm = a.logged(alarmed)
				a.start()
				<-w.within(alarm)
			}
			again := a.logged("journal is kept again")
			mend()
			<-w.within(again)
			if dropped := a.metric("hookswitch_journal_dropped_total"); dropped > 0 {
				t.Errorf("%.0f events were dropped", dropped)
			}
			disperse()
			w.settle()
			records := w.check(all)
			w.drained()
			w.checkLog(records)
			t.Logf("%d calls", len(records))
			if status := a.readiness(); status != http.StatusOK {
				t.Errorf("afterwards /readyz is %d", status)
			}
			a.stop()
		})
	}
}

// within fails the test when c is not closed in time.
func (w *world) within(c chan struct{}) chan struct{} {
	select {
	case <-c:
	case <-w.ctx.Done():
		w.fatalf("the server does not say it")
	}
	return c
}

// readiness is the status of /readyz.
func (n *node) readiness() int {
	resp, err := http.Get("http://" + n.http + "/readyz")
	must(n.w.t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

// smallDisk mounts a small file system for the data of a server that does not run yet.
func smallDisk(t *testing.T, n *node) {
	err := syscall.Mount("none", n.home, "tmpfs", 0, "size=96m")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("SKIPPED, nothing can be mounted (%v): a full disk is not tested", err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, syscall.Unmount(n.home, syscall.MNT_DETACH)) }) // the server has files open
	n.furnish()
}

// fill writes until nothing more fits.
func fill(w *world, n *node) (free func()) {
	path := filepath.Join(n.home, "something else")
	f, err := os.Create(path)
	must(w.t, err)
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		w.fatalf("the disk is not full: %v", err)
	}
	return func() { must(w.t, os.Remove(path)) }
}

// zeros never end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// failFsync lets every fsync of the server fail.
func failFsync(w *world, n *node) (mend func()) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		w.t.Skip("SKIPPED, strace is not installed (Debian: apt-get install strace): an fsync that fails is not tested")
	}
	calls := "fsync,fdatasync"
	cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace="+calls, "-e", "inject="+calls+":error=EIO", "-p", strconv.Itoa(n.process.Pid))
	var said strings.Builder
	cmd.Stderr = &said
	must(w.t, cmd.Start())
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it said is told
		close(gone)
	}()
	for !traced(n.process.Pid) {
		select {
		case <-gone:
			w.t.Skipf("SKIPPED, strace may not: an fsync that fails is not tested: %s", &said)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return func() {
		must(w.t, cmd.Process.Signal(syscall.SIGINT)) // it lets go of the server
		<-gone
	}
}

// traced says whether somebody traces a process.
func traced(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	return err == nil && !strings.Contains(string(status), "TracerPid:\t0\n")
}
