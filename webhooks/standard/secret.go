package standard

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	prefix    = "whsec_"
	newLength = 32 // bytes of a secret that is made here
	minLength = 24 // the bounds of the specification
	maxLength = 64
)

// Secret is what a sender and a receiver share. Printed in any way it shows nothing; Reveal
// returns it as it is written. The zero Secret signs nothing and verifies nothing.
type Secret struct{ key string }

// NewSecret makes a secret of 32 random bytes.
func NewSecret() Secret {
	key := make([]byte, newLength)
	rand.Read(key) // never fails
	return Secret{string(key)}
}

// ParseSecret reads whsec_ and the base64 of 24 to 64 bytes. The prefix may be missing. No
// error repeats the text.
func ParseSecret(text string) (Secret, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, prefix))
	if err != nil {
		return Secret{}, errors.New("not a signing secret: write whsec_ and its base64")
	}
	if len(key) < minLength || len(key) > maxLength {
		return Secret{}, fmt.Errorf("a signing secret of %d bytes: %d to %d", len(key), minLength, maxLength)
	}
	return Secret{string(key)}, nil
}

// Reveal returns the secret as ParseSecret reads it.
func (s Secret) Reveal() string { return prefix + base64.StdEncoding.EncodeToString([]byte(s.key)) }

// Format prints no secret.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, prefix+"***") }

// MarshalText writes no secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(prefix + "***"), nil }
