package availability_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
)

// question is one to a URL that says what becomes of it.
func question(url string, limit time.Duration) availability.Question {
	return availability.Question{Request: call.Request{Method: "GET", URL: url, Timeout: limit}}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		path   string
		status int
		body   string
		want   string
	}{
		{"", 200, "3", "yes 3 in 42 ms"},
		{"", 200, " 0.5\r\n", "yes 0.5 in 42 ms"},
		{"", 204, "1e3", "yes 1e3 in 42 ms"},
		{"", 200, "0", "no 0 in 42 ms"},
		{"", 200, "-1", "no -1 in 42 ms"},
		{"", 200, "", "no, the answer is no number in 42 ms"},
		{"", 200, "yes", "no, the answer is no number in 42 ms"},
		{"", 200, "Inf", "no, the answer is no number in 42 ms"},
		{"", 200, "NaN", "no, the answer is no number in 42 ms"},
		{"", 200, `{"free": 3}`, "no, the answer is no number in 42 ms"},
		{"", 200, "1" + strings.Repeat("0", 100), "no, the answer is no number in 42 ms"},
		{"", 200, "1" + strings.Repeat(" ", 100), "yes 1 in 42 ms"},
		{"", 500, "3", "no, HTTP 500 in 42 ms"},
		{"", 302, "3", "no, HTTP 302 in 42 ms"},
		{"free", 200, `{"free": 3}`, "yes 3 in 42 ms"},
		{"agents.free", 200, `{"agents": {"free": 0}}`, "no 0 in 42 ms"},
		{"queues.1.free", 200, `{"queues": [{"free": 0}, {"free": 7}]}`, "yes 7 in 42 ms"},
		{"queues.2.free", 200, `{"queues": [{"free": 1}]}`, "no, the answer has no queues.2.free in 42 ms"},
		{"queues.-1", 200, `{"queues": [1]}`, "no, the answer has no queues.-1 in 42 ms"},
		{"agents.free", 200, `{"agents": 3}`, "no, the answer has no agents.free in 42 ms"},
		{"free", 200, `{"free": "3"}`, "no, the answer has no number at free in 42 ms"},
		{"free", 200, `{"free": true}`, "no, the answer has no number at free in 42 ms"},
		{"free", 200, `{"busy": 3}`, "no, the answer has no number at free in 42 ms"},
		{"free", 200, `{"free": 3} {}`, "no, the answer is no JSON in 42 ms"},
		{"free", 200, `3`, "no, the answer has no free in 42 ms"},
		{"free", 200, `{"free": 1` + strings.Repeat("0", 100) + `}`, "no, the answer is no number in 42 ms"},
	} {
		q := question("", time.Second)
		q.Path = c.path
		got := availability.New(1).Check(t.Context(), []availability.Question{q}, func(context.Context, call.Request) (call.Response, error) {
			return call.Response{Status: c.status, Body: []byte(c.body), Took: 42 * time.Millisecond}, nil
		})
		if got[0].String() != c.want {
			t.Errorf("%d %.40s at %q: %q, want %q", c.status, c.body, c.path, got[0], c.want)
		}
	}
}

func TestWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("GET crm.example: connection refused"), "no, GET crm.example: connection refused in 5 ms"},
		{fmt.Errorf("GET: %w", context.DeadlineExceeded), "no, no answer in 1000 ms"},
		{fmt.Errorf("simulated: %w", availability.ErrNotAsked), "yes, simulated: not asked"},
	} {
		got := availability.New(1).Check(t.Context(), []availability.Question{question("", time.Second)}, func(context.Context, call.Request) (call.Response, error) {
			return call.Response{Took: 5 * time.Millisecond}, c.err
		})
		if got[0].String() != c.want {
			t.Errorf("%v: %q, want %q", c.err, got[0], c.want)
		}
	}
}

// Fifty that never return hold nobody up, and each has the time that is its own.
func TestNobodyWaitsLongerThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		ask := func(ctx context.Context, r call.Request) (call.Response, error) {
			switch r.URL {
			case "hangs":
				<-over // whatever the context says
			case "slow":
				<-time.After(600 * time.Millisecond)
			case "quick":
				<-time.After(200 * time.Millisecond)
			}
			return call.Response{Status: 200, Body: []byte("1")}, nil
		}
		var questions []availability.Question
		for range 450 {
			questions = append(questions, question("quick", time.Second))
		}
		for range 49 {
			questions = append(questions, question("hangs", 900*time.Millisecond))
		}
		questions = append(questions, question("slow", 500*time.Millisecond))
		began := time.Now()
		answers := availability.New(500).Check(t.Context(), questions, ask)
		if took := time.Since(began); took != time.Second {
			t.Errorf("the answers took %s", took)
		}
		for i, a := range answers {
			want := map[string]string{"quick": "yes 1 in 200 ms", "hangs": "no, no answer in 900 ms", "slow": "no, no answer in 500 ms"}[questions[i].Request.URL]
			if a.String() != want {
				t.Errorf("%s: %q, want %q", questions[i].Request.URL, a, want)
			}
		}
		close(over)
	})
}

func TestAnswersComeWhenAllAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		availability.New(10).Check(t.Context(), []availability.Question{question("", time.Minute), question("", time.Second)}, func(context.Context, call.Request) (call.Response, error) {
			<-time.After(10 * time.Millisecond)
			return call.Response{Status: 200, Body: []byte("1")}, nil
		})
		if took := time.Since(began); took != 10*time.Millisecond {
			t.Errorf("the answers took %s", took)
		}
	})
}

// No more than so many are asked at once, over all calls; for whom there is no place in
// time, the answer is no.
func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at, most atomic.Int64
		ask := func(ctx context.Context, r call.Request) (call.Response, error) {
			now := at.Add(1)
			defer at.Add(-1)
			for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
			}
			<-time.After(400 * time.Millisecond)
			return call.Response{Status: 200, Body: []byte("1")}, nil
		}
		questions := make([]availability.Question, 9)
		for i := range questions {
			questions[i] = question("", time.Second)
		}
		answers := availability.New(3).Check(t.Context(), questions, ask)
		yes, tooMany := 0, 0
		for _, a := range answers {
			switch a.String() {
			case "yes 1 in 400 ms":
				yes++
			case "no, no answer in 1000 ms":
				tooMany++
			}
		}
		if most.Load() != 3 || yes != 6 || tooMany != 3 {
			t.Errorf("%d at once, %d yes, %d cut off", most.Load(), yes, tooMany)
		}
		stuck := availability.New(1)
		over := make(chan struct{})
		never := func(context.Context, call.Request) (call.Response, error) {
			<-over
			return call.Response{}, nil
		}
		stuck.Check(t.Context(), questions[:1], never)
		if got := stuck.Check(t.Context(), questions[:1], ask)[0].String(); got != "no, not asked: too many questions are under way" {
			t.Errorf("behind one that hangs: %q", got)
		}
		close(over)
	})
}

func TestTheEndOfTheCallEndsTheQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		availability.New(10).Check(ctx, []availability.Question{question("", time.Minute)}, func(ctx context.Context, _ call.Request) (call.Response, error) {
			<-ctx.Done()
			return call.Response{}, ctx.Err()
		})
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}

func TestNothingIsAskedOfNobody(t *testing.T) {
	if got := availability.New(1).Check(t.Context(), nil, nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
