// Package webhooks is how Hookswitch talks to other systems over HTTP.
//
// A Client sends the requests that flows make, and what endpoints are told. Where they go
// is written by whoever edits the configuration, and partly by callers; so a Guard stands before every
// connection and lets none into the networks that only the operator of the
// server may open. What a user should know:
//
//   - Every answer is returned as it stands, whatever its status. No redirect is
//     followed, and no proxy of the environment is used.
//   - An error means that there is no answer. It names the method and the host,
//     nothing else of the request.
//   - Everything has a bound: the time of all tries together, the header and the
//     body of an answer. What is longer is an error, never cut, unless Cut asks
//     for that.
package webhooks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/hookswitch/hookswitch/call"
)

// Limits of a request.
const (
	maxTries  = 5
	tryLimit  = 30 * time.Second // for one try; a longer one counts as a broken connection
	minPause  = 100 * time.Millisecond
	maxPause  = 300 * time.Millisecond // times the number of the try
	maxHeader = 32 << 10               // bytes of an answer's header
	maxSent   = 1 << 20                // bytes of a request's body
)

// passing are the answers that say: not now (RFC 9110, section 15.6; RFC 6585).
var passing = []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// Client sends requests, over HTTP/1.1. It is safe for several goroutines, and
// keeps some connections for the next request to the same host. Make one with
// NewClient.
type Client struct {
	UserAgent string // sent with requests that have none of their own: hookswitch/VERSION
	MaxBody   int    // bytes of an answer's body; a longer one is an error
	Cut       bool   // a body that is longer, or breaks off, or does not end in time, is cut instead: the status is the answer
	Final     bool   // every answer is returned at once, whatever its status: only what brought none is tried again

	guard *Guard
	pool  *http.Transport
	http  *http.Client
}

// NewClient returns a client behind a guard, for answers of up to 64 KiB.
func NewClient(g *Guard) *Client {
	pool := &http.Transport{
		DialContext:            g.DialContext,
		TLSHandshakeTimeout:    dialLimit,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    10,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // the bound is for what is sent
	}
	return &Client{
		UserAgent: "hookswitch",
		MaxBody:   64 << 10,
		guard:     g,
		pool:      pool,
		http: &http.Client{
			Transport:     transport{pool},
			Timeout:       tryLimit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Keep sets how many connections are kept for later requests, in all and to one
// host. It is called before the first request.
func (c *Client) Keep(all, perHost int) {
	c.pool.MaxIdleConns, c.pool.MaxIdleConnsPerHost = all, perHost
}

// Close drops the connections that are kept. The client can still be used.
func (c *Client) Close() { c.pool.CloseIdleConnections() }

// transport is the pool without its CloseIdleConnections: retryablehttp would
// call that after every request that failed, and the others would connect anew.
type transport struct{ pool *http.Transport }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.pool.RoundTrip(req)
	if err == nil {
		// http.Client fails on a Location that is no URL, even if it is not to follow it.
		if _, err := resp.Location(); err != nil {
			resp.Header.Del("Location")
		}
	}
	return resp, err
}

// Request sends a request and returns its answer. Without one the error is an
// *Error, and the Response tells only Tries and Took; errors.Is with
// context.DeadlineExceeded says that the time was up. A request that is
// malformed is another error, and was not sent.
//
// A Retry-After is honoured if it ends within the time limit; otherwise the
// answer is returned at once. net/http itself repeats a request, uncounted, if
// a kept connection turns out to be dead before a byte of the answer came, and
// the request is a GET or HEAD, has a Key, or may be tried again.
func (c *Client) Request(ctx context.Context, r call.Request) (call.Response, error) {
	start := time.Now()
	u, err := c.guard.parse(r.URL)
	if err != nil {
		return call.Response{}, err
	}
	switch {
	case !slices.Contains(call.Methods, r.Method):
		return call.Response{}, fmt.Errorf("method %q: one of %s", r.Method, strings.Join(call.Methods, ", "))
	case len(r.Body) > maxSent:
		return call.Response{}, fmt.Errorf("body of %d bytes: at most %d", len(r.Body), maxSent)
	case r.Timeout <= 0:
		return call.Response{}, fmt.Errorf("time limit of %s: above 0", r.Timeout)
	}
	header, err := headers(r.Header, r.Key, c.UserAgent)
	if err != nil {
		return call.Response{}, err
	}
	whole, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	var body any
	if len(r.Body) > 0 {
		body = r.Body
	}
	failed := func(err error) error { return &Error{Method: r.Method, Origin: u.Scheme + "://" + u.Host, Err: err} }
	req, err := retryablehttp.NewRequestWithContext(whole, r.Method, r.URL, body)
	if err != nil {
		return call.Response{}, failed(plain(err))
	}
	req.Header = header

	if r.Retry && header["Idempotency-Key"] == nil {
		header["Idempotency-Key"] = []string{} // tells net/http so, and is not sent (http.Transport)
	}
	x := exchange{retry: r.Retry, final: c.Final, maxBody: c.MaxBody, cut: c.Cut}
	req.SetResponseHandler(x.read)
	client := retryablehttp.Client{
		HTTPClient:     c.http,
		RetryMax:       maxTries - 1,
		RequestLogHook: func(_ retryablehttp.Logger, _ *http.Request, retry int) { x.answer.Tries = retry + 1 },
		CheckRetry:     x.again,
		Backoff:        func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.pause },
	}
	_, err = client.Do(req)
	x.answer.Took = time.Since(start)
	switch {
	case err == nil:
		return x.answer, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case whole.Err() != nil:
		err = timeout(fmt.Sprintf("no answer within %s", r.Timeout))
	default:
		err = plain(err)
	}
	return call.Response{Tries: x.answer.Tries, Took: x.answer.Took}, failed(err)
}
