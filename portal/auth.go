package portal

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hookswitch/hookswitch/store"
)

// Scopes of keys. One that begins with IncomingScope is of a key of an incoming webhook,
// which can do nothing else.
const (
	ReadCalls     = "calls:read"
	WriteTags     = "tags:write"
	ReadConfig    = "config:read"
	WriteConfig   = "config:write"
	ReadWebhooks  = "webhooks:read"
	WriteWebhooks = "webhooks:write"
	WriteKeys     = "keys:write"
	Private       = "private" // tags of that privacy are not masked
	IncomingScope = "incoming:"
)

// Scopes says what each lets its key do.
var Scopes = []struct{ Name, About string }{
	{ReadCalls, "read calls: records, timelines, tags, export"},
	{WriteTags, "write what calls have: tags, revenue, payout, conversion"},
	{ReadConfig, "read the configuration, its revisions and what it defines"},
	{WriteConfig, "apply a configuration, and take one back"},
	{ReadWebhooks, "read how endpoints do, what was sent to them, and what came in"},
	{WriteWebhooks, "send again, test, enable and disable endpoints; set secrets"},
	{WriteKeys, "list, make and revoke keys"},
	{Private, "see the values of tags whose privacy is private"},
}

type keyContext struct{}

// asking returns the key of the request.
func asking(ctx context.Context) *store.Key {
	k, _ := ctx.Value(keyContext{}).(*store.Key)
	return k
}

// org returns the organization that the request is of: that of its key.
func org(ctx context.Context) string { return asking(ctx).Org }

// may says whether the key of the request has a scope.
func may(ctx context.Context, scope string) bool { return slices.Contains(asking(ctx).Scopes, scope) }

// security is the name of the way to authenticate, in the description.
const security = "key"

// authorize lets an operation be done by a key that may do it.
func (p *Portal) authorize(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if len(op.Security) == 0 {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	key, err := p.find(r)
	if err != nil {
		writeProblem(w, p.translate(ctx.Context(), err))
		return
	}
	left, wait := p.key.take(key.Org + "/" + key.ID)
	p.key.tell(w.Header().Set, "key", left, wait)
	if wait > 0 {
		writeProblem(w, tooMany("key", wait))
		return
	}
	p.used(ctx.Context(), key, address(r.RemoteAddr))
	for _, scope := range op.Security[0][security] {
		if !slices.Contains(key.Scopes, scope) {
			writeProblem(w, missing(scope))
			return
		}
	}
	next(huma.WithValue(ctx, keyContext{}, key))
}

// missing says which scope a key does not have.
func missing(scope string) error {
	return problem(http.StatusForbidden, "the key does not have the scope "+scope)
}

// errNoKey is the one answer for a request without a key that is good: what is wrong with
// the key is nobody's business.
var errNoKey = errors.New("no key")

// find returns the key of a request.
func (p *Portal) find(r *http.Request) (*store.Key, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, "hsk_") || len(token) > 200 {
		return nil, errNoKey
	}
	hash := sha256.Sum256([]byte(token))
	key, err := p.Keys.FindKey(r.Context(), hash[:])
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errNoKey
	case err != nil:
		return nil, err
	case key.Ends != nil && !p.Now().Before(*key.Ends):
		return nil, errNoKey
	case slices.ContainsFunc(key.Scopes, func(s string) bool { return strings.HasPrefix(s, IncomingScope) }):
		return nil, errNoKey
	}
	return key, nil
}

// noteEvery is how often a key that is used all the time is noted.
const noteEvery = time.Minute

// used notes that a key was used, now and then. One that cannot be noted is tried again
// with the next request: no request fails for it.
func (p *Portal) used(ctx context.Context, k *store.Key, from string) {
	now := p.Now()
	if !p.lastUsed.due(k.Org+"/"+k.ID, now) {
		return
	}
	if err := p.Keys.UsedKey(ctx, k.Org, k.ID, now, from); err != nil {
		p.lastUsed.forget(k.Org + "/" + k.ID)
	}
}

// noted are the keys that were noted within noteEvery.
type noted struct {
	mu sync.Mutex
	at map[string]time.Time
}

func newNoted() *noted { return &noted{at: map[string]time.Time{}} }

// due says whether a key is to be noted now.
func (n *noted) due(key string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, was := n.at[key]; was && now.Sub(last) < noteEvery {
		return false
	}
	if len(n.at) >= maxNames { // keys that exist, so this is hardly ever
		clear(n.at)
	}
	n.at[key] = now
	return true
}

func (n *noted) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.at, key)
}
