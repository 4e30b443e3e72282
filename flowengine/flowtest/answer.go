package flowtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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

// UnmarshalText reads how a server behaves; it fails with a *flowengine.SettingError.
func (a *Answer) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAnswer(string(text))
	return err
}

// ParseAnswer reads how a server behaves: "200", "200 {…}" with a body, "200 after
// 2s {…}", "timeout" or "fails", both also with "after 2s". A colon may stand before
// the body. It fails with a *flowengine.SettingError.
func ParseAnswer(text string) (Answer, error) {
	var a Answer
	word, rest := cutWord(text)
	switch status, err := strconv.Atoi(word); {
	case word == "timeout":
		a.Hangs = true
	case word == "fails":
		a.Fails = true
	case err == nil && status >= 100 && status <= 599:
		a.Status = status
	default:
		return a, wrong("a status such as 200, timeout or fails", "%q is no answer", word)
	}
	if after, ok := strings.CutPrefix(rest, "after "); ok {
		var err error
		word, rest = cutWord(after)
		if a.After, err = span(word); err != nil {
			return a, err
		}
	}
	if a.Body = rest; a.Body != "" && a.Status == 0 {
		return a, wrong("leave out what follows", "what does not answer has no body")
	}
	return a, nil
}

// cutWord cuts a text behind its first word, which a space or a colon ends.
func cutWord(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	end := strings.IndexAny(text, " :")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end+1:])
}

type phoneKey struct{}

// requests answers the requests of flows as the scenario of the call says.
type requests struct{}

// Request answers, in the time of the call.
func (requests) Request(ctx context.Context, r call.Request) (call.Response, error) {
	p, ok := ctx.Value(phoneKey{}).(*Phone)
	if !ok {
		return call.Response{}, errors.New("a request outside of a call")
	}
	if q, ok := ctx.Value(inquiryKey{}).(*inquiry); ok && r.Target != "" {
		return p.available(ctx, q, r)
	}
	p.Requests = append(p.Requests, r)
	a, scripted := p.Answers[r.Step]
	began := p.Clock.at
	var out call.Response
	var err error
	switch {
	case scripted:
		out, err = a.answer(r)
		_ = p.pass(out.Took) // the end of the call is seen by While
	case p.Live != nil:
		out, err = p.Live.Request(ctx, r)
		_ = p.pass(out.Took)
	default:
		err = &unscripted{r}
		p.Unscripted = append(p.Unscripted, r.Step)
	}
	p.tell(began, origin(r)+": "+told(out, err, p.Clock.at.Sub(began)))
	return out, err
}

// answer is what a request gets.
func (a Answer) answer(r call.Request) (call.Response, error) {
	if a.Hangs || a.After >= r.Timeout {
		return call.Response{Took: r.Timeout}, fmt.Errorf("%s: %w", r.Method, context.DeadlineExceeded)
	}
	if a.Fails {
		return call.Response{Took: a.After}, errors.New("connection refused")
	}
	header := map[string]string{}
	if strings.HasPrefix(a.Body, "{") || strings.HasPrefix(a.Body, "[") {
		header[http.CanonicalHeaderKey("content-type")] = "application/json"
	}
	return call.Response{Status: a.Status, Header: header, Body: []byte(a.Body), Tries: 1, Took: a.After}, nil
}

// unscripted says that a call made a request for which its scenario has no answer.
type unscripted struct{ call.Request }

func (e *unscripted) Error() string {
	return fmt.Sprintf("no answer is written for the request of node %s", e.Step)
}

// origin names a request without what may be secret in it.
func origin(r call.Request) string {
	if u, err := url.Parse(r.URL); err == nil && u.Host != "" {
		return fmt.Sprintf("%s %s://%s", r.Method, u.Scheme, u.Host)
	}
	return r.Method
}

func told(r call.Response, err error, took time.Duration) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", took.Round(time.Millisecond))
	case err != nil:
		return err.Error()
	}
	return fmt.Sprintf("%d after %s", r.Status, took.Round(time.Millisecond))
}
