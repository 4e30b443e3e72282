// Package seal keeps secrets unreadable where they are stored: a database, and every copy
// of it.
//
// A value is sealed with AES-256-GCM for one organization and one name, and opens for no
// other. The keys are in a file beside the server, one a line: the first one seals, all of
// them open. To change the key, put a new line first and leave the old ones until nothing
// is sealed with them any more. Servers of one database need the same file.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// keySize is that of AES-256, in bytes.
const keySize = 32

// Secret is a text that is never printed; Reveal returns it.
type Secret struct{ text string }

// NewSecret makes a secret of a text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.text }

// Format prints no secret.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "***") }

// MarshalText writes no secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Ring is the keys of a file. It is safe for several goroutines.
type Ring struct {
	file string
	keys []key
}

// key is one of them. Its id says nothing of it.
type key struct {
	id   string
	aead cipher.AEAD
}

func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	sum := sha256.Sum256(append([]byte("id of a sealing key\x00"), raw...))
	return key{hex.EncodeToString(sum[:6]), aead}, nil
}

// bound is what a sealed value is for. No organization's slug holds a NUL.
func bound(org, name string) []byte { return []byte(org + "\x00" + name) }

// Seal seals a value for an organization and a name, and says with which key.
func (r *Ring) Seal(value Secret, org, name string) (sealed []byte, keyID string) {
	k := r.keys[0]
	return k.aead.Seal(nil, nil, []byte(value.text), bound(org, name)), k.id
}

// Sealing returns the id of the key that seals.
func (r *Ring) Sealing() string { return r.keys[0].id }

// Open returns what was sealed for an organization and a name with a key. *MissingKeyError
// says that the key is not in the file; any other error, that the sealed value is damaged or
// of another organization or name.
func (r *Ring) Open(sealed []byte, keyID, org, name string) (Secret, error) {
	for _, k := range r.keys {
		if k.id != keyID {
			continue
		}
		text, err := k.aead.Open(nil, nil, sealed, bound(org, name))
		if err != nil {
			return Secret{}, errors.New("the sealed value is damaged, or was sealed for something else")
		}
		return Secret{string(text)}, nil
	}
	return Secret{}, &MissingKeyError{KeyID: keyID, File: r.file}
}

// MissingKeyError says that a value was sealed with a key that the file does not hold.
type MissingKeyError struct{ KeyID, File string }

func (e *MissingKeyError) Error() string {
	return fmt.Sprintf("it was sealed with key %s, which is not in %s; servers of one database share that file: "+
		"add the line from another server's file, or from a backup of it", e.KeyID, e.File)
}
