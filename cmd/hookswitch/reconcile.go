package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
)

// Times of the reconciliation.
const (
	sweepEvery = time.Second      // between looks at the CDR folder and the open calls
	askEvery   = 15 * time.Second // between questions whether a call that goes on alone still does
	settleTime = 3 * time.Second  // a call that just lost its controller is usually taken over within this
	cdrWait    = 10 * time.Second // that a call which is gone waits for its CDR
	cdrKeep    = 7 * 24 * time.Hour
	cdrSuffix  = ".cdr.json"
)

// reconciler gives an end to calls that ended while nobody controlled them. It
// has three sources, in the order of their speed: the event sockets of the
// switches, the files of mod_json_cdr, and the question whether a channel still
// exists.
type reconciler struct {
	*controller
	sockets []eventSocket

	mu      sync.Mutex
	clients map[string]*eslctl.Client // by address, those that are connected
	named   map[string]*eslctl.Client // the same by the name of the switch
	missing map[string]time.Time      // open calls that no switch has any more, since when
	alive   map[string]time.Time      // open calls that a switch has, when it was asked
	unread  map[string]time.Time      // CDR files that could not be read, since when
	later   map[string]time.Time      // CDR files that are not ours, or not yet: when to look again
	pruned  time.Time                 // when old CDR files were last removed
}

func newReconciler(c *controller, s *settings) *reconciler {
	return &reconciler{controller: c, sockets: s.FreeSWITCH, clients: map[string]*eslctl.Client{}, named: map[string]*eslctl.Client{},
		missing: map[string]time.Time{}, alive: map[string]time.Time{}, unread: map[string]time.Time{}, later: map[string]time.Time{}}
}

// run reconciles until ctx ends.
func (r *reconciler) run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, socket := range r.sockets {
		m := &eslctl.Monitor{
			Address: socket.Address, Password: string(socket.Password), Ended: r.heard,
			Connected: func(ctx context.Context, c *eslctl.Client) { r.connected(ctx, socket.Address, c) },
			Problem: func(err error) {
				r.disconnected(socket.Address)
				r.log.Warn().Str("switch", socket.Address).Err(err).Msg("event socket is not connected")
			},
		}
		wait.Go(func() { m.Run(ctx) })
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		r.readCDRs(ctx)
		r.askForOpen(ctx)
		select {
		case <-ctx.Done():
			wait.Wait()
			return
		case <-tick.C:
		}
	}
}

func (r *reconciler) connected(ctx context.Context, address string, c *eslctl.Client) {
	name, err := c.Switch(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clients[address] = c
	if err != nil {
		r.log.Warn().Str("switch", address).Err(err).Msg("the switch does not say its name")
		return
	}
	r.named[name] = c
	r.log.Info().Str("switch", address).Str("name", name).Msg("event socket connected")
}

func (r *reconciler) disconnected(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[address]
	delete(r.clients, address)
	maps.DeleteFunc(r.named, func(_ string, named *eslctl.Client) bool { return named == c })
}

// heard takes the end of a call from a switch's event socket. While the call is
// controlled here its own connection tells the end, after all that came before.
func (r *reconciler) heard(id, checkpoint string, end eslctl.End) {
	if r.server.Controls(id) {
		return
	}
	if r.cdr != "" && !r.journal.Has(id) { // the CDR says more of a call that is not known
		r.gone(id)
		return
	}
	if !r.journal.Has(id) && !r.other(checkpoint) {
		r.late(call.Call{ID: id}, checkpoint, call.EpochOf(checkpoint), "known only from the switch's event socket")
	}
	r.close(id, checkpoint, end, "event")
}

// readCDRs takes in what mod_json_cdr has written. A file is moved to "done"
// once its end is on the disk here; one of another node's call is left to that
// node. All of them wait for a disk that fails.
func (r *reconciler) readCDRs(ctx context.Context) {
	if r.cdr == "" || r.journal.Failing() {
		return
	}
	files, err := os.ReadDir(r.cdr)
	if err != nil {
		r.once(r.cdr, err)
		return
	}
	r.prune()
	later := make(map[string]time.Time, len(r.later))
	defer func() { r.later = later }() // those of files that are gone are forgotten
	for _, f := range files {
		name := f.Name()
		if at, ok := r.later[name]; ok && time.Now().Before(at) {
			later[name] = at
			continue
		}
		claimed := strings.HasSuffix(name, cdrSuffix+"."+r.node)
		if !claimed && !strings.HasSuffix(name, cdrSuffix) || ctx.Err() != nil {
			continue
		}
		wait, err := r.readCDR(ctx, name, claimed)
		if wait > 0 {
			later[name] = time.Now().Add(wait)
		}
		if err != nil {
			r.once(name, err)
		} else {
			delete(r.unread, name)
		}
	}
}

// prune removes files that were taken in long ago.
func (r *reconciler) prune() {
	if time.Since(r.pruned) < time.Hour {
		return
	}
	r.pruned = time.Now()
	dir := filepath.Join(r.cdr, "done")
	files, err := os.ReadDir(dir)
	if err != nil {
		return // nothing was taken in yet
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > cdrKeep {
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
				r.once(f.Name(), err)
			}
		}
	}
}

// once says what is wrong with a file when it has been so for a while (the
// switch may still be writing it), and then no more.
func (r *reconciler) once(name string, err error) {
	since, known := r.unread[name]
	switch {
	case !known:
		r.unread[name] = time.Now()
	case !since.IsZero() && time.Since(since) > cdrWait:
		r.unread[name] = time.Time{}
		r.log.Error().Str("file", name).Err(err).Msg("CDR cannot be taken in")
	}
}

// readCDR takes in a file. One of a call that no node had a checkpoint on may be
// taken in by any: by the one that has claimed it, which renames it first. again
// says when to look at a file that stays.
func (r *reconciler) readCDR(ctx context.Context, name string, claimed bool) (again time.Duration, err error) {
	data, err := os.ReadFile(filepath.Join(r.cdr, name))
	if os.IsNotExist(err) {
		return 0, nil // another node was faster
	}
	if err != nil {
		return 0, err
	}
	cdr, err := eslctl.ParseCDR(data)
	if err != nil {
		return 0, err
	}
	id, file := cdr.Call.ID, name
	if claimed {
		name = strings.TrimSuffix(name, "."+r.node)
	}
	if r.server.Controls(id) {
		return 0, nil // its connection tells the end in a moment
	}
	epoch := 1
	switch last, err := call.ParseCheckpoint(cdr.Checkpoint); {
	case err == nil && last.Node != r.node:
		r.close(id, cdr.Checkpoint, cdr.End, "cdr")
		return askEvery, nil
	case err == nil:
		epoch = last.Epoch
	case cdr.Checkpoint == "" && !cdr.Ours:
		return cdrKeep, nil
	case cdr.Checkpoint == "" && !claimed && !r.journal.Has(id):
		file = name + "." + r.node
		if err := os.Rename(filepath.Join(r.cdr, name), filepath.Join(r.cdr, file)); err != nil {
			return 0, nil // another node was faster
		}
	}
	if !r.journal.Has(id) {
		r.late(cdr.Call, cdr.Checkpoint, epoch, "known only from the switch's record")
	}
	r.close(id, cdr.Checkpoint, cdr.End, "cdr")
	return 0, r.done(ctx, file, name)
}

// done keeps the file for other nodes to look up, after the end is on the disk.
func (r *reconciler) done(ctx context.Context, file, name string) error {
	if err := r.journal.Flush(ctx); err != nil {
		return err
	}
	dir := filepath.Join(r.cdr, "done")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(r.cdr, file), filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// askForOpen asks the switches for every open call that nobody here controls.
// A call that none of them has, and of which no CDR comes, has ended.
func (r *reconciler) askForOpen(ctx context.Context) {
	// What is not asked about any more is forgotten.
	asked, missing := make(map[string]time.Time, len(r.alive)), make(map[string]time.Time, len(r.missing))
	defer func() { r.alive, r.missing = asked, missing }()
	for _, c := range r.journal.Open() {
		if r.server.Controls(c.ID) || time.Since(c.Since) < settleTime {
			continue
		}
		if at := r.alive[c.ID]; time.Since(at) < askEvery {
			asked[c.ID] = at
			continue
		}
		alive, known := r.exists(ctx, c.ID)
		since, seen := r.missing[c.ID]
		if !seen {
			since = time.Now()
		}
		switch {
		case !known:
			if seen {
				missing[c.ID] = since
			}
			continue
		case alive:
			asked[c.ID] = time.Now()
			continue
		case r.lookUp(c.ID):
			continue
		case time.Since(since) < cdrWait:
			missing[c.ID] = since
			continue
		}
		r.end(c.ID, eslctl.End{Known: true, Cause: call.UnknownCause}, "reconciliation")
	}
}

// exists asks every switch whether it has the channel. The answer is known when
// one has it, or when all were asked: one that cannot be reached may have it.
func (r *reconciler) exists(ctx context.Context, id string) (alive, known bool) {
	known = len(r.sockets) > 0
	for _, socket := range r.sockets {
		r.mu.Lock()
		c := r.clients[socket.Address]
		r.mu.Unlock()
		if c == nil {
			known = false
			continue
		}
		switch yes, err := c.Exists(ctx, id); {
		case err != nil:
			known = false
		case yes:
			return true, true
		}
	}
	return false, known
}

// lookUp ends a call by a CDR that another node has already taken in.
func (r *reconciler) lookUp(id string) bool {
	if r.cdr == "" {
		return false
	}
	data, err := os.ReadFile(filepath.Join(r.cdr, "done", id+cdrSuffix))
	if err != nil {
		return false
	}
	cdr, err := eslctl.ParseCDR(data)
	if err != nil {
		return false
	}
	r.close(id, cdr.Checkpoint, cdr.End, "cdr")
	return true
}
