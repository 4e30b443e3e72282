package flowengine

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// EventTypes are the types of what endpoints are told, beside the events that flows emit.
var EventTypes = []string{
	"call.started", "call.answered", "call.connected", "call.mark_5s", "call.mark_15s", "call.mark_30s", "call.mark_45s", "call.mark_60s",
	"call.ended", "call.failed", "call.converted", "call.completed", "call.recorded", "call.voicemail", "call.tags_updated", "call.revenue_updated",
	"target.dialed", "target.failed", "flow.error", "endpoint.disabled",
}

// Endpoint is an outgoing webhook: who is told of events, and how. It does not change.
type Endpoint struct {
	Name    string
	Title   string // for people
	Enabled bool
	Events  []string      // types; call.* stands for all that begin with call., * for all
	Filter  *Condition    // which events, by EventVariables without secrets; nil: all
	Method  string        // one of call.Methods
	URL     Text          // may read secrets, as all that follows
	Timeout time.Duration // of an attempt
	AtOnce  int           // attempts at once, of each server

	Headers map[string]Text
	JSON    Data
	Form    map[string]Text
	Body    Text
}

// EventVariables is what the expressions of an endpoint see. There are no Vars.
type EventVariables struct {
	Variables
	Event EventFields
}

// EventFields are the fields of event in an expression.
type EventFields struct {
	Type string         `expr:"type"`
	ID   string         `expr:"id"`   // of the message
	Time time.Time      `expr:"time"` // when it happened
	Data map[string]any `expr:"data"` // of the standard body, decoded
}

// Hears says whether an endpoint that is enabled wants events of a type, whatever its
// filter.
func (e *Endpoint) Hears(eventType string) bool {
	return e.Enabled && slices.ContainsFunc(e.Events, func(wanted string) bool { return stands(wanted, eventType) })
}

// stands says whether a type, or a pattern of types, stands for a type.
func stands(wanted, eventType string) bool {
	head, pattern := strings.CutSuffix(wanted, "*")
	return wanted == eventType || pattern && strings.HasPrefix(eventType, head)
}

// Wants says whether the endpoint is to be told of an event. It fails on a fault of the
// filter.
func (e *Endpoint) Wants(eventType string, v *EventVariables) (bool, error) {
	if !e.Hears(eventType) || e.Filter == nil {
		return e.Hears(eventType), nil
	}
	return e.Filter.eval(v.environment(nil))
}

func (v *EventVariables) environment(secrets map[string]string) *environment {
	return &environment{Variables: v.Variables, Event: v.Event, Secrets: secrets}
}

// Standard says that what is sent is the standard body.
func (e *Endpoint) Standard() bool {
	return e.JSON.Empty() && len(e.Form) == 0 && e.Body.Empty() && hasBody(e.Method)
}

// Fixed says that nothing that is sent but the standard body depends on the event: Render
// needs no variables.
func (e *Endpoint) Fixed() bool { return len(e.expressions()) == 0 }

func hasBody(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// SecretNames returns the names of the secrets that the endpoint reads, sorted.
func (e *Endpoint) SecretNames() []string {
	names := map[string]bool{}
	for _, x := range e.expressions() {
		for _, r := range x.reads {
			if r.space == "secrets" {
				names[r.name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (e *Endpoint) expressions() []*expression {
	out := slices.Concat(e.URL.expressions(), e.JSON.expressions(), e.Body.expressions())
	for _, texts := range []map[string]Text{e.Headers, e.Form} {
		for _, t := range texts {
			out = append(out, t.expressions()...)
		}
	}
	return out
}

// maxContent bounds the body that is made of templates, in bytes.
const maxContent = 256 << 10

// Render returns the request that tells of an event: without a body where that is the
// standard one, and without a key. Each of SecretNames needs a value. Its errors hold no
// secret.
func (e *Endpoint) Render(v *EventVariables, secrets map[string]string) (call.Request, error) {
	r := call.Request{Method: e.Method, Header: map[string]string{}, Timeout: e.Timeout}
	for _, name := range e.SecretNames() {
		if _, ok := secrets[name]; !ok {
			return r, fmt.Errorf("secrets.%s has no value", name)
		}
	}
	env := v.environment(secrets)
	var err error
	if r.URL, err = e.URL.address(env); err != nil {
		return r, fmt.Errorf("url: %w", err)
	}
	if err := e.content(env, &r); err != nil {
		return r, err
	}
	if len(r.Body) > maxContent {
		return r, fmt.Errorf("the body has %d bytes; at most %d", len(r.Body), maxContent)
	}
	for name, text := range e.Headers {
		value, err := text.template.render(env, nil)
		if err != nil {
			return r, fmt.Errorf("header %s: %w", name, err)
		}
		r.Header[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	return r, nil
}

// content renders the body, and its type.
func (e *Endpoint) content(env *environment, r *call.Request) (err error) {
	kind := "application/json"
	switch {
	case !e.JSON.Empty():
		var data any
		if data, err = e.JSON.eval(env); err == nil {
			r.Body, err = json.Marshal(data)
		}
		if err != nil {
			return fmt.Errorf("json: %w", err)
		}
	case len(e.Form) > 0:
		kind = "application/x-www-form-urlencoded"
		form := url.Values{}
		for name, text := range e.Form {
			value, err := text.template.render(env, nil)
			if err != nil {
				return fmt.Errorf("form: %s: %w", name, err)
			}
			form.Set(name, value)
		}
		r.Body = []byte(form.Encode())
	case !e.Body.Empty():
		kind = "text/plain; charset=utf-8"
		text, err := e.Body.template.render(env, nil)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		r.Body = []byte(text)
	case !hasBody(e.Method):
		return nil
	}
	r.Header["Content-Type"] = kind
	return nil
}
