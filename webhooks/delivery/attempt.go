package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/crash"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// send makes attempts while something waits for the lane.
func (d *Deliverer) send(ctx context.Context, l *lane) {
	for h := d.next(l); h != nil; h = d.next(l) {
		a, asked, err := d.attempt(ctx, h)
		if ctx.Err() == nil {
			d.trouble.report(sender, err, d.Problem)
		}
		if ctx.Err() != nil || err != nil { // broken off by us, or not begun
			d.abandon(h)
			continue
		}
		d.settle(h, a, asked)
		if a.Response.Status == http.StatusGone {
			d.disable(ctx, l.name, "it answered 410 Gone")
		}
	}
}

// attempt sends a delivery once, and says what that means for it and for how long the
// endpoint asks to be left alone. Of one that is dropped it is no try. An error says that
// there was no attempt, for a reason that is not the endpoint's.
func (d *Deliverer) attempt(ctx context.Context, h *hold) (store.Attempt, time.Duration, error) {
	a := store.Attempt{Lease: h.Lease, Endpoint: h.Delivery.Endpoint, Try: h.Tries + 1, Node: d.Node, At: h.began}
	if h.endpoint == nil {
		a.Try, a.State, a.Error = 0, store.Dropped, "the endpoint is no longer configured"
		return a, 0, nil
	}
	request, hidden, err := d.request(ctx, h)
	var unavailable *store.UnavailableError
	if errors.As(err, &unavailable) {
		return a, 0, err
	}
	var answer call.Response
	if err == nil {
		request.Retry = h.retry
		crash.At("request.before")
		answer, err = d.Client.Request(ctx, request)
		crash.At("request.after")
	}
	end := time.Now()
	a.Took = end.Sub(a.At)
	hide := h.lane.mask.of(hidden)
	a.Request, a.Response = hide.request(request, h.Message.Body), hide.response(answer)
	if err != nil {
		a.Error = hide.text(plain(err))
	}
	if answer.Status >= 200 && answer.Status <= 299 {
		a.State = store.Delivered
		return a, 0, nil
	}
	asked := retryAfter(answer, end)
	a.State, a.Due = after(a.Try, end, asked)
	return a, asked, nil
}

// request makes the request of an attempt, signed.
func (d *Deliverer) request(ctx context.Context, h *hold) (call.Request, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, hidden, err := h.endpoint.Render(ctx, h.Message)
	if err == nil {
		err = d.sign(ctx, h, &r)
	}
	return r, hidden, err
}

// plain leaves out of an error of the client what the attempt says anyway.
func plain(err error) string {
	var e *webhooks.Error
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// sign adds the headers of Standard Webhooks.
func (d *Deliverer) sign(ctx context.Context, h *hold, r *call.Request) error {
	secrets, err := d.Secrets(ctx, h.lane.name.Org, h.lane.name.Endpoint)
	if err != nil {
		return fmt.Errorf("signing secret: %w", err)
	}
	header := make(map[string]string, len(r.Header)+3)
	maps.Copy(header, r.Header)
	header[standard.ID] = h.Message.ID
	header[standard.Timestamp] = standard.Unix(h.began)
	header[standard.Signature] = standard.Sign(h.Message.ID, h.began, r.Body, secrets...)
	r.Header = header
	return nil
}

// settle notes what became of an attempt.
func (d *Deliverer) settle(h *hold, a store.Attempt, asked time.Duration) {
	now := time.Now()
	d.mu.Lock()
	l := h.lane
	h.over = true
	var turn Turn
	switch {
	case a.State == store.Delivered:
		was := l.slow
		l.succeeded(a.Took)
		if l.slow && !was {
			d.putDown(l)
		}
		turn = Works
	case a.State == store.Dropped:
	default:
		if a.Response.Status == http.StatusGone {
			asked = longestWait // until it is disabled
		}
		l.failed(now, a.Took, asked)
		if now.Before(l.rest) || l.slow {
			d.putDown(l)
		}
		if l.failing(now) {
			turn = Fails
		}
	}
	news := turn != "" && l.turned(turn)
	d.done = append(d.done, result{a, h})
	n := len(d.done)
	d.mu.Unlock()
	if n == 1 || n == enough {
		signal(d.ended)
	}
	if d.Attempted != nil {
		d.Attempted(&a, now.Sub(h.Created))
	}
	if news {
		d.tellTurn(l.name, turn, why(a))
	}
}

// why says in a few words what became of an attempt that failed.
func why(a store.Attempt) string {
	switch {
	case a.State == store.Delivered:
		return ""
	case a.Response.Status != 0:
		return strings.TrimSpace(fmt.Sprintf("it answered %d %s", a.Response.Status, http.StatusText(a.Response.Status)))
	}
	return a.Error
}

func (d *Deliverer) tellTurn(l store.LaneName, to Turn, why string) {
	if d.Turned != nil {
		d.Turned(l, to, why)
	}
}
