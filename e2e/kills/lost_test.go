package kills

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// A server whose disk is lost with events that the database has not, and that begins
// anew under its name, or with an old copy of its journal: it says so, live calls go on,
// and after the CDRs were put back as docs/operations.md says, every call is in the log
// once, with its end.
func TestServerThatLostItsDisk(t *testing.T) {
	long(t, "a server that lost its disk is not tested")
	program, err := shipped()
	must(t, err)
	for name, c := range map[string]struct {
		copied bool
		says   string
	}{
		"all of it":       {false, "this node had another journal, which was not closed: what it recorded later is not in the call log unless it comes back"},
		"but an old copy": {true, "call log lacks events"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loseDisk(t, program, c.copied, c.says)
		})
	}
}

func loseDisk(t *testing.T, program string, copied bool, says string) {
	pg := storetest.NewPostgres(t)
	w := newWorld(t, 4*time.Minute)
	w.database = pg.URL("hookswitch")
	w.forgiven = []string{"call log lacks events"}
	a := w.newNode("a", program, "10s")
	w.open(60, a)
	a.start()
	disperse := w.crowd(50)
	w.moments.wait(w.ctx, 1500)
	anew := filepath.Join(w.dir, "another disk")
	if copied {
		must(t, os.CopyFS(filepath.Join(anew, "journal"), os.DirFS(a.journalDir())))
	}
	w.moments.wait(w.ctx, 1500)
	must(t, pg.Hang())
	w.moments.wait(w.ctx, 500+rand.New(rand.NewPCG(w.seed, 0)).IntN(500))
	all := w.kill(a)
	must(t, pg.Resume())

	lost := a.journalDir()
	a.home = anew
	a.furnish()
	w.diary[a] = a.follow(w.ctx)
	for e, err := range journal.Read(a.journalDir()) {
		if err == nil { // the copy may have a torn end
			w.diary[a].take(e)
		}
	}
	w.putBackCDRs()
	told := a.logged(says)
	a.start()
	<-w.within(told)
	disperse()
	w.settle()
	records := w.check(all)
	w.drained()
	missing := w.checkAfterLoss(records, lost)
	t.Logf("%d calls; %d events were lost with the disk", len(w.calls), missing)
	if missing == 0 {
		t.Error("nothing was lost, so this is no test")
	}
}

// putBackCDRs lets the server take in again what it has taken in.
func (w *world) putBackCDRs() {
	done := filepath.Join(w.sw.CDRDir, "done")
	files, err := os.ReadDir(done)
	must(w.t, err)
	for _, f := range files {
		must(w.t, os.Rename(filepath.Join(done, f.Name()), filepath.Join(w.sw.CDRDir, f.Name())))
	}
}

// checkAfterLoss compares the call log with the journal that there is and the one that is
// lost, and returns how many events of that the log does not have.
func (w *world) checkAfterLoss(records map[string]*record, lost string) (missing int) {
	w.t.Helper()
	type identity struct {
		call       string
		epoch, seq int
		at         int64
	}
	identify := func(e call.Event) identity { return identity{e.Call, e.Epoch, e.Seq, e.Time.UnixNano()} }
	before := map[identity]bool{}
	for e, err := range journal.Read(lost) {
		must(w.t, err)
		before[identify(e)] = true
	}
	s := w.log()
	defer s.Close()
	_, _, err := s.Settle(w.ctx, time.Now(), time.Minute)
	must(w.t, err)
	for _, k := range w.calls {
		c, err := s.Call(w.ctx, organization, k.UUID)
		if err != nil {
			w.t.Errorf("call %s: %v", k.UUID, err)
			continue
		}
		if r := k.Result(); c.State != store.Complete || c.Ended == nil || c.Cause != r.Cause {
			w.t.Errorf("call %s is %s, ended %v with %s, the switch says %s", k.UUID, c.State, c.Ended, c.Cause, r.Cause)
		}
		has := map[identity]bool{}
		for _, e := range c.Events {
			if has[identify(e)] {
				w.t.Errorf("call %s: %s %d.%d is there twice", k.UUID, e.Type, e.Epoch, e.Seq)
			}
			has[identify(e)] = true
			delete(before, identify(e))
		}
		for _, e := range records[k.UUID].events {
			if !has[identify(e)] {
				w.t.Errorf("call %s lacks %s %d.%d", k.UUID, e.Type, e.Epoch, e.Seq)
			}
		}
		legs := map[string]bool{}
		for _, l := range c.Legs {
			if legs[l.UUID] {
				w.t.Errorf("call %s has leg %s twice", k.UUID, l.UUID)
			}
			legs[l.UUID] = true
		}
	}
	if found := w.inLog(); found != len(w.calls) {
		w.t.Errorf("%d calls are in the log, %d were placed", found, len(w.calls))
	}
	return len(before)
}

// Two servers that have one name are told so, until one of them is gone.
func TestServersOfOneNameAreTold(t *testing.T) {
	long(t, "two servers of one name are not tested")
	t.Parallel()
	program, err := shipped()
	must(t, err)
	w := newWorld(t, time.Minute)
	w.database = storetest.NewPostgres(t).URL("hookswitch")
	const clash = "another server has the name of this node: give it one of its own (setting node)"
	w.forgiven = []string{clash}
	a, b := w.newNode("a", program, "10s"), w.newNode("b", program, "10s")
	b.name = "a"
	b.furnish()
	ofA, ofB := a.logged(clash), b.logged(clash)
	a.start()
	b.start()
	<-w.within(ofA)
	<-w.within(ofB)
	gone := a.logged("no other server has the name of this node any more")
	b.stop()
	<-w.within(gone)
}
