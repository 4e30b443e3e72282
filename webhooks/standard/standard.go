// Package standard signs and verifies webhooks as Standard Webhooks 1.0.0 says, with its
// symmetric scheme v1: HMAC-SHA256 over the id, the time and the body.
//
// A sender calls Sign for each attempt; a receiver gives Verify the body as it came, before
// anything has parsed it, and drops a message whose id it has seen:
//
//	header.Set(standard.ID, id)
//	header.Set(standard.Timestamp, standard.Unix(at))
//	header.Set(standard.Signature, standard.Sign(id, at, body, secrets...))
//
// While a secret is changed for another the sender signs with both, and the receiver knows
// either: a list of signatures is good when one of them is.
package standard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message.
const (
	ID        = "Webhook-Id"        // the same with every attempt
	Timestamp = "Webhook-Timestamp" // of the attempt, seconds since 1970
	Signature = "Webhook-Signature" // v1,BASE64 for each secret, with spaces between
)

// Tolerance is how far the time of an attempt may be from the receiver's, either way.
const Tolerance = 5 * time.Minute

// maxSignatures bounds the list that a receiver looks at.
const maxSignatures = 32

const scheme = "v1,"

// Unix writes a moment as the header Timestamp holds it.
func Unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// Sign returns the signatures of a message, one for each secret: what the header Signature
// holds. The id must hold no dot: it would move the end of the id.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) string {
	var list []byte
	for _, s := range secrets {
		if len(list) > 0 {
			list = append(list, ' ')
		}
		list = append(list, scheme...)
		list = base64.StdEncoding.AppendEncode(list, s.sum(id, Unix(at), body))
	}
	return string(list)
}

// What Verify finds wrong, besides a header that is missing or malformed.
var (
	ErrTimestamp = errors.New("its time is too far from now")
	ErrSignature = errors.New("no signature of it is by the secret")
)

// Verify says why a message is not from somebody who knows one of the secrets, or is not
// of now. The body is as it came.
func Verify(header http.Header, body []byte, now time.Time, secrets ...Secret) error {
	id, stamp, list := header.Get(ID), header.Get(Timestamp), header.Get(Signature)
	switch {
	case id == "":
		return fmt.Errorf("header %s is missing", ID)
	case stamp == "":
		return fmt.Errorf("header %s is missing", Timestamp)
	case list == "":
		return fmt.Errorf("header %s is missing", Signature)
	case strings.Contains(id, "."):
		return fmt.Errorf("header %s holds a dot", ID)
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("header %s is not a number of seconds since 1970", Timestamp)
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-Tolerance)) || at.After(now.Add(Tolerance)) {
		return ErrTimestamp
	}
	sums := make([][]byte, len(secrets))
	for i, s := range secrets {
		sums[i] = s.sum(id, stamp, body)
	}
	signatures := strings.Fields(list)
	for _, signature := range signatures[:min(len(signatures), maxSignatures)] {
		text, ours := strings.CutPrefix(signature, scheme)
		sum, err := base64.StdEncoding.DecodeString(text)
		if !ours || err != nil { // of another scheme, or of none
			continue
		}
		for i := range sums {
			if secrets[i].key != "" && hmac.Equal(sum, sums[i]) {
				return nil
			}
		}
	}
	return ErrSignature
}

// sum is the signature of the bytes id.stamp.body.
func (s Secret) sum(id, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(s.key))
	var head [128]byte
	h.Write(append(append(append(append(head[:0], id...), '.'), stamp...), '.'))
	h.Write(body)
	return h.Sum(nil)
}
