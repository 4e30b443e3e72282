package flowengine

import (
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/call"
)

const (
	maxEvents      = 100
	maxContentKeys = 200 // of headers, and of a form
	maxAttempts    = 100
	maxAttempt     = 30 * time.Second
)

// signature are the headers that Hookswitch sets on what it sends.
var signature = []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}

// endpointSettings are an outgoing webhook as it is written.
type endpointSettings struct {
	Name    title                `yaml:"name"`
	Enabled bool                 `yaml:"enabled"`
	URL     eventText            `yaml:"url,required"`
	Events  []string             `yaml:"events,required"`
	Filter  *eventFilter         `yaml:"filter"`
	Method  string               `yaml:"method"`
	Headers map[string]eventText `yaml:"headers"`
	JSON    eventData            `yaml:"json"`
	Form    map[string]eventText `yaml:"form"`
	Body    eventText            `yaml:"body"`
	Timeout Duration             `yaml:"timeout"`
	AtOnce  int                  `yaml:"at_once"`
}

// eventText is a Text about an event, which may read secrets.
type eventText struct{ Text }

// UnmarshalText compiles the text's templates; it fails with a *SettingError.
func (t *eventText) UnmarshalText(text []byte) error { return t.compile(string(text), event|secret) }

// eventData is Data about an event, which may read secrets.
type eventData struct{ Data }

func (x *eventData) decodeNode(d *document, n *yaml.Node, name string) {
	x.decodeIn(d, n, name, event|secret)
}

// eventFilter is a Condition about an event. It reads no secrets.
type eventFilter struct{ Condition }

// UnmarshalText compiles the expression; it fails with a *SettingError.
func (f *eventFilter) UnmarshalText(text []byte) error { return f.compile(string(text), event) }

// endpoint reads NAME: {url:, events: …}.
func (l *loader) endpoint(e entry) {
	s := endpointSettings{Enabled: true, Method: "POST", Timeout: Duration(15 * time.Second), AtOnce: 10}
	if !e.decode(&s, "webhook", "write {url: …, events: […]}") {
		return
	}
	c := &Check{doc: e.doc, node: e.value}
	out := &Endpoint{Name: e.key.Value, Title: s.Name.or(e.key.Value), Enabled: s.Enabled, Events: s.Events, Method: s.Method, URL: s.URL.Text,
		Timeout: time.Duration(s.Timeout), AtOnce: s.AtOnce, JSON: s.JSON.Data, Body: s.Body.Text, Headers: plainTexts(s.Headers), Form: plainTexts(s.Form)}
	if s.Filter != nil {
		out.Filter = &s.Filter.Condition
	}
	if wrong := out.URL.Address(); wrong != nil {
		c.Problem("url", wrong.Hint, "url: %s", wrong.Message)
	}
	if out.Timeout < 100*time.Millisecond || out.Timeout > maxAttempt {
		c.Problem("timeout", "", "timeout: %s is not between 100ms and %s", call.ShortDuration(out.Timeout), call.ShortDuration(maxAttempt))
	}
	if s.AtOnce < 1 || s.AtOnce > maxAttempts {
		c.Problem("at_once", "", "at_once: %d is not between 1 and %d", s.AtOnce, maxAttempts)
	}
	l.events(c, s.Events)
	out.checkContent(c)
	l.org.endpoints[out.Name] = out
}

// checkContent checks what is sent.
func (e *Endpoint) checkContent(c *Check) {
	given := slices.DeleteFunc([]string{"json", "form", "body"}, func(name string) bool { return !c.Given(name) })
	switch {
	case !slices.Contains(call.Methods, e.Method):
		c.Problem("method", DidYouMean(e.Method, call.Methods), "method: there is no %s", quote(e.Method))
	case len(given) > 0 && !hasBody(e.Method):
		c.Problem("method", "leave method out, or write POST", "a %s has no body", e.Method)
	}
	if len(given) > 1 {
		c.Problem(given[1], "leave all out but one", "there is %s already", given[0])
	}
	for name, texts := range map[string]map[string]Text{"headers": e.Headers, "form": e.Form} {
		if n := len(texts); n > maxContentKeys || n == 0 && c.Given(name) {
			c.Problem(name, "", "%s: there are 1 to %d, not %d", name, maxContentKeys, n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !call.ValidHeader(name):
			c.Problem("headers/"+name, "letters, digits and -", "%s cannot be the name of a header", quote(name))
		case call.OwnHeader(name) || slices.Contains(signature, canonical):
			c.Problem("headers/"+name, "leave it out", "the header %s is set by Hookswitch", canonical)
		}
	}
}

// Emitter is a node that tells the outside of an event of the flow's own.
type Emitter interface{ Emits() (event string) }

// events checks the types of events that an endpoint wants. Those of flows' own are known
// once all flows were read without a problem.
func (l *loader) events(c *Check, wanted []string) {
	if n := len(wanted); n < 1 || n > maxEvents {
		c.Problem("events", "name some, or write [\"*\"]", "events: there are 1 to %d, not %d", maxEvents, n)
	}
	known := slices.Clone(EventTypes)
	for _, b := range l.built {
		for _, n := range b.flow.nodes {
			if e, ok := n.node.(Emitter); ok {
				known = append(known, e.Emits())
			}
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	all := len(l.built) == len(l.flows) && !l.unread
	for i, w := range wanted {
		at := "events/" + strconv.Itoa(i)
		if slices.Contains(wanted[:i], w) {
			c.Problem(at, "", "events: %s is there twice", quote(w))
			continue
		}
		own := slices.ContainsFunc(OwnEvents, func(word string) bool { return strings.HasPrefix(w, word+".") })
		if slices.ContainsFunc(known, func(k string) bool { return stands(w, k) }) || !own && !all {
			continue
		}
		hint := DidYouMean(w, known)
		if hint == "" {
			hint = "call.*, target.* and * stand for many; a flow's own events are those that its nodes emit"
		}
		c.Problem(at, hint, "events: nothing is told as %s", quote(w))
	}
}

// OwnEvents are the first words of the types of events that flows cannot emit.
var OwnEvents = []string{"call", "target", "flow", "endpoint"}

var eventName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31}){0,3}$`)

// ValidEvent says whether a text can be the name of an event: up to four lower-case words
// with dots between them.
func ValidEvent(name string) bool { return eventName.MatchString(name) }

func plainTexts(texts map[string]eventText) map[string]Text {
	out := make(map[string]Text, len(texts))
	for name, t := range texts {
		out[name] = t.Text
	}
	return out
}
