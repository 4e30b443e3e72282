// Package incoming takes in what other systems post for calls: /call-data, /update-tags,
// /update-revenue and /update-fields.
//
// A request has the key of an incoming webhook, which says whose it is. Its fields are held
// against what the organization defines (evaluate.go, without HTTP, store or clock); what
// comes of it is an input, which the store applies once, binds to a live call, or keeps
// for the next call of the caller. The answer says so field by field, and repeats no value.
//
// Nothing of a request is read before its key is known to be good, and nothing without a
// bound. The key stands in no log, answer or record: it is taken out of the address first.
package incoming

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/ratelimit"
	"github.com/hookswitch/hookswitch/store"
)

// Receiver takes inputs in. Package store says what its method does.
type Receiver interface {
	Receive(ctx context.Context, org string, in store.Input) (store.Receipt, error)
}

// Keys knows the keys of webhooks. Package store says what its methods do.
type Keys interface {
	FindKey(ctx context.Context, hash []byte) (*store.Key, error)
	UsedKey(ctx context.Context, org, id string, at time.Time, from string) error
}

// Monitor keeps requests. Package store says what its method does.
type Monitor interface {
	KeepRequest(ctx context.Context, org string, r store.Request) (int64, error)
}

// Options says what the webhooks work with.
type Options struct {
	Inputs   Receiver
	Keys     Keys
	Monitor  Monitor
	Current  func() *flowengine.Snapshot // configuration in force; nil where there is none
	Received func()                      // an input has met a live call; may be nil
	Problem  func(error)                 // something of the server failed; may be nil
	Now      func() time.Time            // nil: time.Now
	Limits   Limits                      // the zero value of a field: that of DefaultLimits
}

// Handler answers the requests. It is safe for concurrent use.
type Handler struct {
	Options
	mux     *http.ServeMux
	address *ratelimit.Limiter
	webhook *ratelimit.Limiter
	room    *ratelimit.Room
	turns   chan struct{} // holds one for each question to the store
	used    keys.Noted
}

// New returns the handler.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Received == nil {
		o.Received = func() {}
	}
	if o.Problem == nil {
		o.Problem = func(error) {}
	}
	o.Limits = o.Limits.orDefault()
	h := &Handler{Options: o, mux: http.NewServeMux(), address: ratelimit.New(time.Second, o.Now), webhook: ratelimit.New(time.Second, o.Now), room: ratelimit.NewRoom(o.Limits.AtOnce, o.Limits.PerWebhook), turns: make(chan struct{}, o.Limits.InStore)}
	for _, kind := range flowengine.Operations {
		h.mux.HandleFunc(Path(kind), func(w http.ResponseWriter, r *http.Request) {
			if !slices.Contains(Methods(kind), r.Method) { // HEAD too, which is to change nothing
				w.Header().Set("Allow", strings.Join(Methods(kind), ", "))
				refuse(http.StatusMethodNotAllowed, "", "%s is not for %s", r.Method, Path(kind)).(*Refusal).answer().write(w)
				return
			}
			h.serve(w, r, kind)
		})
	}
	return h
}

// Path returns the path of an operation.
func Path(kind flowengine.Operation) string { return "/" + string(kind) }

// Methods returns the methods that an operation takes: GET is for platforms that can do no
// other.
func Methods(kind flowengine.Operation) []string {
	if kind == flowengine.CallData {
		return []string{http.MethodPost}
	}
	return []string{http.MethodPost, http.MethodGet}
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	h.mux.ServeHTTP(w, r)
}

// serve answers a request for an operation.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, kind flowengine.Operation) {
	text := takeKey(r)
	q := &query{Handler: h, kind: kind, began: h.Now(), from: ratelimit.Address(r.RemoteAddr)}
	a, err := q.admit(r.Context(), text)
	if err == nil {
		a = q.answer(w, r)
	}
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		a = refusal.answer()
	} else if err != nil {
		a = h.unavailable(err)
	}
	a.write(w)
}

// ask puts a question to the store when its turn comes, and gives it up when its time is over.
func (h *Handler) ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, h.Limits.Asking)
	defer cancel()
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
		return question(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unavailable is the answer where the store does not work.
func (h *Handler) unavailable(err error) answer {
	h.Problem(err)
	return later(http.StatusServiceUnavailable, time.Second, "the server cannot take it now; send it again").(*Refusal).answer()
}

// query is a request while it is answered.
type query struct {
	*Handler
	kind  flowengine.Operation
	began time.Time
	from  string // address
	key   *store.Key
	org   *flowengine.Organization
	hook  *flowengine.Incoming
	kept  store.Request
	leave func() // gives back its room
}

// admit lets a request in that has a good key, where there is room for it.
func (q *query) admit(ctx context.Context, key string) (a answer, err error) {
	if _, wait := q.address.Take(ratelimit.Network(q.from), q.Limits.PerAddress); wait > 0 {
		return a, later(http.StatusTooManyRequests, wait, "there are too many requests from this address")
	}
	if err := q.authorize(ctx, key); err != nil {
		return a, err
	}
	name := q.org.Name + "/" + q.hook.Name
	if _, wait := q.webhook.Take(name, q.hook.Rate); wait > 0 {
		return a, later(http.StatusTooManyRequests, wait, "there are too many requests to this webhook")
	}
	waiting, cancel := context.WithTimeout(ctx, q.Limits.Waiting)
	defer cancel()
	if q.leave = q.room.Enter(waiting, name); q.leave == nil {
		return a, later(http.StatusServiceUnavailable, time.Second, "there are too many requests at once")
	}
	return a, nil
}

// answer reads a request, does what it wants, and keeps it with what became of it.
func (q *query) answer(w http.ResponseWriter, r *http.Request) answer {
	defer q.leave()
	q.kept = store.Request{Webhook: q.hook.Name, Kind: string(q.kind), At: q.began, From: q.from, KeyID: q.key.ID}
	a, err := q.take(w, r)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		a = refusal.answer()
	} else if err != nil {
		a = q.unavailable(err)
	}
	q.keep(r.Context(), a)
	return a
}

// take reads a request and does what it wants.
func (q *query) take(w http.ResponseWriter, r *http.Request) (a answer, err error) {
	body, raw, err := q.read(w, r)
	params, queryErr := readForm(r.URL.RawQuery, "query.")
	q.note(r, params, body, len(raw))
	switch {
	case err != nil:
		return a, err
	case queryErr != nil:
		return a, queryErr
	case !q.hook.Takes(q.kind):
		return a, refuse(http.StatusForbidden, "", "webhook %s does not accept %s", q.hook.Name, q.kind)
	}
	p, err := evaluate(q.org, q.hook, q.kind, flatten(body, params, wholeNames(q.kind)...), q.began)
	q.kept.Caller = p.input.Caller
	if err != nil {
		return a, err
	}
	if key, given, err := q.headerKey(r); err != nil {
		return a, err
	} else if given {
		p.input.Key = key
	}
	return q.receive(r.Context(), p)
}

// headerKey returns the idempotency key of the header, if there is one.
func (q *query) headerKey(r *http.Request) (key string, given bool, err error) {
	for _, name := range []string{"Idempotency-Key", "Webhook-Id"} {
		if text := r.Header.Get(name); text != "" {
			key, err = (&evaluation{kind: q.kind}).idempotency("header."+name, text)
			return key, true, err
		}
	}
	return "", false, nil
}

// read reads the body, within its bounds, and what it says.
func (q *query) read(w http.ResponseWriter, r *http.Request) (body object, raw []byte, err error) {
	if r.Method == http.MethodGet {
		return nil, nil, nil
	}
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "body", "it has more than %d bytes", MaxBody)
	if r.ContentLength > MaxBody {
		return nil, nil, tooLarge
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, nil, refuse(http.StatusUnsupportedMediaType, "header.Content-Encoding", "a body is taken as it is, not compressed")
	}
	// A client that is slow holds the room of one request for that long, and no longer.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(q.Limits.Reading)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, nil, err
	}
	raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return nil, nil, tooLarge
	} else if err != nil {
		return nil, nil, refuse(http.StatusRequestTimeout, "body", "it did not come within %v", q.Limits.Reading)
	}
	body, err = readBody(r.Header.Get("Content-Type"), raw)
	return body, raw, err
}

// Answer is what a request gets that was taken.
type Answer struct {
	ID     string  `json:"id,omitempty"`     // of the input; empty where nothing came of the request
	Call   string  `json:"call,omitempty"`   // that it met
	Caller string  `json:"caller,omitempty"` // that it named, as callers are compared
	Fields []Field `json:"fields"`
}

// receive has the store apply what a request wants.
func (q *query) receive(ctx context.Context, p *plan) (answer, error) {
	out := Answer{Caller: p.input.Caller, Fields: []Field{}}
	if p.hopeless() {
		return answerOf(unprocessable, problem{Title: http.StatusText(unprocessable), Status: unprocessable, Detail: "no field fits what is defined", Errors: p.refusals(), Fields: p.fields}), nil
	}
	if len(p.input.Events) == 0 {
		out.Fields = append(out.Fields, p.fields...)
		return answerOf(http.StatusOK, out), nil
	}
	p.input.ID = uuid.NewString()
	var receipt store.Receipt
	err := q.ask(ctx, func(ctx context.Context) (err error) {
		receipt, err = q.Inputs.Receive(ctx, q.org.Name, p.input)
		return err
	})
	switch {
	case errors.Is(err, store.ErrTooMany):
		return answer{}, later(http.StatusTooManyRequests, time.Minute, "too much has come for this call or its caller already")
	case errors.Is(err, store.ErrNotFound):
		return answer{}, q.unknown(p)
	case errors.Is(err, store.ErrKeyUsed):
		return answer{}, refuse(unprocessable, "header.Idempotency-Key", "another request had this idempotency key, for something else")
	case err != nil:
		return answer{}, err
	}
	out.ID, out.Call, out.Fields = receipt.ID, receipt.Call, append(out.Fields, q.discreet(p.complete(receipt.Outcomes))...)
	q.kept.Call, q.kept.Repeated = receipt.Call, receipt.Repeated
	status := http.StatusOK
	for _, o := range receipt.Outcomes {
		switch o {
		case store.Waiting, store.Queued:
			status = http.StatusAccepted
		case store.Passed:
			if !receipt.Repeated {
				q.Received()
			}
		}
	}
	a := answerOf(status, out)
	a.repeated = receipt.Repeated
	return a, nil
}

// discreet says of private tags that they were applied also where the call had the value:
// it would tell it.
func (q *query) discreet(fields []Field) []Field {
	for i := range fields {
		if f := &fields[i]; f.Outcome == store.Unchanged && q.org.Private(f.Tag) {
			f.Outcome = store.Applied
		}
	}
	return fields
}

// unknown is the refusal where there is no such call: whether another organization has it
// does not show.
func (q *query) unknown(p *plan) error {
	if p.input.Call != "" {
		return refuse(http.StatusNotFound, "body.call_id", "there is no such call")
	}
	return refuse(http.StatusNotFound, "body.caller_id", "there is no call of this caller within %d hours", int(Recent.Hours()))
}
