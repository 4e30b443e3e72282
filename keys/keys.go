// Package keys makes and reads API keys, which the keys of incoming webhooks are too, and
// knows what each scope allows.
//
// A key is hsk_, an id, _, a secret, and a checksum of all before it:
//
//	hsk_7Qm2XbLc_ + 43 characters + 6 characters
//
// The id may be shown. Of the whole key nothing is kept but its hash: a plain SHA-256, since
// 256 random bits leave nothing to be guessed. A key that was cut short or mistyped is told
// from one that nobody has made without asking a store.
package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

const (
	prefix      = "hsk_"
	idLength    = 8
	secretSize  = 43 // characters of 62 kinds: 256 bits
	checkSize   = 6  // as many as a CRC-32 needs
	keyLength   = len(prefix) + idLength + 1 + secretSize + checkSize
	digits      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	showsNoMore = "***"
)

// MaxName bounds what says what a key is for, in bytes.
const MaxName = 100

// Key is an API key. Printed in any way it shows its id alone; Reveal returns the text.
type Key struct{ text string }

// New makes a key.
func New() Key {
	text := prefix + random(idLength) + "_" + random(secretSize)
	return Key{text + checksum(text)}
}

// random returns random digits, each as likely as any other.
func random(n int) string {
	out := make([]byte, 0, n)
	var some [64]byte
	for len(out) < n {
		rand.Read(some[:]) // never fails
		for _, b := range some {
			if b &= 63; int(b) < len(digits) && len(out) < n {
				out = append(out, digits[b])
			}
		}
	}
	return string(out)
}

func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var out [checkSize]byte
	for i := range out {
		out[checkSize-1-i] = digits[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// Parse reads a key. Its errors say what is wrong, and repeat nothing of the text.
func Parse(text string) (Key, error) {
	rest, ours := strings.CutPrefix(text, prefix)
	switch {
	case text == "":
		return Key{}, errors.New("there is no key")
	case !ours:
		return Key{}, fmt.Errorf("this is no key: keys begin with %s", prefix)
	case len(text) != keyLength:
		return Key{}, fmt.Errorf("a key has %d characters, this one %d; copy all of it", keyLength, len(text))
	case rest[idLength] != '_' || strings.Trim(rest[:idLength]+rest[idLength+1:], digits) != "":
		return Key{}, errors.New("this is no key: behind hsk_ there are 8 letters and digits, _, and 49 more")
	case checksum(text[:keyLength-checkSize]) != text[keyLength-checkSize:]:
		return Key{}, errors.New("the key is mistyped: its last 6 characters do not fit the others; copy all of it")
	}
	return Key{text}, nil
}

// ID returns the part that may be shown.
func (k Key) ID() string {
	if k.text == "" {
		return ""
	}
	return k.text[len(prefix):][:idLength]
}

// Hash returns what is kept of the key: its SHA-256.
func (k Key) Hash() []byte {
	sum := sha256.Sum256([]byte(k.text))
	return sum[:]
}

// Reveal returns the key as Parse reads it.
func (k Key) Reveal() string { return k.text }

// String shows which key it is.
func (k Key) String() string { return prefix + k.ID() + "_" + showsNoMore }

// Format prints what String returns, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// MarshalText writes what String returns.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
