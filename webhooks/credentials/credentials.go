// Package credentials keeps what outgoing webhooks must know and nobody else: the secrets that
// sign what is sent to an endpoint, and the values that templates read as secrets.NAME. Both
// are sealed in the store.
//
// A Keeper remembers what it has read for a few seconds. So a secret that another server has
// changed is in use here Memory later, and a rotation without overlap has that much of one in
// which either secret may sign. While the store does not answer, what was read last goes on.
package credentials

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/seal"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// Memory is how long what was read is taken for true.
const Memory = 10 * time.Second

// What a secret is called in the store.
const (
	endpointPrefix = "endpoint/"
	valuePrefix    = "value/"
)

// maxRemembered bounds what is remembered: when there is more, all is read anew.
const maxRemembered = 20_000

// Keeper reads and writes secrets. It is safe for several goroutines.
type Keeper struct {
	Now func() time.Time // time.Now

	db   store.Secrets
	ring *seal.Ring

	mu         sync.Mutex
	remembered map[name]reading
}

// name is that of a secret, as in the store.
type name struct{ org, name string }

// reading is what was in the store at a moment.
type reading struct {
	at   time.Time
	list []opened // newest first
}

// opened is a secret that holds.
type opened struct {
	seal.Secret
	Created time.Time
	Ends    *time.Time // nil: never
}

// New returns the keeper of the secrets in db, which are sealed with a ring.
func New(db store.Secrets, ring *seal.Ring) *Keeper {
	return &Keeper{Now: time.Now, db: db, ring: ring, remembered: make(map[name]reading)}
}

// read returns the secrets of a name that hold, newest first: those that are remembered where
// the store does not answer.
func (k *Keeper) read(ctx context.Context, n name) ([]opened, error) {
	now := k.Now()
	k.mu.Lock()
	last, known := k.remembered[n]
	k.mu.Unlock()
	if known && now.Sub(last.at) < Memory {
		return holding(last.list, now), nil
	}
	list, err := k.db.Secrets(ctx, n.org, n.name, now)
	if err == nil {
		return k.remember(n, list, now)
	}
	if held := holding(last.list, now); len(held) > 0 {
		k.renew(n, last)
		return held, nil
	}
	return nil, &store.UnavailableError{Err: err}
}

// renew takes a reading for true once more, so that not everybody waits for a store that does
// not answer; not where another has come since.
func (k *Keeper) renew(n name, last reading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.remembered[n].at.Equal(last.at) {
		k.remembered[n] = reading{k.Now(), last.list}
	}
}

func holding(list []opened, now time.Time) (out []opened) {
	for _, o := range list {
		if o.Ends == nil || now.Before(*o.Ends) {
			out = append(out, o)
		}
	}
	return out
}

// remember opens what the store has of a name.
func (k *Keeper) remember(n name, list []store.Secret, now time.Time) ([]opened, error) {
	out := make([]opened, len(list))
	for i, s := range list {
		text, err := k.ring.Open(s.Sealed, s.KeyID, n.org, n.name)
		if err != nil {
			return nil, fmt.Errorf("organization %s: secret of %s: %w", n.org, shown(n.name), err)
		}
		out[i] = opened{text, s.Created, s.Ends}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.remembered) >= maxRemembered {
		clear(k.remembered)
	}
	k.remembered[n] = reading{now, out}
	return out, nil
}

// shown is the name of a secret for people.
func shown(name string) string {
	if endpoint, ok := strings.CutPrefix(name, endpointPrefix); ok {
		return "endpoint " + endpoint
	}
	return strings.TrimPrefix(name, valuePrefix)
}

func (k *Keeper) forget(n name) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.remembered, n)
}

// add puts a secret beside those of a name, which end after a time.
func (k *Keeper) add(ctx context.Context, n name, text seal.Secret, overlap time.Duration, first bool) ([]opened, error) {
	now := k.Now()
	sealed, keyID := k.ring.Seal(text, n.org, n.name)
	list, err := k.db.AddSecret(ctx, n.org, store.Secret{Name: n.name, Sealed: sealed, KeyID: keyID, Created: now}, now.Add(overlap), first)
	if err != nil {
		k.forget(n) // it may be there all the same
		return nil, &store.UnavailableError{Err: err}
	}
	return k.remember(n, list, now)
}

// RefusedError says why a secret cannot be what it shall be; it does not hold the secret.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return e.Why }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Signing is a secret that signs.
type Signing struct {
	Secret  standard.Secret
	Created time.Time
	Ends    *time.Time // nil: until it is changed for another
}

// Signing returns the secrets of an endpoint, newest first. The first one is made when it is
// asked for: of servers that do so at once, all get the same. A *store.UnavailableError says
// that the store did not answer.
func (k *Keeper) Signing(ctx context.Context, org, endpoint string) ([]Signing, error) {
	n := name{org, endpointPrefix + endpoint}
	list, err := k.read(ctx, n)
	if err == nil && len(list) == 0 {
		list, err = k.add(ctx, n, seal.NewSecret(standard.NewSecret().Reveal()), 0, true)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Signing, len(list))
	for i, o := range list {
		s, err := standard.ParseSecret(o.Reveal())
		if err != nil {
			return nil, fmt.Errorf("organization %s: secret of endpoint %s: %w", org, endpoint, err)
		}
		out[i] = Signing{s, o.Created, o.Ends}
	}
	return out, nil
}

// For returns what signs a message to an endpoint, the newest secret first.
func (k *Keeper) For(ctx context.Context, org, endpoint string) ([]standard.Secret, error) {
	list, err := k.Signing(ctx, org, endpoint)
	if err != nil {
		return nil, err
	}
	out := make([]standard.Secret, len(list))
	for i, s := range list {
		out[i] = s.Secret
	}
	return out, nil
}

// Bounds of a rotation.
const (
	maxSigning = 10 // secrets of an endpoint at once: each is a signature in a header
	MaxOverlap = 90 * 24 * time.Hour
)

// Rotate gives an endpoint a new secret. The ones before go on signing beside it for the
// time of overlap, in which the receiver takes the new one. Without overlap they need not be
// opened, so that it works where the key that sealed them is lost.
func (k *Keeper) Rotate(ctx context.Context, org, endpoint string, overlap time.Duration) ([]Signing, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return nil, refuse("an overlap of %v: from 0s to %v", overlap, MaxOverlap)
	}
	n := name{org, endpointPrefix + endpoint}
	if overlap > 0 {
		k.forget(n)
		before, err := k.read(ctx, n)
		if err != nil {
			return nil, err
		}
		if len(before) >= maxSigning {
			return nil, refuse("endpoint %s has %d secrets that still sign; rotate without overlap, or when the next has ended", endpoint, len(before))
		}
	}
	if _, err := k.add(ctx, n, seal.NewSecret(standard.NewSecret().Reveal()), overlap, false); err != nil {
		return nil, err
	}
	return k.Signing(ctx, org, endpoint)
}
