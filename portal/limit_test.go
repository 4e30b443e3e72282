package portal_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

func TestRequestsAreCountedByKey(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.PerKey = 3 })
	for left := 2; left >= 0; left-- {
		r := w.does(http.MethodGet, "/whoami", nil, http.StatusOK, nil)
		if got := r.Header.Get("RateLimit"); got != `"key";r=`+string(rune('0'+left))+`;t=0` {
			t.Errorf("with %d left: %s", left, got)
		}
	}
	r := w.does(http.MethodGet, "/whoami", nil, http.StatusTooManyRequests, nil)
	if r.Header.Get("Retry-After") != "20" || r.Header.Get("RateLimit-Policy") != `"key";q=3;w=60` || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%v", r.Header)
	}
	first := w.key
	w.key = w.newKey("beta")
	w.get("/whoami", nil)
	w.key, w.now = first, w.now.Add(20*time.Second)
	w.get("/whoami", nil)
	w.fails(http.StatusTooManyRequests, http.MethodGet, "/whoami", nil)
}

// Whoever tries keys is slowed down before any is looked up.
func TestRequestsAreCountedByAddress(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.PerAddress = 2 })
	w.key = keys.New().Reveal()
	w.fails(http.StatusUnauthorized, http.MethodGet, "/whoami", nil)
	w.fails(http.StatusUnauthorized, http.MethodGet, "/whoami", nil)
	r := w.does(http.MethodGet, "/whoami", nil, http.StatusTooManyRequests, nil)
	if r.Header.Get("Retry-After") != "30" || !strings.Contains(r.body, "address") {
		t.Errorf("%v %s", r.Header, r.body)
	}
}

// Who has a whole network of IPv6 has no more than who has an address of IPv4.
func TestANetworkCountsAsOneAddress(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		want          int
	}{
		"one address":                  {"203.0.113.7:1000", "203.0.113.7:2000", http.StatusTooManyRequests},
		"the same as IPv6":             {"203.0.113.7:1000", "[::ffff:203.0.113.7]:1000", http.StatusTooManyRequests},
		"one network of IPv6":          {"[2001:db8:0:1::1]:1000", "[2001:db8:0:1:ffff::2]:1000", http.StatusTooManyRequests},
		"another network of IPv6":      {"[2001:db8:0:1::1]:1000", "[2001:db8:0:2::1]:1000", http.StatusOK},
		"another address of a network": {"203.0.113.7:1000", "203.0.113.8:1000", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *portal.Options) { o.Limits.PerAddress = 1 })
			status := func(from string) int {
				r := httptest.NewRequest(http.MethodGet, portal.Base+"/health", nil)
				r.RemoteAddr = from
				answer := httptest.NewRecorder()
				w.ServeHTTP(answer, r)
				return answer.Code
			}
			if first, second := status(c.first), status(c.second); first != http.StatusOK || second != c.want {
				t.Errorf("%d, then %d", first, second)
			}
		})
	}
}

// A store that hangs costs a request its time, and no more.
func TestARequestHasItsTime(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) {
		o.Limits.Time = time.Millisecond
		o.Store = hanging{o.Store}
	})
	r := w.ask(http.MethodGet, "/whoami", nil)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || w.log.Len() > 0 {
		t.Errorf("%s %s %s", r.Status, r.body, w.log.String())
	}
}

// hanging is a store that finds no key as long as it may look.
type hanging struct{ store.Store }

func (hanging) FindKey(ctx context.Context, _ []byte) (*store.Key, error) {
	<-ctx.Done()
	return nil, errors.New("interrupted")
}

func TestThereIsRoomForSoManyRequests(t *testing.T) {
	held, let := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(o *portal.Options) {
		o.Limits.AtOnce = 1
		o.Store = &slow{o.Store, held, let}
	})
	done := make(chan response)
	go func() { done <- w.ask(http.MethodGet, "/whoami", nil) }()
	<-held
	r := w.ask(http.MethodGet, "/health", nil)
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", r.Status, r.body)
	}
	close(let)
	if r := <-done; r.StatusCode != http.StatusOK {
		t.Errorf("the first: %s", r.Status)
	}
	w.get("/health", nil)
}

// slow are keys that are looked up only when they are let.
type slow struct {
	store.Store
	held, let chan struct{}
}

func (s *slow) FindKey(ctx context.Context, hash []byte) (*store.Key, error) {
	s.held <- struct{}{}
	<-s.let
	return s.Store.FindKey(ctx, hash)
}

// What is heavy has its turn before its body is read, and an organization has its share of
// what there is at once.
func TestHeavyRequestsTakeTurns(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.Heavy = 2 })
	send := func(key string, body io.Reader) chan int {
		done := make(chan int, 1)
		r := httptest.NewRequest(http.MethodPost, portal.Base+"/config/validate", body)
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		go func() {
			answer := httptest.NewRecorder()
			w.Portal.ServeHTTP(answer, r)
			done <- answer.Code
		}()
		return done
	}
	acme, beta := w.newKey("acme", keys.ReadConfig), w.newKey("beta", keys.ReadConfig)
	text := `{"files": {"f.yaml": "organization: acme\n---\nflow: f\nstart: a\nnodes: {a: {hangup: {}}}\n"}}`
	slowly, rest := io.Pipe()
	first := send(acme, slowly)
	if _, err := io.WriteString(rest, text[:1]); err != nil { // it is read: it has its turn
		t.Fatal(err)
	}
	read := make(chan struct{})
	second := send(acme, io.MultiReader(signal{read}, strings.NewReader(text)))
	if code := <-send(beta, strings.NewReader(text)); code != http.StatusOK && code != http.StatusUnprocessableEntity {
		t.Errorf("another organization was answered %d", code)
	}
	select {
	case <-read:
		t.Error("the second of an organization was read before its turn")
	default:
	}
	if _, err := io.WriteString(rest, text[1:]); err != nil {
		t.Fatal(err)
	}
	rest.Close()
	for _, done := range []chan int{first, second} {
		if code := <-done; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
	}
	<-read
}

// signal is an empty text that says when it is read.
type signal struct{ read chan struct{} }

func (s signal) Read([]byte) (int, error) {
	close(s.read)
	return 0, io.EOF
}

// An organization that has its half is refused at once: its requests take no room to wait in.
func TestAnOrganizationHasHalfOfTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *portal.Options) { o.Limits.AtOnce = 2 })
		w.server.Close() // time stands still while it listens
		ask := func(key, path string, body io.Reader) int {
			r := httptest.NewRequest(http.MethodPost, portal.Base+path, body)
			r.Header.Set("Authorization", "Bearer "+key)
			answer := httptest.NewRecorder()
			w.ServeHTTP(answer, r)
			return answer.Code
		}
		acme, beta := w.newKey("acme", keys.ReadConfig), w.newKey("beta", keys.ReadConfig)
		slowly, rest := io.Pipe()
		done := make(chan int)
		go func() { done <- ask(acme, "/config/validate", slowly) }()
		if _, err := io.WriteString(rest, "{"); err != nil { // it is read: it is inside
			t.Fatal(err)
		}
		before := time.Now()
		if code := ask(acme, "/config/validate", strings.NewReader("{}")); code != http.StatusServiceUnavailable || time.Now() != before {
			t.Errorf("the second of acme: %d, after %v", code, time.Since(before))
		}
		if code := ask(beta, "/config/validate", strings.NewReader("{}")); code != http.StatusUnprocessableEntity {
			t.Errorf("of beta: %d", code)
		}
		rest.Close()
		<-done
	})
}

// What exports take is not what is needed to change the configuration.
func TestExportsHoldUpNoConfiguration(t *testing.T) {
	w := newWorld(t, func(o *portal.Options) { o.Limits.Exports, o.Limits.Heavy = 1, 1 })
	w.has("acme", callOfAcme, talk("+15550111")...)
	out := &slowAnswer{ResponseRecorder: httptest.NewRecorder(), asked: make(chan struct{}), more: make(chan struct{})}
	r := httptest.NewRequest(http.MethodGet, portal.Base+"/export/calls", nil)
	r.Header.Set("Authorization", "Bearer "+w.key)
	done := make(chan struct{})
	go func() { defer close(done); w.ServeHTTP(out, r) }()
	<-out.asked
	w.apply("acme", filesOf("acme", "+15550100"))
	close(out.more)
	<-done
}

// slowAnswer is an answer whose body is taken only when it is let.
type slowAnswer struct {
	*httptest.ResponseRecorder
	asked, more chan struct{}
	once        sync.Once
}

func (*slowAnswer) SetWriteDeadline(time.Time) error { return nil }

func (a *slowAnswer) Write(b []byte) (int, error) {
	a.once.Do(func() { close(a.asked) })
	<-a.more
	return a.ResponseRecorder.Write(b)
}

// An answer has its time from when it can be given, however long the request took.
func TestAnAnswerHasItsTime(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewUnstartedServer(w.Portal)
	server.Config.WriteTimeout = time.Nanosecond // over before anything is done
	server.Start()
	t.Cleanup(server.Close)
	w.server = server
	w.apply("acme", filesOf("acme", "+15550100"))
	w.get("/config", nil)
}
