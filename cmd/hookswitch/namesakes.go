package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

// namesakes looks in the call log for other journals that come under the name of this
// node. One that goes on is that of another server: the two count as one when limits are
// shared, and take each other's calls for their own.
type namesakes struct {
	node string
	own  string // id of this server's journal
	new  bool   // that has just begun
	log  zerolog.Logger
	db   journalList

	until  map[string]time.Time // of the others; nil: not looked yet
	others bool                 // some go on
}

type journalList interface {
	Journals(ctx context.Context, node string) ([]store.Journal, error)
}

func newNamesakes(node string, log zerolog.Logger, j *journal.Journal, db journalList) *namesakes {
	return &namesakes{node: node, own: j.ID(), new: j.Report().Segments == 0, log: log, db: db}
}

// look is to be called at least twice as far apart as a drain lets its journal be silent.
// It goes by what has changed, not by the clocks of others.
func (n *namesakes) look(ctx context.Context) error {
	all, err := n.db.Journals(ctx, n.node)
	if err != nil {
		return err
	}
	until, goesOn := make(map[string]time.Time, len(all)), ""
	for _, j := range all {
		if j.ID == n.own {
			continue
		}
		until[j.ID] = j.Until
		if was, known := n.until[j.ID]; n.until != nil && !j.Closed && (!known || j.Until.After(was)) {
			goesOn = j.ID
		}
		if n.until == nil && n.new && !j.Closed {
			n.log.Warn().Str("journal", j.ID).Time("until", j.Until).
				Msg("this node had another journal, which was not closed: what it recorded later is not in the call log unless it comes back")
		}
	}
	n.until = until
	switch {
	case goesOn != "" && !n.others:
		n.log.Error().Str("journal", goesOn).Msg("another server has the name of this node: give it one of its own (setting node)")
	case goesOn == "" && n.others:
		n.log.Info().Msg("no other server has the name of this node any more")
	}
	n.others = goesOn != ""
	return nil
}
