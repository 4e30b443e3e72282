package portal

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/hookswitch/hookswitch/ratelimit"
)

type requestContext struct{}

// requestID returns the id of a request: in its answer, and in the log where it failed.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestContext{}).(string)
	return id
}

var goodID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ServeHTTP answers a request below Base.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !goodID.MatchString(id) {
		id = uuid.NewString()
	}
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(context.WithValue(r.Context(), requestContext{}, id))
	a := &answering{ResponseWriter: w}
	defer p.recovered(a, r)
	p.serve(a, r)
}

// serve answers a request where there is room for it.
func (p *Portal) serve(w http.ResponseWriter, r *http.Request) {
	left, wait := p.address.Take(ratelimit.Network(ratelimit.Address(r.RemoteAddr)), p.Limits.PerAddress)
	tell(w.Header(), "address", p.Limits.PerAddress, left, wait)
	if wait > 0 {
		writeProblem(w, tooMany("address", wait))
		return
	}
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	default:
		writeProblem(w, later(problem(http.StatusServiceUnavailable, "there are too many requests at once"), time.Second))
		return
	}
	if _, pattern := p.mux.Handler(r); pattern == "" {
		p.unknown(w, r)
		return
	}
	p.mux.ServeHTTP(w, r)
}

// unknown answers a request for which there is no operation.
func (p *Portal) unknown(w http.ResponseWriter, r *http.Request) {
	mute := &muted{header: http.Header{}}
	p.mux.ServeHTTP(mute, r)
	if mute.status == http.StatusMethodNotAllowed {
		allow := mute.header.Get("Allow")
		w.Header().Set("Allow", allow)
		writeProblem(w, problem(mute.status, r.Method+" is not for this path; "+allow+" is"))
		return
	}
	writeProblem(w, problem(http.StatusNotFound, "there is no such path; "+Base+"/openapi.yaml describes all"))
}

// muted is told an answer, and keeps its body to itself.
type muted struct {
	header http.Header
	status int
}

func (m *muted) Header() http.Header         { return m.header }
func (m *muted) WriteHeader(status int)      { m.status = status }
func (m *muted) Write(b []byte) (int, error) { return len(b), nil }

// answering is an answer of which is known whether it has begun.
type answering struct {
	http.ResponseWriter
	begun bool
}

func (a *answering) WriteHeader(status int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

func (a *answering) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// recovered keeps a panic from being more than one request that failed. Where an answer
// has begun, the connection is closed, so that nobody takes it for whole.
func (p *Portal) recovered(a *answering, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	id := requestID(r.Context())
	if r.Context().Err() == nil && cause != http.ErrAbortHandler {
		p.Log.Error().Interface("panic", cause).Str("request", id).Str("operation", r.Pattern).Msg("a request of the API failed")
	}
	if a.begun {
		panic(http.ErrAbortHandler)
	}
	writeProblem(a, failed(id))
}

// writeProblem answers with an error.
func writeProblem(w http.ResponseWriter, err error) {
	var headers huma.HeadersError
	if errors.As(err, &headers) {
		for name, values := range headers.GetHeaders() {
			w.Header()[name] = values
		}
	}
	var model *huma.ErrorModel
	if !errors.As(err, &model) {
		model = failed(w.Header().Get("X-Request-Id"))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(model.Status)
	_ = json.NewEncoder(w).Encode(model) // the only error is a client that has left
}
