package flowengine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hookswitch/hookswitch/call"
)

// Variables returns what expressions see at this moment. The maps are those of the call.
func (s *Session) Variables() *Variables { return &s.environment().Variables }

func (s *Session) environment() *environment {
	is, caller := callVariables(&s.call)
	org, _ := s.engine.Current().Organization(s.org)
	return &environment{
		Variables: Variables{Call: is, Caller: caller, Number: s.call.Number, Campaign: s.about, Tags: s.desk.all(), Vars: s.vars, Now: s.Now()},
		Secrets:   s.secrets,
		org:       org,
	}
}

// Set leaves a text, a number or a truth in vars for the nodes after this one. It
// is kept in the checkpoint, and so must be no secret. It fails, and leaves nothing,
// when the checkpoint has no room for it.
func (s *Session) Set(name string, value any) error {
	if err := leave(s, s.vars, name, value); err != nil {
		return fmt.Errorf("vars.%s: %w", name, err)
	}
	return nil
}

// Unset takes a variable away.
func (s *Session) Unset(name string) { delete(s.vars, name) }

// spare is what is left free in the checkpoint when a value goes into it, in bytes:
// the nodes after this one keep their state there.
const spare = 1024

// leave puts a value among the variables, the tags or the names of secrets. What callers
// send can be of any length, and a checkpoint that is too large would end the call.
func leave[V any](s *Session, in map[string]V, name string, value V) error {
	old, had := in[name]
	in[name] = value
	err := s.fits(name, value)
	if err != nil && had {
		in[name] = old
	} else if err != nil {
		delete(in, name)
	}
	return err
}

// fits says whether the checkpoint has room for a value that was put into it.
func (s *Session) fits(name string, value any) error {
	s.desk.Lock()
	fits := s.desk.grow(cost(name, value))
	s.desk.Unlock()
	if fits {
		return nil
	}
	text, err := s.checkpoint(nil, false)
	if err == nil && len(text) > call.MaxCheckpoint-spare {
		err = errTooLarge
	}
	return err
}

// cost is what a value takes of the checkpoint in bytes, or a little more.
func cost(name string, value any) int {
	raw, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return call.MaxCheckpoint // it has no place there
	}
	return base64.RawURLEncoding.EncodedLen(len(`"x":,`) + len(raw))
}

// SetSecret keeps a secret for the nodes after this one, in memory alone. Where a takeover
// loses it, the call comes back to this node when it is needed. It fails, and keeps
// nothing, when the checkpoint has no room for its name.
func (s *Session) SetSecret(name, value string) error {
	if s.asked == nil {
		s.asked = map[string]string{}
	}
	if err := leave(s, s.asked, name, s.path()); err != nil {
		return fmt.Errorf("secrets.%s: %w", name, err)
	}
	if s.secrets == nil {
		s.secrets = map[string]string{}
	}
	s.secrets[name] = value
	return nil
}

// TagRefusedError says that a value was not written since it does not fit the definition of
// the tag. It holds nothing of the value.
type TagRefusedError struct{ Name, Why string }

func (e *TagRefusedError) Error() string { return fmt.Sprintf("tag %s refused: %s", e.Name, e.Why) }

// Tag writes a tag of the call. What it replaces is in the event. It fails, and writes
// nothing, when the value does not fit the definition of the tag (*TagRefusedError), and when
// the checkpoint has no room for it.
func (s *Session) Tag(name string, value any) error {
	if o, ok := s.engine.Current().Organization(s.org); ok {
		var err error
		if value, err = o.fit(name, value, "flow"); err != nil {
			return err
		}
	}
	attrs := map[string]string{"tag": name, "value": spell(value), "source": "flow", "key": s.Key()}
	s.desk.Lock()
	old, had := s.desk.tags[name]
	s.desk.write(name, value, true)
	s.desk.Unlock()
	if had {
		attrs["replaced"] = spell(old)
	}
	if err := s.fits(name, value); err != nil {
		s.desk.Lock()
		defer s.desk.Unlock()
		if s.desk.tags[name] == value { // nobody has written it meanwhile
			s.desk.write(name, old, had)
		}
		return fmt.Errorf("tags.%s: %w", name, err)
	}
	s.Tell(call.Event{Type: call.Tagged, Attrs: attrs})
	return nil
}

// maxEmitted bounds the data of an event of a flow's own, in bytes.
const maxEmitted = 8 << 10

// Emit tells the outside of an event of the flow's own. Who hears of it twice can
// tell by its key. It fails when the data are too much.
func (s *Session) Emit(name string, data map[string]any) error {
	attrs := map[string]string{"event": name, "key": s.Key()}
	size := 0
	for k, v := range data {
		attrs["data."+k] = spell(v)
		size += len(k) + len(attrs["data."+k])
	}
	if size > maxEmitted {
		return fmt.Errorf("the data of the event have %d bytes, at most %d are told", size, maxEmitted)
	}
	s.Tell(call.Event{Type: call.Emitted, Attrs: attrs})
	return nil
}

// Tell records an event of the node that runs, of which a takeover behind the next
// checkpoint would not tell again.
func (s *Session) Tell(e call.Event) {
	s.record(e)
	s.desk.Lock()
	defer s.desk.Unlock()
	s.desk.told = true
}

// save leaves a checkpoint on the call, after what was told is kept.
func (s *Session) save(ctx context.Context, checkpoint string) error {
	s.settle()
	return s.leg.Save(ctx, checkpoint)
}

// settle waits until what was told is kept.
func (s *Session) settle() {
	s.desk.Lock()
	told := s.desk.told
	s.desk.told = false
	s.desk.Unlock()
	if keeper, ok := s.rec.(Settler); ok && told {
		keeper.Settle()
	}
}

// record records an event of the node that runs.
func (s *Session) record(e call.Event) {
	e.Step, e.Kind = s.path(), s.step.kind.Name
	s.tell(e)
}

// LostSecretError says that an expression needs a secret which only the process knew
// that the call was taken over from. A node that returns it sends the call back to
// the node that asks for the secret.
type LostSecretError struct{ Name string }

func (e *LostSecretError) Error() string {
	return fmt.Sprintf("the secret %s was lost with the server that heard it", e.Name)
}

// has says whether the secrets that a setting reads are known.
func (s *Session) has(x expressive) error {
	if len(s.asked) == 0 {
		return nil
	}
	for _, one := range x.expressions() {
		for _, r := range one.reads {
			if r.space != "secrets" {
				continue
			}
			if _, known := s.secrets[r.name]; !known && s.asked[r.name] != "" {
				return &LostSecretError{r.name}
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

// Text returns what a text is in this call.
func (s *Session) Text(t *Text) (string, error) {
	if err := s.has(t); err != nil {
		return "", err
	}
	return t.template.render(s.environment(), nil)
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
// a text. It fails where the answer has no such value, and where a secret stands in
// it, which is not given away. Its errors hold nothing of the answer.
func (s *Session) Take(a *Answer, status int, headers map[string]string, body any) (any, error) {
	env := s.environment()
	env.Status, env.Headers, env.Body = status, headers, body
	v, err := a.expr.eval(env)
	if err != nil { // in expr's words, which may hold a part of the answer
		return nil, errors.New("the answer is not of this form")
	}
	if v == nil {
		return nil, errors.New("the answer has no such value")
	}
	if v, err = plain(v); err != nil {
		return nil, err
	}
	if s.holdsSecret(spell(v)) {
		return nil, errors.New("it repeats a secret")
	}
	return v, nil
}

// Transfer gives the call to an extension of the dialplan and returns the error
// with which the node ends: *TransferredError when all is well.
func (s *Session) Transfer(ctx context.Context, to call.Extension) error {
	s.away = s.call.Transfers + 1
	if err := s.Keep(ctx, true); err != nil {
		s.away = 0
		return err
	}
	if err := s.leg.Transfer(ctx, to); err != nil {
		s.away = 0
		return err
	}
	s.record(call.Event{Type: call.Transferred, Attrs: map[string]string{"extension": to.Number, "context": to.Context}})
	return &TransferredError{to}
}
