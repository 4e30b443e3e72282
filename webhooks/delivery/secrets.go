package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// fresh is for how long signing secrets are used without asking again.
const fresh = 30 * time.Second

// signer remembers the signing secrets of an endpoint.
type signer struct {
	mu    sync.Mutex
	known []standard.Secret
	at    time.Time
}

// secrets returns them. Where they cannot be had anew the last ones will do.
func (s *signer) secrets(ctx context.Context, l store.LaneName, ask func(context.Context, store.LaneName) ([]standard.Secret, error)) ([]standard.Secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.known != nil && now.Sub(s.at) < fresh {
		return s.known, nil
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	got, err := ask(limited, l)
	switch {
	case err == nil && len(got) > 0:
		s.known = got
	case s.known != nil:
	case err != nil:
		return nil, fmt.Errorf("signing secret of the endpoint: %w", err)
	default:
		return nil, fmt.Errorf("the endpoint has no signing secret")
	}
	s.at = now
	return s.known, nil
}
