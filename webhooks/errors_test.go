package webhooks

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Whatever goes wrong, the error names the method and the host and no more.
func TestErrorsTellNoSecret(t *testing.T) {
	check := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "s3cret") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	for _, answer := range []string{"", "s3cret\r\n\r\n", "HTTP/1.1 s3cret\r\n\r\n", "HTTP/1.1 200 OK\r\ns3cret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: s3cret\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: s3cret\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ns3cret", "HTTP/1.1 200 OK\r\nX: s3cret\r\nContent-Length: 99\r\n\r\ns3cret"} {
		virtual(t, func(w http.ResponseWriter, r *http.Request) { breakOff(w, answer) }, func(t *testing.T, c *Client) {
			_, err := c.Request(t.Context(), plainText(post(time.Second)))
			check(answer, err)
		})
	}
	virtual(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(t *testing.T, c *Client) {
		_, err := c.Request(t.Context(), plainText(post(time.Second)))
		check("time limit", err)
		_, err = c.Request(t.Context(), post(time.Minute)) // TLS with a server that has none
		check("handshake", err)
	})
	for _, to := range []string{"http://127.0.0.1:1/s3cret", "http://10.0.0.1/s3cret", "http://localhost/s3cret"} {
		r := post(time.Minute)
		r.URL, r.Retry = to, false
		_, err := NewClient(&Guard{Allow: prefixes("127.0.0.1/32")}).Request(t.Context(), r)
		check(to, err)
	}
	for name, change := range malformed {
		r := post(time.Minute)
		change(&r)
		_, err := NewClient(new(Guard)).Request(t.Context(), r)
		check(name, err)
	}
}

// malformed are requests that are not sent, by what the error says.
var malformed = map[string]func(*call.Request){
	"method":                         func(r *call.Request) { r.Method = "" },
	"one of GET, HEAD":               func(r *call.Request) { r.Method = "CONNECT" },
	`method "GET /`:                  func(r *call.Request) { r.Method = "GET / HTTP/1.1\r\nX:" },
	"time limit":                     func(r *call.Request) { r.Timeout = 0 },
	"at most 1048576":                func(r *call.Request) { r.Body = make([]byte, 1<<20+1) },
	"has no host":                    func(r *call.Request) { r.URL = "http:///s3cret" },
	"line break":                     func(r *call.Request) { r.Header["X-A"] = "s3cret\r\nX-B: s3cret" },
	"X-Nul: its value":               func(r *call.Request) { r.Header["x-nul"] = "s3cret\x00" },
	"X-Del: its value":               func(r *call.Request) { r.Header["x-del"] = "s3cret\x7f" },
	"Idempotency-Key: its":           func(r *call.Request) { r.Key = "s3cret\n" },
	"Idempotency-Key is given twice": func(r *call.Request) { r.Header["idempotency-key"] = "s3cret" },
	"X-Key is given twice":           func(r *call.Request) { r.Header["x-key"] = "s3cret" },
	"the name of a header has 0":     func(r *call.Request) { r.Header[""] = "s3cret" },
	"the name of a header has 15":    func(r *call.Request) { r.Header["X-Token: s3cret"] = "" },
	"has 9 bytes that are not":       func(r *call.Request) { r.Header["X\r\ns3cret"] = "" },
	"at most 100": func(r *call.Request) {
		for i := range 100 {
			r.Header["X-"+strconv.Itoa(i)] = ""
		}
	},
	"Host is set by Hookswitch":              func(r *call.Request) { r.Header["host"] = "s3cret" },
	"Content-Length is set by Hookswitch":    func(r *call.Request) { r.Header["content-length"] = "0" },
	"Connection is set by Hookswitch":        func(r *call.Request) { r.Header["CONNECTION"] = "s3cret" },
	"Transfer-Encoding is set by Hookswitch": func(r *call.Request) { r.Header["transfer-encoding"] = "chunked" },
	"Upgrade is set by Hookswitch":           func(r *call.Request) { r.Header["Upgrade"] = "s3cret" },
	"Te is set by Hookswitch":                func(r *call.Request) { r.Header["TE"] = "s3cret" },
	"Trailer is set by Hookswitch":           func(r *call.Request) { r.Header["Trailer"] = "s3cret" },
	"Expect is set by Hookswitch":            func(r *call.Request) { r.Header["expect"] = "100-continue" },
}

func TestMalformedRequestsAreNotSent(t *testing.T) {
	for want, change := range malformed {
		virtual(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: was sent", want) }, func(t *testing.T, c *Client) {
			r := plainText(post(time.Minute))
			change(&r)
			answer, err := c.Request(t.Context(), r)
			if err == nil || !strings.Contains(err.Error(), want) || answer.Tries != 0 {
				t.Errorf("%s: %v", want, err)
			}
		})
	}
}

// Which resolver was asked is in no error: organizations read them.
func TestErrorsDoNotNameTheResolver(t *testing.T) {
	err := plain(fmt.Errorf("dial: %w", &net.DNSError{Err: "no such host", Name: "crm.example", Server: "10.0.0.53:53", IsNotFound: true}))
	if text := err.Error(); !strings.Contains(text, "crm.example") || strings.Contains(text, "10.0.0.53") || !final(err) {
		t.Errorf("%s, final %v", text, final(err))
	}
}
