package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// webhookPrinter takes webhooks as a system of somebody else would: it verifies them, prints them
// and answers. It is safe for several requests at once.
type webhookPrinter struct {
	// secrets returns those that may have signed; nil: nothing is verified.
	secrets func(*http.Request) ([]standard.Secret, error)
	status  int           // that is answered
	delay   time.Duration // before the answer
	format  output
	pretty  bool // bodies over several lines
	paint   painter
	failed  func(error) // told that nothing can be printed

	mu   sync.Mutex // on what follows
	out  io.Writer
	seen []string // ids of the last messages, oldest first
}

// Bounds of a webhookPrinter.
const (
	maxReceived   = 1 << 20 // bytes of a body
	maxSeen       = 1000    // ids
	maxShownType  = 40
	maxShownValue = 200
)

// received is a message as it came.
type received struct {
	Time     time.Time         `json:"time"`
	ID       string            `json:"id"`
	Type     string            `json:"type,omitempty"`
	Call     string            `json:"call,omitempty"`
	Verified bool              `json:"verified"`
	Why      string            `json:"why,omitempty"` // it is not
	Repeated bool              `json:"repeated,omitempty"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Header   map[string]string `json:"header"`
	Body     any               `json:"body"` // JSON as it came, other texts as a string
}

func (wp *webhookPrinter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReceived))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	m := wp.read(r, body)
	if err := wp.print(m, body); err != nil {
		wp.failed(err)
	}
	if wp.delay > 0 {
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil { // that of the body would end the wait
			wp.failed(err)
		}
		wait := time.NewTimer(wp.delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done(): // the sender waits no longer
			return
		}
	}
	w.WriteHeader(wp.status)
}

// read says what a request is.
func (wp *webhookPrinter) read(r *http.Request, body []byte) *received {
	m := &received{Time: time.Now(), ID: r.Header.Get(standard.ID), Method: r.Method, Path: r.URL.Path, Header: map[string]string{}}
	for name, values := range r.Header {
		m.Header[name] = strings.Join(values, ", ")
	}
	m.Body = string(body)
	if json.Valid(body) {
		m.Body = json.RawMessage(body)
	}
	var standardBody struct {
		Type string
		Data struct{ Call struct{ ID string } }
	}
	if json.Unmarshal(body, &standardBody) == nil { // else it is a body of the endpoint's own
		m.Type, m.Call = standardBody.Type, standardBody.Data.Call.ID
	}
	if err := wp.verify(r, body, m.Time); err != nil {
		m.Why = err.Error()
	}
	m.Verified = m.Why == ""
	return m
}

// verify says why a request is not known to be from the owner of the secret.
func (wp *webhookPrinter) verify(r *http.Request, body []byte, now time.Time) error {
	if wp.secrets == nil {
		return errors.New("there is no secret to verify it with")
	}
	secrets, err := wp.secrets(r)
	if err != nil {
		return err
	}
	return standard.Verify(r.Header, body, now, secrets...)
}

func (wp *webhookPrinter) print(m *received, body []byte) error {
	wp.mu.Lock()
	defer wp.mu.Unlock()
	if m.Verified { // others may use any id
		m.Repeated = slices.Contains(wp.seen, m.ID)
		wp.seen = append(wp.seen, m.ID)
		if len(wp.seen) > maxSeen {
			wp.seen = wp.seen[1:]
		}
	}
	if wp.format == outputJSON {
		return json.NewEncoder(wp.out).Encode(m)
	}
	_, err := io.WriteString(wp.out, wp.line(m)+wp.shown(m, body))
	return err
}

// line is what matters of a message.
func (wp *webhookPrinter) line(m *received) string {
	p := wp.paint
	state := p.paint(green, "verified")
	if !m.Verified {
		state = p.paint(red, "not verified: "+plain(m.Why))
	}
	if m.Repeated {
		state += p.paint(yellow, "  repeated")
	}
	typ, id := cut(m.Type, maxShownType), ""
	if typ == "" {
		typ = cut(m.Method+" "+m.Path, maxShownType)
	}
	if m.Call != "" {
		id = "call " + shortID(m.Call)
	}
	return fmt.Sprintf("%s  %s  %s  %s  %s\n", p.paint(dim, m.Time.Format("15:04:05.000")), p.paint(bold, pad(typ, 22)), pad(id, 13), state, p.paint(dim, cut(m.ID, maxShownValue)))
}

// shown is the body, and with pretty the headers, below the line of their message.
func (wp *webhookPrinter) shown(m *received, body []byte) string {
	const indent = "    "
	var b strings.Builder
	line := func(text string) {
		if text = strings.TrimRight(text, "\r\n"); text != "" {
			b.WriteString(indent + plain(text) + "\n")
		}
	}
	if wp.pretty {
		for _, name := range slices.Sorted(maps.Keys(m.Header)) {
			line(name + ": " + cut(m.Header[name], maxShownValue))
		}
	}
	var text bytes.Buffer
	switch {
	case json.Valid(body) && wp.pretty:
		_ = json.Indent(&text, body, "", "  ") // it is valid
	case json.Valid(body):
		_ = json.Compact(&text, body)
	case !utf8.Valid(body):
		fmt.Fprintf(&text, "(%d bytes that are no text)", len(body))
	case wp.pretty:
		text.Write(body)
	default:
		text.WriteString(strings.Join(strings.Fields(string(body)), " "))
	}
	for l := range strings.Lines(text.String()) {
		line(l)
	}
	return b.String()
}

// cut makes a text fit for a line of a terminal.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		text = string(r[:most-1]) + "…"
	}
	return plain(text)
}
