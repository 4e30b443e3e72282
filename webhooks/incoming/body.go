package incoming

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a request may have.
const (
	MaxBody  = 256 << 10 // bytes
	maxDepth = 16        // objects and lists within each other
	maxKeys  = 200       // names, in all objects of the body together, and as many in the query
	maxItems = 1000      // entries of lists, all together
	maxName  = 128       // bytes of a name
	maxValue = 4 << 10   // bytes of a text or number
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any // nil, bool, string, json.Number, object or list
}

type list []any

// find returns the value of a name.
func (o object) find(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// readBody reads what a request says, by its type: JSON or a form.
func readBody(contentType string, body []byte) (object, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, nil
	case contentType != "" && err != nil:
		return nil, refuse(http.StatusUnsupportedMediaType, "header.Content-Type", "it cannot be read; application/json is one that can")
	case kind == "application/json", strings.HasSuffix(kind, "+json"), kind == "" && body[0] == '{':
		return readJSON(body)
	case kind == "application/x-www-form-urlencoded", kind == "":
		return readForm(string(body), "body.")
	case strings.HasPrefix(kind, "multipart/"):
		return nil, refuse(http.StatusUnsupportedMediaType, "header.Content-Type", "a form is taken as application/x-www-form-urlencoded, not in several parts")
	}
	return nil, refuse(http.StatusUnsupportedMediaType, "header.Content-Type", "%.60q is not taken; application/json and application/x-www-form-urlencoded are", kind)
}

// readJSON reads an object, within the bounds.
func readJSON(body []byte) (object, error) {
	if !utf8.Valid(body) {
		return nil, refuse(http.StatusBadRequest, "body", "it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	r := &jsonReader{tokens: d}
	value, err := r.value("body", 0)
	if err != nil {
		return nil, r.located(err)
	}
	o, ok := value.(object)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "body", "it is not an object, such as {\"caller_id\": \"+12125550123\"}")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, refuse(http.StatusBadRequest, "body", "something follows the object, at byte %d", d.InputOffset())
	}
	return o, nil
}

// jsonReader reads a value token by token, so that nothing deep or wide is ever built.
type jsonReader struct {
	tokens      *json.Decoder
	keys, items int
}

// located says where JSON is not well formed, without repeating any of it.
func (r *jsonReader) located(err error) error {
	if refused := (*Refusal)(nil); errors.As(err, &refused) {
		return err
	}
	at := r.tokens.InputOffset()
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = syntax.Offset
	}
	return refuse(http.StatusBadRequest, "body", "it is not JSON from byte %d on", at)
}

func (r *jsonReader) value(at string, depth int) (any, error) {
	token, err := r.tokens.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if depth == maxDepth {
			return nil, refuse(http.StatusBadRequest, "body", "objects and lists are more than %d deep", maxDepth)
		}
		if token == '{' {
			return r.object(at, depth)
		}
		return r.list(at, depth)
	case json.Number:
		return token, short(at, string(token))
	case string:
		return token, short(at, token)
	}
	return token, nil
}

func (r *jsonReader) object(at string, depth int) (any, error) {
	o := object{}
	for r.tokens.More() {
		token, err := r.tokens.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder lets nothing else pass
		if err := r.named(at, name); err != nil {
			return nil, err
		}
		if _, twice := o.find(name); twice {
			return nil, refuse(http.StatusBadRequest, at+"."+name, "it is there twice")
		}
		value, err := r.value(at+"."+name, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, value})
	}
	_, err := r.tokens.Token()
	return o, err
}

// named counts a name.
func (r *jsonReader) named(at, name string) error {
	if r.keys++; r.keys > maxKeys {
		return refuse(http.StatusBadRequest, "body", "it has more than %d names", maxKeys)
	}
	if len(name) == 0 || len(name) > maxName {
		return refuse(http.StatusBadRequest, at, "a name has 1 to %d bytes, one has %d", maxName, len(name))
	}
	return nil
}

func (r *jsonReader) list(at string, depth int) (any, error) {
	l := list{}
	for r.tokens.More() {
		if r.items++; r.items > maxItems {
			return nil, refuse(http.StatusBadRequest, "body", "its lists have more than %d entries", maxItems)
		}
		value, err := r.value(fmt.Sprintf("%s[%d]", at, len(l)), depth+1)
		if err != nil {
			return nil, err
		}
		l = append(l, value)
	}
	_, err := r.tokens.Token()
	return l, err
}

func short(at, text string) error {
	if len(text) > maxValue {
		return refuse(http.StatusBadRequest, at, "it has %d bytes, at most %d are taken", len(text), maxValue)
	}
	return nil
}

// readForm reads a form or a query. A name that is there several times has a list.
func readForm(text, where string) (object, error) {
	if strings.Count(text, "&") >= maxKeys+maxItems {
		return nil, refuse(http.StatusBadRequest, strings.TrimSuffix(where, "."), "it has more than %d fields", maxKeys+maxItems)
	}
	values, err := url.ParseQuery(text)
	if err != nil || !utf8.ValidString(text) {
		return nil, refuse(http.StatusBadRequest, strings.TrimSuffix(where, "."), "it cannot be read; write NAME=VALUE&NAME=VALUE, with %%20 for a space")
	}
	r := &jsonReader{}
	o := object{}
	for name, texts := range values {
		if err := r.named(strings.TrimSuffix(where, "."), name); err != nil {
			return nil, err
		}
		l := list{}
		for _, t := range texts {
			if !utf8.ValidString(t) || !utf8.ValidString(name) {
				return nil, refuse(http.StatusBadRequest, strings.TrimSuffix(where, "."), "it is not UTF-8")
			}
			if err := short(where+name, t); err != nil {
				return nil, err
			}
			l = append(l, t)
		}
		if len(l) == 1 {
			o = append(o, member{name, l[0]})
		} else {
			o = append(o, member{name, l})
		}
	}
	slices.SortFunc(o, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return o, nil
}
