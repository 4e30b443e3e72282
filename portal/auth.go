package portal

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/ratelimit"
	"github.com/hookswitch/hookswitch/store"
)

type keyContext struct{}

// asking returns the key of the request.
func asking(ctx context.Context) *store.Key {
	k, _ := ctx.Value(keyContext{}).(*store.Key)
	return k
}

// org returns the organization that the request is of: that of its key.
func org(ctx context.Context) string { return asking(ctx).Org }

// may says whether the key of the request has a scope.
func may(ctx context.Context, scope string) bool { return keys.Allows(asking(ctx).Scopes, scope) }

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
	limited, cancel := context.WithTimeout(ctx.Context(), p.Limits.Time)
	defer cancel()
	key, err := p.find(limited, r)
	if err != nil {
		writeProblem(w, p.translate(limited, err))
		return
	}
	left, wait := p.key.Take(key.Org+"/"+key.ID, p.Limits.PerKey)
	tell(w.Header(), "key", p.Limits.PerKey, left, wait)
	if wait > 0 {
		writeProblem(w, tooMany("key", wait))
		return
	}
	p.used(ctx.Context(), key, ratelimit.Address(r.RemoteAddr))
	for _, scope := range op.Security[0][security] {
		if !keys.Allows(key.Scopes, scope) {
			writeProblem(w, missing(scope))
			return
		}
	}
	heavy := op.Metadata[isHeavy] == true
	leave, err := p.enter(limited, key.Org, heavy)
	if err != nil {
		writeProblem(w, err)
		return
	}
	defer leave()
	if err := p.allow(w, heavy); err != nil {
		writeProblem(w, p.translate(limited, err))
		return
	}
	next(huma.WithValue(ctx, keyContext{}, key))
}

// allow lets the answer come as late as the operation may: what is done must be told.
func (p *Portal) allow(w http.ResponseWriter, heavy bool) error {
	limit := bodyTime + p.Limits.Time
	if heavy {
		limit = largeBodyTime + heavyLimit
	}
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + writing))
	if errors.Is(err, http.ErrNotSupported) { // then there is none
		return nil
	}
	return err
}

// enter takes room for a request before its body is read; what is heavy waits for its turn.
// Nothing waits for the share of its organization: it would take the room of others.
func (p *Portal) enter(ctx context.Context, org string, heavy bool) (leave func(), err error) {
	now, cancel := context.WithCancel(ctx)
	cancel()
	out := p.shares.Enter(now, org)
	if out == nil {
		return nil, later(problem(http.StatusServiceUnavailable, "there are too many requests of the organization at once"), time.Second)
	}
	if !heavy {
		return out, nil
	}
	done := p.heavy.Enter(ctx, org)
	if done == nil {
		out()
		return nil, later(problem(http.StatusServiceUnavailable, "there are too many configurations to check at once"), 10*time.Second)
	}
	return func() { done(); out() }, nil
}

// missing says which scope a key does not have.
func missing(scope string) error {
	return problem(http.StatusForbidden, "the key does not have the scope "+scope)
}

// errNoKey is the one answer for a request without a key that is good: what is wrong with
// the key is nobody's business.
var errNoKey = errors.New("no key")

// find returns the key of a request.
func (p *Portal) find(ctx context.Context, r *http.Request) (*store.Key, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, errNoKey
	}
	given, err := keys.Parse(strings.TrimSpace(token))
	if err != nil {
		return nil, errNoKey
	}
	key, err := p.Store.FindKey(ctx, given.Hash())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errNoKey
	case err != nil:
		return nil, err
	case key.Ends != nil && !p.Now().Before(*key.Ends), keys.OfIncoming(key.Scopes):
		return nil, errNoKey
	}
	return key, nil
}

// noteLimit is how long a request waits for the use of its key to be noted.
const noteLimit = time.Second

// used notes that a key was used, now and then. A use that cannot be noted is tried again
// with the next request: no request fails for it.
func (p *Portal) used(ctx context.Context, k *store.Key, from string) {
	now := p.Now()
	if !p.lastUsed.Due(k.Org, k.ID, now) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	if err := p.Store.UsedKey(ctx, k.Org, k.ID, now, from); err != nil {
		p.lastUsed.Forget(k.Org, k.ID)
	}
}
