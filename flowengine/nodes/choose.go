package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/flowengine"
)

// source is where the chance and the turns of one choice come from.
type source struct {
	*flowengine.Session
	ctx      context.Context
	key      string // of the turns
	fallback string // why the turn was not that of all nodes
}

func (s *source) Turn() (at uint64) {
	at, s.fallback = s.Session.Turn(s.ctx, s.key)
	return at
}
