package flowtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Answer is how the server behaves that a node sends its request to.
type Answer struct {
	Status int
	Body   string
	After  time.Duration // how long it takes
	Fails  bool          // no answer comes, because nobody can be reached
	Hangs  bool          // no answer comes, in any time
}

// ParseAnswer reads how a server behaves: "200", "200 {…}" with a body,
// "200 after 2s {…}", "timeout" or "fails", both also with "after 2s".
func ParseAnswer(text string) (Answer, error) {
	var a Answer
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch status, err := strconv.Atoi(word); {
	case word == "timeout":
		a.Hangs = true
	case word == "fails":
		a.Fails = true
	case err == nil && status >= 100 && status <= 599:
		a.Status = status
	default:
		return a, fmt.Errorf("answer %q: a status such as 200, timeout or fails", text)
	}
	rest = strings.TrimSpace(rest)
	if after, ok := strings.CutPrefix(rest, "after "); ok {
		word, rest, _ = strings.Cut(strings.TrimSpace(after), " ")
		d, err := time.ParseDuration(word)
		if err != nil || d < 0 {
			return a, fmt.Errorf("answer %q: %q is no duration such as 2s", text, word)
		}
		a.After = d
	}
	if a.Body = strings.TrimSpace(rest); a.Body != "" && a.Status == 0 {
		return a, fmt.Errorf("answer %q: what does not answer has no body", text)
	}
	return a, nil
}

type phoneKey struct{}

// requests answers the requests of flows as the scenario of the call says.
type requests struct{}

// ErrUnscripted says that a call made a request for which its scenario has no
// answer.
var ErrUnscripted = errors.New("no answer is scripted")

// Request answers, in the time of the call.
func (requests) Request(ctx context.Context, r call.Request) (call.Response, error) {
	p, ok := ctx.Value(phoneKey{}).(*Phone)
	if !ok {
		return call.Response{}, errors.New("a request outside of a call")
	}
	p.Requests = append(p.Requests, r)
	a, ok := p.Answers[r.Step]
	if !ok {
		return call.Response{}, fmt.Errorf("%w for node %s", ErrUnscripted, r.Step)
	}
	if a.Hangs || a.After >= r.Timeout {
		_ = p.pass(r.Timeout) // the end of the call is seen by While
		return call.Response{}, fmt.Errorf("%s: %w", r.Method, context.DeadlineExceeded)
	}
	_ = p.pass(a.After)
	if a.Fails {
		return call.Response{}, errors.New("connection refused")
	}
	header := map[string]string{}
	if strings.HasPrefix(a.Body, "{") || strings.HasPrefix(a.Body, "[") {
		header[http.CanonicalHeaderKey("content-type")] = "application/json"
	}
	return call.Response{Status: a.Status, Header: header, Body: []byte(a.Body), Tries: 1, Took: a.After}, nil
}
