package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// seen counts the requests by their webhook-id, and answers them.
type seen struct {
	mu  sync.Mutex
	ids map[string]int
}

func (s *seen) receive(answer receivers) receivers {
	return func(ctx context.Context, r call.Request) (call.Response, error) {
		s.mu.Lock()
		s.ids[r.Header[standard.ID]]++
		s.mu.Unlock()
		return answer(ctx, r)
	}
}

func (s *seen) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

// mortal is an outbox of which a node that has died hears nothing more.
type mortal struct {
	*outbox
	dead chan struct{}
}

func (m mortal) lives(ctx context.Context) error {
	select {
	case <-m.dead:
		<-ctx.Done()
		return ctx.Err()
	default:
		return nil
	}
}

func (m mortal) Claim(ctx context.Context, c store.Claiming) (store.Claimed, error) {
	if err := m.lives(ctx); err != nil {
		return store.Claimed{}, err
	}
	return m.outbox.Claim(ctx, c)
}

func (m mortal) Finish(ctx context.Context, a []store.Attempt) ([]int64, error) {
	if err := m.lives(ctx); err != nil {
		return nil, err
	}
	return m.outbox.Finish(ctx, a)
}

func (m mortal) Extend(ctx context.Context, node string, lease time.Duration, l []store.Lease) error {
	if err := m.lives(ctx); err != nil {
		return err
	}
	return m.outbox.Extend(ctx, node, lease, l)
}

func (m mortal) Forsake(ctx context.Context, node string) error {
	if err := m.lives(ctx); err != nil {
		return err
	}
	return m.outbox.Forsake(ctx, node)
}

// A node that dies with deliveries under way loses none: another has them within 35 s, and the
// same one, started again, at once. What was answered and not told comes twice, with the
// same id.
func TestDeath(t *testing.T) {
	for next, within := range map[string]time.Duration{"b": 35 * time.Second, "a": time.Second} {
		t.Run("then "+next, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				o, s := newOutbox(), &seen{ids: map[string]int{}}
				m := mortal{o, make(chan struct{})}
				first := New("a", m, s.receive(func(ctx context.Context, r call.Request) (call.Response, error) {
					if r.Header[standard.ID] == "msg_0" {
						return hang(ctx, r)
					}
					return call.Response{Status: 200}, nil
				}))
				first.Secrets = ask
				first.Use(named(endpoint{name: "crm"}))
				ctx, cancel := context.WithCancel(t.Context())
				over := make(chan struct{})
				go func() { first.Run(ctx); close(over) }()
				synctest.Wait()
				for i := range 50 {
					o.put(t, fmt.Sprint("msg_", i), "", "crm")
				}
				first.Wake()
				<-time.After(9 * time.Second) // a lease that was renewed just now is the longest
				first.Wake()
				synctest.Wait()
				for i := range 10 {
					o.put(t, fmt.Sprint("msg_last_", i), "", "crm")
				}
				first.Wake()
				synctest.Wait()
				close(m.dead)
				died := time.Now()
				w := run(t, o, next, s.receive(status(200)), named(endpoint{name: "crm"}))
				<-time.After(within)
				if n := o.states("crm")[store.Delivered]; n != 60 {
					t.Errorf("%d delivered %s after the death", n, time.Since(died))
				}
				for n := range int64(60) {
					if d := o.delivery(n + 1); d.State != store.Delivered {
						t.Errorf("%d: %s", n+1, d.State)
					}
				}
				if n := s.distinct(); n != 60 {
					t.Errorf("%d messages", n)
				}
				w.stop()
				cancel()
				<-over
			})
		})
	}
}

// An attempt that takes longer than a lease is made once.
func TestLeasesAreRenewed(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o, s := newOutbox(), &seen{ids: map[string]int{}}
		slow := endpoint{name: "crm", render: func(m store.Message) (call.Request, error) {
			return call.Request{Method: "POST", URL: "https://crm.example", Body: m.Body, Timeout: 10 * time.Minute}, nil
		}}
		answer := s.receive(func(context.Context, call.Request) (call.Response, error) {
			<-time.After(5 * time.Minute)
			return call.Response{Status: 200}, nil
		})
		a, b := run(t, o, "a", answer, named(slow)), run(t, o, "b", answer, named(slow))
		for i := range 2 {
			a.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(6 * time.Minute)
		a.stop()
		b.stop()
		if n := o.states("crm")[store.Delivered]; n != 2 || s.ids["msg_0"] != 1 || s.ids["msg_1"] != 1 {
			t.Errorf("%d delivered: %v", n, s.ids)
		}
		if d := o.delivery(1); len(d.Attempts) != 1 {
			t.Errorf("%d attempts", len(d.Attempts))
		}
	})
}

// While the outbox does not answer, what was sent is not forgotten, and nobody is told more
// than once.
func TestOutboxAway(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o, s := newOutbox(), &seen{ids: map[string]int{}}
		w := run(t, o, "a", s.receive(func(context.Context, call.Request) (call.Response, error) {
			<-time.After(time.Second)
			return call.Response{Status: 200}, nil
		}), named(endpoint{name: "crm"}))
		for i := range 100 {
			w.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(1500 * time.Millisecond)
		o.setDown(true)
		<-time.After(15 * time.Second)
		o.setDown(false)
		<-time.After(time.Minute)
		w.stop()
		if n := o.states("crm")[store.Delivered]; n != 100 || len(s.ids) != 100 {
			t.Errorf("%d delivered, %d messages", n, len(s.ids))
		}
		for id, n := range s.ids {
			if n != 1 {
				t.Errorf("%s was sent %d times", id, n)
			}
		}
		if len(w.problems) != 2 || !errors.Is(w.problems[0], errDown) || w.problems[1] != nil {
			t.Errorf("told %v", w.problems)
		}
	})
}

// deaf is an outbox that enters nothing until it hears.
type deaf struct {
	*outbox
	hears chan struct{}
}

func (d deaf) Finish(ctx context.Context, a []store.Attempt) ([]int64, error) {
	select {
	case <-d.hears:
		return d.outbox.Finish(ctx, a)
	default:
		return nil, errDown
	}
}

// An outbox that answers some questions and not others is told of once too.
func TestOutboxHalfAway(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := deaf{newOutbox(), make(chan struct{})}
		d := New("a", o, status(200))
		d.Secrets = ask
		d.Use(named(endpoint{name: "crm"}))
		var told []error
		d.Problem = func(err error) { told = append(told, err) }
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { d.Run(ctx); close(over) }()
		o.put(t, "msg_1", "", "crm")
		<-time.After(5 * time.Minute)
		close(o.hears)
		<-time.After(time.Minute)
		cancel()
		<-over
		if n := o.states("crm")[store.Delivered]; n != 1 || len(told) != 2 || !errors.Is(told[0], errDown) || told[1] != nil {
			t.Errorf("%d delivered, told %v", n, told)
		}
	})
}

// That the store does not say what signs is no failure of the endpoint: what is for it waits.
func TestSecretsAway(t *testing.T) {
	virtually(t, func(t *testing.T) {
		w := run(t, newOutbox(), "a", status(200), named(endpoint{name: "crm"}))
		back := make(chan struct{})
		w.Secrets = func(ctx context.Context, org, endpoint string) ([]standard.Secret, error) {
			select {
			case <-back:
				return ask(ctx, org, endpoint)
			case <-ctx.Done():
				return nil, &store.UnavailableError{Err: errDown}
			}
		}
		for i := range 3 {
			w.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(time.Minute)
		close(back)
		<-time.After(renewal + 2*lease)
		w.stop()
		for n := range int64(3) {
			if d := w.outbox.delivery(n + 1); d.State != store.Delivered || len(d.Attempts) != 1 || d.Tries != 1 {
				t.Errorf("%d: %s after %d tries, %d attempts", n+1, d.State, d.Tries, len(d.Attempts))
			}
		}
		if len(w.problems) != 2 || !errors.Is(w.problems[0], errDown) || w.problems[1] != nil {
			t.Errorf("told %v", w.problems)
		}
	})
}

// A node that is stopped finishes what is under way, as far as that takes seconds, and
// leaves the rest to the others at once.
func TestStop(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o, s := newOutbox(), &seen{ids: map[string]int{}}
		w := run(t, o, "a", s.receive(func(ctx context.Context, r call.Request) (call.Response, error) {
			if r.Header[standard.ID] == "msg_0" {
				return hang(ctx, r)
			}
			<-time.After(900 * time.Millisecond)
			return call.Response{Status: 200}, nil
		}), named(endpoint{name: "crm", atOnce: 2}))
		for i := range 20 {
			w.put(t, fmt.Sprint("msg_", i), "", "crm")
		}
		<-time.After(time.Second)
		began := time.Now()
		w.stop()
		if took := time.Since(began); took > 2*parting {
			t.Errorf("stopped after %s", took)
		}
		delivered := o.states("crm")[store.Delivered]
		if delivered < 1 || delivered != len(s.ids)-1 || delivered > 4 {
			t.Errorf("%d delivered of %d that were begun", delivered, len(s.ids))
		}
		if d := o.delivery(1); d.Tries != 0 || d.State != store.Pending {
			t.Errorf("the one that was broken off has %d tries", d.Tries)
		}
		next := run(t, o, "b", s.receive(status(200)), named(endpoint{name: "crm"}))
		<-time.After(time.Second)
		next.stop()
		if n := o.states("crm")[store.Delivered]; n != 20 {
			t.Errorf("%d delivered by the next", n)
		}
	})
}

// What is wrong before anything is sent is an attempt too, and says why.
func TestAttemptsThatSendNothing(t *testing.T) {
	virtually(t, func(t *testing.T) {
		o := newOutbox()
		w := run(t, o, "a", status(200), named(
			endpoint{name: "template", render: func(store.Message) (call.Request, error) {
				return call.Request{}, errors.New("body: no value for tags.zip")
			}},
			endpoint{name: "unsigned"}))
		w.put(t, "msg_1", "", "template", "unsigned")
		<-time.After(time.Second)
		w.stop()
		for n, want := range map[int64]string{1: "body: no value for tags.zip", 2: "signing secret: sealed with another key"} {
			d := o.delivery(n)
			if len(d.Attempts) != 1 || d.State != store.Pending || d.Attempts[0].Error != want || d.Attempts[0].Response.Status != 0 {
				t.Errorf("%s %+v", d.State, d.Attempts)
			}
		}
	})
}
