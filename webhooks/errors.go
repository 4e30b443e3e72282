package webhooks

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Error is a request that has no answer. It names nothing of the request but
// the method and the host: the rest may hold secrets.
type Error struct {
	Method string
	Origin string // scheme://host, with the port if the URL has one
	Err    error  // why: *BlockedError, context.DeadlineExceeded, the cause of the context, or what the network said
}

func (e *Error) Error() string { return e.Method + " " + e.Origin + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// timeout is a limit that ran out, told in our own words.
type timeout string

func (t timeout) Error() string        { return string(t) }
func (t timeout) Is(target error) bool { return target == context.DeadlineExceeded }

// tooLarge is an answer beyond our bounds.
type tooLarge string

func (t tooLarge) Error() string { return string(t) }

var (
	errClosed = errors.New("the connection was closed before the answer was complete")
	errBroken = errors.New("the connection broke, or what came is not HTTP")
)

// plain reduces what net/http and retryablehttp return to what may be shown:
// their errors repeat the URL, and lines of an answer that is not HTTP.
func plain(err error) error {
	var (
		blocked     *BlockedError
		large       tooLarge
		limit       net.Error
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
		network     *net.OpError
	)
	switch {
	case errors.As(err, &blocked):
		return blocked
	case errors.As(err, &large):
		return large
	case strings.Contains(err.Error(), "server response headers exceeded"): // net/http/transport.go, readLoop
		return tooLarge("the header of the answer is too long")
	case errors.As(err, &limit) && limit.Timeout():
		return timeout("no answer in time")
	case errors.As(err, &name):
		told := *name
		told.Server = "" // which resolver was asked is the operator's business
		return &told
	case errors.As(err, &certificate):
		return certificate
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch
	case errors.As(err, &network):
		return network
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	}
	return errBroken
}

// final says whether the same request would fail in the same way again; err
// comes from plain.
func final(err error) bool {
	switch e := err.(type) {
	case *BlockedError, tooLarge, *tls.CertificateVerificationError:
		return true
	case *net.DNSError:
		return e.IsNotFound
	}
	return err == http.ErrSchemeMismatch
}
