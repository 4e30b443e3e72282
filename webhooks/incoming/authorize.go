package incoming

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// takeKey returns the text of the request's key, and takes it out of the request, so that
// nobody who comes after can keep it. A key of the header comes first.
func takeKey(r *http.Request) string {
	text := ""
	var rest []string
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && isKeyName(plain) {
			if value, err := url.QueryUnescape(value); err == nil && text == "" {
				text = value
			}
			continue
		}
		rest = append(rest, part)
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		text = strings.TrimSpace(token)
	}
	r.Header.Del("Authorization")
	r.URL.RawQuery = strings.Join(rest, "&")
	r.RequestURI = r.URL.RequestURI()
	return text
}

func isKeyName(name string) bool {
	for _, n := range authNames {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// authorize finds out whose the request is. The store is asked whatever the key looks like,
// so that neither answer nor time tells one bad key from another.
func (q *query) authorize(ctx context.Context, text string) error {
	parsed, malformed := keys.Parse(text)
	ctx, done, err := q.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	key, err := q.Keys.FindKey(ctx, parsed.Hash())
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case err != nil || malformed != nil || key.Ends != nil && !q.began.Before(*key.Ends) || !q.find(key):
		return unauthorized
	}
	q.key = key
	if q.used.Due(key.Org, key.ID, q.began) {
		if err := q.Keys.UsedKey(ctx, key.Org, key.ID, q.began, q.from); err != nil {
			q.Problem(err) // the request does not depend on it
		}
	}
	return nil
}

// find finds the webhook that a key is for: of several, one that accepts the operation.
func (q *query) find(key *store.Key) bool {
	current := q.Current()
	if current == nil {
		return false
	}
	org, ok := current.Organization(key.Org)
	if !ok || org.Name != key.Org {
		return false
	}
	for _, scope := range key.Scopes {
		name, incoming := strings.CutPrefix(scope, keys.Incoming)
		hook, ok := org.Incoming(name)
		if incoming && ok && (q.hook == nil || !q.hook.Takes(q.kind)) {
			q.org, q.hook = org, hook
		}
	}
	return q.hook != nil
}
