package nodes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Request asks another system over HTTP and takes values out of its answer.
type Request struct {
	URL     flowengine.Text                  `yaml:"url,required"`
	Method  string                           `yaml:"method"`
	Query   map[string]flowengine.Text       `yaml:"query"`
	Headers map[string]flowengine.SecretText `yaml:"headers"`
	Body    flowengine.Data                  `yaml:"body"`
	Form    map[string]flowengine.SecretText `yaml:"form"`
	Timeout flowengine.Duration              `yaml:"timeout"` // of the whole
	Repeat  *bool                            `yaml:"repeat"`  // may be sent more than once; nil: as the method is
	Music   flowengine.Prompt                `yaml:"music"`
	Success flowengine.Answer                `yaml:"success"`
	Vars    map[string]flowengine.Answer     `yaml:"vars"`
	Tags    map[string]flowengine.Answer     `yaml:"tags"`
}

const (
	answered = "ok"
	timedOut = "timeout"
)

func newRequest() flowengine.Node {
	return &Request{Timeout: flowengine.Duration(2 * time.Second)}
}

// Sets are the variables; of what type they are, the answer says.
func (r *Request) Sets(string) []flowengine.Variable {
	out := make([]flowengine.Variable, 0, len(r.Vars))
	for _, name := range slices.Sorted(maps.Keys(r.Vars)) {
		out = append(out, flowengine.Variable{Name: name})
	}
	return out
}

// Silence is what a caller hears who has no music.
func (r *Request) Silence() time.Duration {
	if r.Music.Empty() {
		return time.Duration(r.Timeout)
	}
	return 0
}

// idempotent says whether the method is one that may be repeated (RFC 9110, section
// 9.2.2).
func (r *Request) idempotent() bool {
	return r.Method != http.MethodPost && r.Method != http.MethodPatch
}

// repeats says whether the request may be sent more than once.
func (r *Request) repeats() bool {
	if r.Repeat != nil {
		return *r.Repeat
	}
	return r.idempotent()
}

// Run sends the request. After a takeover it is sent again, under the same key, if it
// may be. With a secret that the caller is asked for again it would be another one.
func (r *Request) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	sent := false
	if _, err := s.Resumed(&sent); err != nil {
		return flowengine.Result{}, err
	}
	message, err := r.message(s)
	lost := (*flowengine.LostSecretError)(nil)
	switch {
	case sent && (!r.repeats() || errors.As(err, &lost)):
		r.unset(s)
		return flowengine.Result{Exit: flowengine.ErrorExit, Why: r.whom() + ": under way when the server was lost, and not sent again"}, nil
	case err != nil:
		return flowengine.Result{}, err
	}
	if !r.idempotent() || !r.repeats() {
		if err := s.Keep(ctx, true); err != nil {
			return flowengine.Result{}, err
		}
	}
	answer, err := s.Fetch(ctx, message, &r.Music)
	r.unset(s)
	switch none := (*flowengine.RequestError)(nil); {
	case errors.As(err, &none) && errors.Is(err, context.DeadlineExceeded):
		return flowengine.Result{Exit: timedOut, Why: err.Error()}, nil
	case errors.As(err, &none):
		return flowengine.Result{Exit: flowengine.ErrorExit, Why: err.Error()}, nil
	case err != nil:
		return flowengine.Result{}, err
	}
	return r.take(s, answer)
}

// unset takes the variables away that the answer to a request before this one left.
func (r *Request) unset(s *flowengine.Session) {
	for name := range r.Vars {
		s.Unset(name)
	}
}

// take looks at the answer and takes the values out of it. Why tells of those that
// are not there.
func (r *Request) take(s *flowengine.Session, answer call.Response) (flowengine.Result, error) {
	body := decode(answer.Body)
	get := func(a flowengine.Answer) (any, error) { return s.Take(&a, answer.Status, answer.Header, body) }
	why := fmt.Sprintf("%s: HTTP %d", r.whom(), answer.Status)
	success := any(answer.Status/100 == 2)
	if r.Success.Source != "" {
		if success, _ = get(r.Success); success != true { // what cannot be told does not hold
			why += ", not " + r.Success.Source
		}
	}
	if success != true {
		return flowengine.Result{Exit: flowengine.ErrorExit, Why: why}, nil
	}
	for _, part := range []struct {
		values map[string]flowengine.Answer
		leave  func(name string, value any) error
	}{{r.Vars, s.Set}, {r.Tags, s.Tag}} {
		for _, name := range slices.Sorted(maps.Keys(part.values)) {
			if v, err := get(part.values[name]); err != nil {
				why += ", " + name + ": " + err.Error()
			} else if err := part.leave(name, v); err != nil {
				why += ", " + err.Error()
			}
		}
	}
	return flowengine.Result{Exit: answered, Why: why}, nil
}
