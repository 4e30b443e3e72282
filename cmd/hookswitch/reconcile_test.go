package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/store/journal"
)

// newTestReconciler makes that of a node with a journal and a CDR folder.
func newTestReconciler(t *testing.T, node, cdr string) *reconciler {
	t.Helper()
	s := &settings{Node: node, Data: t.TempDir(), CDR: cdr}
	j, err := openJournal(s, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return newReconciler(newController(s, zerolog.Nop(), j, newMetrics(readBuildInfo())), s)
}

// told returns the types of what the journal holds, in order.
func (r *reconciler) told(t *testing.T, dir string) (types []call.Type) {
	t.Helper()
	if err := r.journal.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for e, err := range journal.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type)
	}
	return types
}

const someCall = "5d0e1c1c-0000-4000-8000-000000000001"

func writeCDR(t *testing.T, dir, name, checkpoint string) {
	t.Helper()
	text := fmt.Sprintf(`{"variables":{"uuid":%q,"hookswitch":"true","hookswitch_checkpoint":%q,"hangup_cause":"NORMAL_CLEARING"}}`, someCall, checkpoint)
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *reconciler) dir() string {
	return filepath.Join(filepath.Dir(r.config.versions.Dir), "journal")
}

func TestCDRClaimedBeforeACrashIsTakenInAfterIt(t *testing.T) {
	dir := t.TempDir()
	writeCDR(t, dir, someCall+".cdr.json.a", "")
	r := newTestReconciler(t, "b", dir)
	r.readCDRs(t.Context())
	if got := r.told(t, r.dir()); len(got) != 0 {
		t.Errorf("b took in what a has claimed: %v", got)
	}
	r = newTestReconciler(t, "a", dir)
	for range 2 {
		r.readCDRs(t.Context())
	}
	if got := r.told(t, r.dir()); !slices.Equal(got, []call.Type{call.Started, call.Ended}) {
		t.Errorf("journal: %v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "done", someCall+".cdr.json")); err != nil {
		t.Error(err)
	}
}

// The node whose checkpoint is on the channel tells the end, whoever sees it.
func TestEndBelongsToTheNodeOnTheChannel(t *testing.T) {
	dir := t.TempDir()
	r := newTestReconciler(t, "b", dir)
	r.recorder(someCall, 1).Record(call.Event{Type: call.Started})
	end := eslctl.End{Known: true, Cause: call.NormalClearing, Checkpoint: "1.2.a.x"}
	r.heard(someCall, end.Checkpoint, end)
	r.close(someCall, end.Checkpoint, end, "")
	if got := r.told(t, r.dir()); !slices.Equal(got, []call.Type{call.Started, call.Taken}) {
		t.Errorf("journal: %v", got)
	}
	end.Checkpoint = "1.3.b.x"
	r.heard(someCall, end.Checkpoint, end)
	r.heard(someCall, end.Checkpoint, end)
	if got := r.told(t, r.dir()); !slices.Equal(got, []call.Type{call.Started, call.Taken, call.Ended}) {
		t.Errorf("journal: %v", got)
	}
	other := "5d0e1c1c-0000-4000-8000-000000000002"
	r.heard(other, end.Checkpoint, end)
	if r.journal.Has(other) {
		t.Error("the end of an unknown call was not left to its CDR")
	}
}

// A connection that began and ended while no server was there is told, once, by the end of
// the call, unless a controller has told of it.
func TestConnectionThatNobodySaw(t *testing.T) {
	checkpoint := func(committed bool) string {
		payload := fmt.Sprintf(`{"v":1,"f":"main","h":"1","n":"sales","c":%v,"k":1,"d":1}`, committed)
		return call.Checkpoint{Epoch: 1, Node: "b", Payload: base64.RawURLEncoding.EncodeToString([]byte(payload))}.String()
	}
	at := time.Date(2026, 10, 3, 9, 0, 0, 0, time.UTC)
	met := eslctl.End{Known: true, Cause: call.NormalClearing, At: at, Callee: "b-leg", Bridged: at.Add(-time.Minute)}
	for name, c := range map[string]struct {
		end        eslctl.End
		checkpoint string
		told       []call.Type
	}{
		"connected":           {met, checkpoint(true), []call.Type{call.Started, call.Released, call.Ended}},
		"told by a server":    {met, checkpoint(false), []call.Type{call.Started, call.Ended}},
		"nobody has answered": {eslctl.End{Known: true, Cause: call.NormalClearing, At: at}, checkpoint(true), []call.Type{call.Started, call.Ended}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestReconciler(t, "b", t.TempDir())
			r.recorder(someCall, 1).Record(call.Event{Type: call.Started})
			for range 2 {
				r.heard(someCall, c.checkpoint, c.end)
			}
			if got := r.told(t, r.dir()); !slices.Equal(got, c.told) {
				t.Errorf("journal: %v, want %v", got, c.told)
			}
		})
	}
}

// A file that another node takes away while
// it is read is no fault.
func TestCDRThatIsGoneIsNoFault(t *testing.T) {
	r := newTestReconciler(t, "a", t.TempDir())
	if _, err := r.readCDR(t.Context(), "gone"+cdrSuffix, false); err != nil {
		t.Error(err)
	}
	if r.lookUp(someCall) {
		t.Error("a call without a CDR has ended")
	}
}
