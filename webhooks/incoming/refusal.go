package incoming

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Refusal says why a request was not taken, and in which of its places that is.
type Refusal struct {
	Status int
	Where  string // as body.caller_id; empty: nowhere in particular
	Why    string // without any value of the request
	After  time.Duration
}

func (r *Refusal) Error() string {
	if r.Where == "" {
		return r.Why
	}
	return r.Where + ": " + r.Why
}

func refuse(status int, where, format string, args ...any) error {
	return &Refusal{Status: status, Where: mask(where), Why: mask(fmt.Sprintf(format, args...))}
}

// later refuses a request that may come again after a while.
func later(status int, after time.Duration, why string) error {
	return &Refusal{Status: status, Why: why, After: max(after, time.Second)}
}

// unauthorized is the answer to every request without a key that is good. What is wrong
// with the key is nobody's business.
var unauthorized = &Refusal{Status: http.StatusUnauthorized, Why: "the request has no key that is good for this webhook"}

// problem is an answer that says what is wrong (RFC 9457).
type problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []place `json:"errors,omitempty"`
	Fields []Field `json:"fields,omitempty"` // what would have become of each
}

// place is where in the request something is wrong.
type place struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

func (r *Refusal) problem() problem {
	p := problem{Title: http.StatusText(r.Status), Status: r.Status, Detail: r.Error()}
	if r.Where != "" {
		p.Errors = []place{{r.Where, r.Why}}
	}
	return p
}

// answer is a response, before it is written.
type answer struct {
	status   int
	after    time.Duration // Retry-After; 0: none
	problem  bool
	repeated bool
	body     json.RawMessage
}

func answerOf(status int, body any) answer {
	raw, err := json.Marshal(body)
	if err != nil {
		return failed
	}
	_, wrong := body.(problem)
	return answer{status: status, problem: wrong, body: raw}
}

// failed is the answer where the server is at fault.
var failed = answer{status: http.StatusInternalServerError, problem: true, body: json.RawMessage(`{"title":"Internal Server Error","status":500,"detail":"the server failed"}`)}

func (r *Refusal) answer() answer {
	a := answerOf(r.Status, r.problem())
	a.after = r.After
	return a
}

func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if a.problem {
		h.Set("Content-Type", "application/problem+json")
	}
	if a.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="hookswitch"`)
	}
	if a.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((a.after+time.Second-1)/time.Second)))
	}
	if a.repeated {
		h.Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the only error is a client that has left
}
