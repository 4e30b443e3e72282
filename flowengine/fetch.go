package flowengine

import (
	"context"
	"errors"
	"strings"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
)

// Requester makes HTTP requests. It keeps to the request's time limit, and fails
// with an error that is context.DeadlineExceeded where that is over. Its errors
// hold nothing of what was sent.
type Requester interface {
	Request(ctx context.Context, r call.Request) (call.Response, error)
}

// RequestError says that a request has no answer, and why.
type RequestError struct{ Err error }

func (e *RequestError) Error() string { return e.Err.Error() }
func (e *RequestError) Unwrap() error { return e.Err }

// Fetch makes a request. The caller hears the music meanwhile, on an answered call;
// ringing, on one that is not. Without an answer the error is a *RequestError.
func (s *Session) Fetch(ctx context.Context, r call.Request, music *Prompt) (out call.Response, err error) {
	if s.engine.Requests == nil {
		return out, errors.New("this server makes no requests")
	}
	prompt, err := s.waiting(ctx, music)
	if err != nil {
		return out, err
	}
	r.Step = s.path()
	var failed error
	err = s.leg.While(ctx, prompt, func(ctx context.Context) {
		out, failed = s.engine.Requests.Request(ctx, r)
	})
	if err != nil {
		return out, err
	}
	if failed != nil {
		return out, &RequestError{failed}
	}
	return out, nil
}

// Available asks whether targets can take the call, all at once, and returns the answers
// in the same order. Where no requests are to be made nobody is asked, and all count
// as available. The caller hears the music meanwhile, on an answered call; ringing, on
// one that is not.
func (s *Session) Available(ctx context.Context, questions []availability.Question, music call.Prompt) (out []availability.Answer, err error) {
	if !s.answered {
		music = call.Prompt{}
		if err := s.ring(ctx); err != nil {
			return nil, err
		}
	}
	for i := range questions {
		questions[i].Request.Step = s.path()
	}
	ask := func(context.Context, call.Request) (call.Response, error) {
		return call.Response{}, availability.ErrNotAsked
	}
	if s.engine.Requests != nil {
		ask = s.engine.Requests.Request
	}
	err = s.leg.While(ctx, music, func(ctx context.Context) {
		out = s.engine.checker().Check(ctx, questions, ask)
	})
	return out, err
}

// checker returns what asks for the engine.
func (e *Engine) checker() *availability.Checker {
	e.asking.Do(func() {
		if e.Availability == nil {
			e.Availability = availability.New(availability.DefaultAtOnce)
		}
	})
	return e.Availability
}

// minSecret is the length below which a secret is not looked for in other texts:
// it would be found by chance.
const minSecret = 4

func (s *Session) holdsSecret(text string) bool {
	for _, v := range s.secrets {
		if len(v) >= minSecret && strings.Contains(text, v) {
			return true
		}
	}
	return false
}
