package store

import (
	"context"
	"time"
)

// Keys keeps who may use the API and the incoming webhooks of organizations: hashes, never
// the keys.
type Keys interface {
	// AddKey keeps a key.
	AddKey(ctx context.Context, org string, k Key) error
	// FindKey returns the key with a hash, whichever organization's it is; also one that is
	// expired or revoked.
	FindKey(ctx context.Context, hash []byte) (*Key, error)
	// Keys lists the keys of an organization, newest first.
	Keys(ctx context.Context, org string) ([]Key, error)
	// RevokeKey ends a key at a moment, if it does not end before.
	RevokeKey(ctx context.Context, org, id string, at time.Time) error
	// UsedKey notes when and from where a key was used last.
	UsedKey(ctx context.Context, org, id string, at time.Time, from string) error
}

// Key is the right to do something for an organization.
type Key struct {
	Org     string     `json:"-"`
	ID      string     `json:"id"` // the part of the key that may be shown
	Name    string     `json:"name"`
	Hash    []byte     `json:"-"`      // SHA-256 of the key
	Scopes  []string   `json:"scopes"` // see portal
	Created time.Time  `json:"created"`
	By      string     `json:"by,omitempty"`
	Ends    *time.Time `json:"ends,omitempty"` // expired or revoked then; nil: never
	Used    *time.Time `json:"used,omitempty"`
	From    string     `json:"from,omitempty"` // address of the last use
}

// Secrets keeps what must be known again: signing secrets of endpoints and values that
// templates read, sealed with a key that is not in the store.
type Secrets interface {
	// AddSecret keeps a secret beside those of the same name; the ones before end at Ends.
	// With first it does so only where there is none, and returns the ones there are.
	AddSecret(ctx context.Context, org string, s Secret, ends time.Time, first bool) ([]Secret, error)
	// Secrets lists those of a name that have not ended, newest first.
	Secrets(ctx context.Context, org, name string, now time.Time) ([]Secret, error)
	// SecretNames lists the names, sorted.
	SecretNames(ctx context.Context, org string) ([]string, error)
	// RemoveSecrets removes those of a name.
	RemoveSecrets(ctx context.Context, org, name string) error
}

// Secret is a secret as it is kept. The name of an endpoint's signing secret is
// "endpoint/NAME", that of a value for templates "value/NAME".
type Secret struct {
	Name    string
	Sealed  []byte // AES-256-GCM, see package seal
	KeyID   string // of the key that it is sealed with
	Created time.Time
	Ends    *time.Time
}
