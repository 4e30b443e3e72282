package flowengine

import (
	"context"
	"errors"
	"fmt"

	"github.com/hookswitch/hookswitch/call"
)

// Variables returns what expressions see. The maps are those of the call.
func (s *Session) Variables() *Variables {
	is, caller := callVariables(&s.call)
	return &Variables{Call: is, Caller: caller, Number: s.call.Number, Tags: s.tags, Vars: s.vars, Now: s.Now()}
}

func (s *Session) environment() *environment {
	return &environment{Variables: *s.Variables(), Secrets: s.secrets}
}

// Set leaves a text, a number or a truth in vars for the nodes after this one. It
// is kept in the checkpoint, and so must be short and no secret.
func (s *Session) Set(name string, value any) { s.vars[name] = value }

// Keep a secret for the nodes after this one, in memory alone. Where a takeover
// loses it, the call comes back to this node when it is needed.
func (s *Session) SetSecret(name, value string) {
	s.secrets[name], s.asked[name] = value, s.path()
}

// Tag writes a tag of the call. What it replaces is in the event.
func (s *Session) Tag(name string, value any) {
	attrs := map[string]string{"tag": name, "value": spell(value), "source": "flow"}
	if old, ok := s.tags[name]; ok {
		attrs["replaced"] = spell(old)
	}
	s.tags[name] = value
	s.record(call.Event{Type: call.Tagged, Attrs: attrs})
}

// Emit tells the outside of an event of the flow's own. Who hears of it twice can
// tell by its key.
func (s *Session) Emit(name string, data map[string]any) {
	attrs := map[string]string{"event": name, "key": s.Key()}
	for k, v := range data {
		attrs["data."+k] = spell(v)
	}
	s.record(call.Event{Type: call.Emitted, Attrs: attrs})
}

// Tell records an event of the node that runs.
func (s *Session) Tell(e call.Event) { s.record(e) }

// record records an event of the node that runs.
func (s *Session) record(e call.Event) {
	e.Step, e.Kind = s.path(), s.step.kind.Name
	s.rec.Record(e)
}

// lostSecret says that an expression needs a secret which only the process knew
// that the call was taken over from.
type lostSecret struct{ name string }

func (e *lostSecret) Error() string {
	return fmt.Sprintf("the secret %s was lost with the server that heard it", e.name)
}

// has says whether the secrets that a setting reads are known.
func (s *Session) has(x expressive) error {
	for _, one := range x.expressions() {
		for _, r := range one.reads {
			if r.space != "secrets" {
				continue
			}
			if _, known := s.secrets[r.name]; !known && s.asked[r.name] != "" {
				return &lostSecret{r.name}
			}
		}
	}
	return nil
}

// True evaluates a condition.
func (s *Session) True(c *Condition) (bool, error) {
	if err := s.has(c); err != nil {
		return false, err
	}
	return c.eval(s.environment())
}

// Prompt returns what is to be heard in this call.
func (s *Session) Prompt(p *Prompt) (call.Prompt, error) {
	if p.template == nil {
		return p.fixed, nil
	}
	return p.Render(s.Variables())
}

// Text returns what a text is in this call; each value in it is passed through as,
// unless that is nil.
func (s *Session) Text(t *Text, as func(string) string) (string, error) {
	if err := s.has(t); err != nil {
		return "", err
	}
	return t.template.render(s.environment(), as)
}

// Value returns a text, a number or a truth.
func (s *Session) Value(v *Value) (any, error) { return v.eval(s.environment()) }

// Data returns the value of a setting of any shape, as encoding/json writes it.
func (s *Session) Data(x *Data) (any, error) {
	if err := s.has(x); err != nil {
		return nil, err
	}
	return x.eval(s.environment())
}

// Take returns what a setting takes out of an answer; the body is decoded JSON or
// a text. A value in which a secret stands is not given away.
func (s *Session) Take(a *Answer, status int, headers map[string]string, body any) (any, error) {
	env := s.environment()
	env.Status, env.Headers, env.Body = status, headers, body
	v, err := a.expr.eval(env)
	if err != nil {
		return nil, err
	}
	if v, err = plain(v); err != nil {
		return nil, err
	}
	if s.holdsSecret(spell(v)) {
		return nil, errors.New("the answer repeats a secret, which is not kept")
	}
	return v, nil
}

// Transfer gives the call to an extension of the dialplan and returns the error
// with which the node ends: *TransferredError when all is well.
func (s *Session) Transfer(ctx context.Context, to call.Extension) error {
	s.away = to.Number
	if err := s.Keep(ctx, true); err != nil {
		s.away = ""
		return err
	}
	if err := s.leg.Transfer(ctx, to); err != nil {
		s.away = ""
		return err
	}
	s.record(call.Event{Type: call.Transferred, Attrs: map[string]string{"extension": to.Number, "context": to.Context}})
	return &TransferredError{to}
}
