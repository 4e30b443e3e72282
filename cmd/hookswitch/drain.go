package main

import (
	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/store/journal"
)

// newDrain returns what takes the journal to a call log, says aloud how that goes
// and is in the metrics. The journal must have been opened to be drained.
func newDrain(node string, log zerolog.Logger, j *journal.Journal, m *metrics, to drain.Log) *drain.Drain {
	d := &drain.Drain{Journal: j, Log: to, Node: node, Problem: func(err error) {
		if err != nil {
			log.Error().Err(err).Msg("call log lacks events")
		} else {
			log.Info().Msg("call log is written again")
		}
	}}
	m.drains(d)
	return d
}
