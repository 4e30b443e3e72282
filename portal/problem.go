package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/credentials"
)

// problem is an answer that says what is wrong (RFC 9457).
func problem(status int, detail string, fields ...*huma.ErrorDetail) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail, Errors: fields}
}

// field says what is wrong in one place of the request, such as "body.value", and what
// would be right.
func field(location, format string, args ...any) *huma.ErrorDetail {
	return &huma.ErrorDetail{Location: location, Message: fmt.Sprintf(format, args...)}
}

// wrong is the problem of a request that can be read, but in which fields are wrong.
func wrong(fields ...*huma.ErrorDetail) error {
	return problem(http.StatusUnprocessableEntity, "the request cannot be done as it is", fields...)
}

// later adds when it is worth to try again.
func later(p *huma.ErrorModel, wait time.Duration) error {
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(max(1, seconds(wait)))}})
}

// tooMany refuses a request of one key or address that makes too many.
func tooMany(of string, wait time.Duration) error {
	return later(problem(http.StatusTooManyRequests, "too many requests with this "+of), wait)
}

// invalidError says what is wrong in files.
type invalidError struct{ problems []flowengine.Problem }

func (e *invalidError) Error() string { return fmt.Sprintf("%d problems", len(e.problems)) }

// translate says what an error is in HTTP. What is not known is a fault of the server: the
// log has it, and the client the id of the request.
func (p *Portal) translate(ctx context.Context, err error) error {
	if status := huma.StatusError(nil); errors.As(err, &status) {
		return err
	}
	var query *store.QueryError
	var ambiguous *store.AmbiguousError
	var conflict *store.ConflictError
	var taken *store.NumberTakenError
	var invalid *invalidError
	var refused *credentials.RefusedError
	switch {
	case errors.Is(err, errNoKey):
		return huma.ErrorWithHeaders(problem(http.StatusUnauthorized, "the request has no key that is good; Authorization: Bearer hsk_… is what is asked for"),
			http.Header{"Www-Authenticate": {`Bearer realm="hookswitch"`}})
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, "the organization has nothing of that name or id")
	case errors.Is(err, store.ErrTooMany):
		return later(problem(http.StatusTooManyRequests, "too much has come for this call already"), time.Minute)
	case errors.Is(err, store.ErrKeyUsed):
		return wrong(field("header.Idempotency-Key", "another request had this key, for something else"))
	case errors.As(err, &query):
		return wrong(field("query."+query.Field, "%s", query.Why))
	case errors.As(err, &ambiguous):
		return problem(http.StatusConflict, ambiguous.Error(), field("path.call", "more of the id is needed"))
	case errors.As(err, &conflict):
		return problem(http.StatusConflict, conflict.Error(), field("body.base", "the revision in force is %d", conflict.Current))
	case errors.As(err, &taken):
		return problem(http.StatusConflict, "number "+taken.Number+" belongs to another organization", field("body.files", "number %s belongs to another organization", taken.Number))
	case errors.As(err, &invalid):
		return problem(http.StatusUnprocessableEntity, "the files are not valid", problemsOf(invalid.problems)...)
	case errors.As(err, &refused):
		return wrong(field("body", "%s", refused.Why))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return later(problem(http.StatusServiceUnavailable, "it took too long"), time.Second)
	case ctx.Err() != nil: // the client is gone
		return problem(499, "the request was given up")
	}
	id := requestID(ctx)
	p.Log.Error().Err(err).Str("request", id).Msg("a request of the API failed")
	return failed(id)
}

// failed is the answer where the server is at fault.
func failed(id string) *huma.ErrorModel {
	return problem(http.StatusInternalServerError, "the server failed; its log says why under the request id "+id)
}

// problemsOf names each problem by its place: files.PATH:LINE:COL.
func problemsOf(list []flowengine.Problem) []*huma.ErrorDetail {
	var out []*huma.ErrorDetail
	for _, p := range list {
		at := "body.files." + p.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d:%d", at, p.Line, p.Col)
		}
		message := p.Message
		if p.Hint != "" {
			message += "; " + p.Hint
		}
		out = append(out, field(at, "%s", message))
	}
	return out
}

// withoutValues takes out of an error what the client has sent: it may be a secret.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	if model, ok := v.(*huma.ErrorModel); ok {
		for _, e := range model.Errors {
			e.Value = nil
		}
	}
	return v, nil
}
