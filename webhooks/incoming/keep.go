package incoming

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/store"
)

// masked stands for what is not kept.
const masked = "***"

// keep keeps the request with its answer. One that cannot be kept is answered all the same:
// what it wanted is done.
func (q *query) keep(ctx context.Context, a answer) {
	q.kept.Took, q.kept.Status, q.kept.Answer = q.Now().Sub(q.began), a.status, a.body
	err := q.ask(context.WithoutCancel(ctx), func(ctx context.Context) error {
		_, err := q.Monitor.KeepRequest(ctx, q.org.Name, q.kept)
		return err
	})
	if err != nil {
		q.Problem(err)
	}
}

const (
	maxHeaders = 50
	maxHeader  = 1000 // bytes of a value
)

// note keeps what the request has, without what is secret. A body that could not be read
// is left out, since nobody can tell what in it is.
func (q *query) note(r *http.Request, params, body object, size int) {
	h := store.HTTP{Method: r.Method, URL: r.URL.Path, Header: map[string]string{}}
	if len(params) > 0 {
		values := url.Values{}
		for _, m := range q.mask(params).(object) {
			for _, v := range listOf(m.value) {
				text, _ := field{value: v}.text()
				values.Add(m.name, text)
			}
		}
		h.URL += "?" + values.Encode()
	}
	for name, texts := range r.Header {
		if len(h.Header) == maxHeaders {
			break
		}
		value := mask(bounded(strings.Join(texts, ", "), maxHeader))
		if isSecret(name) {
			value = masked
		}
		h.Header[mask(name)] = value
	}
	if body != nil {
		raw, err := json.Marshal(q.mask(body))
		if err != nil {
			q.Problem(err)
		}
		h.Body = raw
	}
	h.Cut = body == nil && size > 0
	q.kept.Request = h
}

func listOf(v any) list {
	if l, ok := v.(list); ok {
		return l
	}
	return list{v}
}

func bounded(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// mask returns a value without what in it is secret, or is of a private tag.
func (q *query) mask(value any) any { return q.masking(value, "") }

func (q *query) masking(value any, name string) any {
	switch v := value.(type) {
	case object:
		out := make(object, len(v))
		for i, m := range v {
			inner := m.name
			if name != "" && !slices.Contains(append(opened, "add"), name) {
				inner = name + "." + m.name
			}
			if out[i] = (member{mask(m.name), masked}); !isSecret(m.name) && !q.private(inner) && !q.privateEntry(v, m.name) {
				out[i].value = q.masking(m.value, inner)
			}
		}
		return out
	case list:
		out := make(list, len(v))
		for i := range v {
			if text, ok := v[i].(string); ok && name == "add" {
				out[i] = mask(q.maskEntries(q.maskEntry(text)))
			} else {
				out[i] = q.masking(v[i], name)
			}
		}
		return out
	case string:
		if name == "add" {
			v = q.maskEntries(v)
		}
		return mask(v)
	case json.Number:
		if text := mask(string(v)); text != string(v) {
			return text
		}
	}
	return value
}

// private says whether a field is a tag of private values.
func (q *query) private(name string) bool {
	d := (&evaluation{org: q.org, hook: q.hook}).definition(name)
	return d != nil && q.org.Private(d.Name)
}

// privateEntry says so of {"name": …, "value": …}.
func (q *query) privateEntry(entry object, member string) bool {
	m, ok := entryOf(entry, true)
	return ok && member == "value" && q.hidden(m.name)
}

// hidden says whether what is entered under a name is kept from everybody.
func (q *query) hidden(name string) bool { return q.private(strings.TrimSpace(name)) || isSecret(name) }

// maskEntry masks the value of NAME=VALUE.
func (q *query) maskEntry(entry string) string {
	if name, _, has := strings.Cut(entry, "="); has && q.hidden(name) {
		return name + "=" + masked
	}
	return entry
}

// maskEntries does so with several, as forms have them: NAME=VALUE,NAME=VALUE. What follows
// a value that is masked, without a name, may be more of it.
func (q *query) maskEntries(text string) string {
	var kept []string
	more := false
	for entry := range strings.SplitSeq(text, ",") {
		name, _, has := strings.Cut(entry, "=")
		if more = has && q.hidden(name) || !has && more; has || !more {
			kept = append(kept, q.maskEntry(entry))
		}
	}
	return strings.Join(kept, ",")
}

// gap is what people put between the digits of a card, also as URLs write it; a point only
// where it is not that of a decimal.
const gap = `[ \x{a0}\x{2009}\x{202f}\-\x{2010}-\x{2013}_/+]|%20|%2[dD]`

var (
	// secretNames are parts of the names of what nobody should read in a monitor.
	secretNames = regexp.MustCompile(`(?i)passw|pwd|secret|token|cookie|credential|signature|authori[sz]|authent|card|cvv|cvc|ssn|social_?sec|iban|(account|routing)_?num|(^|[_.-])(api_?key|key|pin|auth)($|[_.-])`)
	ownKeys     = regexp.MustCompile(`hsk_[0-9A-Za-z_]+`)
	digitRuns   = regexp.MustCompile(`[0-9]+((` + gap + `)+[0-9]+|\.[0-9]{3,6})*`)
	digitGroups = regexp.MustCompile(gap + `|[0-9]+`)
)

func isSecret(name string) bool {
	return secretNames.MatchString(name) && !strings.EqualFold(name, "Idempotency-Key") && !strings.EqualFold(name, "idempotency_key")
}

// mask takes keys and numbers of cards out of a text.
func mask(text string) string {
	return digitRuns.ReplaceAllStringFunc(ownKeys.ReplaceAllString(text, masked), maskCards)
}

// maskCards masks what in groups of digits is the number of a card.
func maskCards(run string) string {
	groups := slices.DeleteFunc(digitGroups.FindAllStringIndex(run, -1), func(at []int) bool { return run[at[0]] < '0' || run[at[0]] > '9' })
	for i := range groups {
		digits := ""
		for _, last := range groups[i:] {
			if digits += run[last[0]:last[1]]; isCard(digits) {
				return run[:groups[i][0]] + masked + maskCards(run[last[1]:])
			}
			if len(digits) > maxCard {
				break
			}
		}
	}
	return run
}

const (
	minCard = 13 // digits
	maxCard = 19
)

// isCard says whether digits can be the number of a payment card (ISO/IEC 7812-1).
func isCard(digits string) bool {
	return len(digits) >= minCard && len(digits) <= maxCard && digits[0] >= '2' && digits[0] <= '6' && luhn(digits)
}

// luhn says whether digits end with the checksum that the numbers of cards have.
func luhn(digits string) bool {
	sum, double := 0, false
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i] - '0')
		if double {
			d *= 2
		}
		sum += d/10 + d%10
		double = !double
	}
	return sum%10 == 0
}
