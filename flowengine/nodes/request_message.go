package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// whom names what is asked for: no more of a request may stand in a record.
func (r *Request) whom() string {
	u, err := url.Parse(r.URL.With(""))
	if err != nil {
		return r.Method
	}
	return r.Method + " " + u.Host
}

// message renders the request.
func (r *Request) message(s *flowengine.Session) (call.Request, error) {
	m := call.Request{Method: r.Method, Header: map[string]string{}, Timeout: time.Duration(r.Timeout), Retry: r.repeats()}
	if m.Retry {
		m.Key = s.Key()
	}
	var err error
	if m.URL, err = r.address(s); err != nil {
		return m, fmt.Errorf("url: %w", err)
	}
	if err := r.content(s, &m); err != nil {
		return m, err
	}
	for name, text := range r.Headers {
		value, err := s.Text(&text.Text)
		if err != nil {
			return m, fmt.Errorf("header %s: %w", name, err)
		}
		m.Header[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	return m, nil
}

// address is the URL with the query.
func (r *Request) address(s *flowengine.Session) (string, error) {
	text, err := s.Address(&r.URL)
	if err != nil || len(r.Query) == 0 {
		return text, err
	}
	query := url.Values{}
	for name, text := range r.Query {
		value, err := s.Text(&text)
		if err != nil {
			return "", fmt.Errorf("query: %s: %w", name, err)
		}
		query.Set(name, value)
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("it is none")
	}
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+query.Encode(), "&")
	return u.String(), nil
}

// content renders the body, and its type.
func (r *Request) content(s *flowengine.Session, m *call.Request) error {
	const contentType = "Content-Type"
	switch {
	case len(r.Form) > 0:
		form := url.Values{}
		for name, text := range r.Form {
			value, err := s.Text(&text.Text)
			if err != nil {
				return fmt.Errorf("form: %s: %w", name, err)
			}
			form.Set(name, value)
		}
		m.Body, m.Header[contentType] = []byte(form.Encode()), "application/x-www-form-urlencoded"
	case !r.Body.Empty():
		data, err := s.Data(&r.Body)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		if text, ok := data.(string); ok {
			m.Body, m.Header[contentType] = []byte(text), "text/plain; charset=utf-8"
			return nil
		}
		if m.Body, err = json.Marshal(data); err != nil {
			return fmt.Errorf("body: %w", err)
		}
		m.Header[contentType] = "application/json"
	}
	return nil
}

// decode returns what a body says: JSON where it is JSON, and a text otherwise.
func decode(body []byte) any {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return strings.TrimSpace(string(body))
	}
	if _, err := d.Token(); err != io.EOF {
		return strings.TrimSpace(string(body))
	}
	return numbers(v)
}

// numbers makes whole numbers of those that are: identifiers must stay as they are.
func numbers(v any) any {
	switch t := v.(type) {
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return int(i)
		}
		f, err := t.Float64()
		if err != nil {
			return t.String()
		}
		return f
	case []any:
		for i := range t {
			t[i] = numbers(t[i])
		}
	case map[string]any:
		for k := range t {
			t[k] = numbers(t[k])
		}
	}
	return v
}
