package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// RunRequests tests that an engine keeps requests. open returns an empty store.
func RunRequests(t *testing.T, open func(t *testing.T) store.Requests) {
	for name, test := range map[string]func(*testing.T, store.Requests){
		"a request comes back as it was":                       requestKept,
		"a request without anything is kept":                   emptyRequest,
		"hostile requests are kept":                            hostileRequest,
		"requests are found by every field":                    requestsFound,
		"pages come to the end, also of what came together":    requestPages,
		"a query for requests that cannot be meant is refused": requestQueriesRefused,
		"old requests are removed":                             requestsPruned,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func keepRequest(t *testing.T, s store.Requests, org string, r store.Request) int64 {
	t.Helper()
	n, err := s.KeepRequest(t.Context(), org, r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// requestNumbers lists what a query of acme finds.
func requestNumbers(t *testing.T, s store.Requests, q store.RequestQuery) (numbers []int64) {
	t.Helper()
	page, err := s.Requests(t.Context(), "acme", q)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Requests {
		numbers = append(numbers, r.N)
	}
	return numbers
}

func requestKept(t *testing.T, s store.Requests) {
	want := requestOf(began)
	want.Repeated, want.Request.Cut = true, true
	want.Request.Body = []byte("\x00\xff{")
	want.N = keepRequest(t, s, "acme", want)
	got, err := s.Request(t.Context(), "acme", want.N)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("%v: got %+v, want %+v", err, got, want)
	}
	page, err := s.Requests(t.Context(), "acme", store.RequestQuery{})
	want.Request.Header, want.Request.Body, want.Request.Cut = nil, nil, false
	if err != nil || len(page.Requests) != 1 || !reflect.DeepEqual(page.Requests[0], want) {
		t.Errorf("%v: listed %+v, want %+v", err, page.Requests, want)
	}
	for _, of := range []struct {
		org string
		n   int64
	}{{"acme", want.N + 1}, {"beta", want.N}} {
		if r, err := s.Request(t.Context(), of.org, of.n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v: %v %v", of, r, err)
		}
	}
}

func emptyRequest(t *testing.T, s store.Requests) {
	n := keepRequest(t, s, "acme", store.Request{At: began})
	got, err := s.Request(t.Context(), "acme", n)
	if err != nil || len(got.Answer) > 0 || len(got.Request.Body) > 0 || len(got.Request.Header) > 0 {
		t.Errorf("%+v %v", got, err)
	}
}

func hostileRequest(t *testing.T, s store.Requests) {
	const bad = "a\x00b\xffc"
	r := requestOf(began)
	r.Webhook, r.Kind, r.From, r.KeyID, r.Call, r.Caller = bad, bad, bad, bad, bad, bad
	r.Request = store.HTTP{Method: bad, URL: bad, Header: map[string]string{bad: bad}, Body: []byte(bad)}
	r.Answer = []byte(`"\u0000"`)
	n := keepRequest(t, s, "acme", r)
	got, err := s.Request(t.Context(), "acme", n)
	if err != nil || string(got.Request.Body) != bad || got.Caller != "a\ufffdb\ufffdc" || string(got.Answer) != `"\u0000"` {
		t.Errorf("%+v %v", got, err)
	}
	for field, q := range map[string]store.RequestQuery{"call": {Call: bad}, "caller": {Caller: bad}, "webhook": {Webhook: bad}} {
		if found := requestNumbers(t, s, q); !slices.Equal(found, []int64{n}) {
			t.Errorf("found by %s: %v", field, found)
		}
	}
}

func requestsFound(t *testing.T, s store.Requests) {
	var all []int64
	for i := range 4 {
		r := requestOf(began.Add(time.Duration(i) * time.Hour))
		r.Call = fmt.Sprint("c", i/2)
		r.Caller = []string{"+15550100", "15550100", "+15550101", ""}[i]
		r.Webhook = []string{"leads", "sales"}[i%2]
		r.Status = 200 + i/3*222
		all = append(all, keepRequest(t, s, "acme", r))
		keepRequest(t, s, "beta", r)
	}
	at := func(hours int) time.Time { return began.Add(time.Duration(hours) * time.Hour) }
	for _, of := range []struct {
		q    store.RequestQuery
		want []int // the newest first
	}{
		{store.RequestQuery{}, []int{3, 2, 1, 0}},
		{store.RequestQuery{Call: "c0"}, []int{1, 0}},
		{store.RequestQuery{Call: "c"}, nil},
		{store.RequestQuery{Caller: "15550100"}, []int{1, 0}},
		{store.RequestQuery{Caller: "+15550101"}, []int{2}},
		{store.RequestQuery{Webhook: "sales"}, []int{3, 1}},
		{store.RequestQuery{Status: 422}, []int{3}},
		{store.RequestQuery{From: at(1), To: at(3)}, []int{2, 1}},
		{store.RequestQuery{Call: "c1", Webhook: "leads", Status: 200, Caller: "+15550101", From: at(2), To: at(3)}, []int{2}},
		{store.RequestQuery{Call: "c1", Webhook: "sales", Caller: "+15550101"}, nil},
	} {
		var want []int64
		for _, i := range of.want {
			want = append(want, all[i])
		}
		if got := requestNumbers(t, s, of.q); !slices.Equal(got, want) {
			t.Errorf("%+v: found %v, want %v", of.q, got, want)
		}
	}
}

func requestPages(t *testing.T, s store.Requests) {
	var want []int64
	for i := range 7 {
		want = append(want, keepRequest(t, s, "acme", requestOf(began.Add(time.Duration(i/3)*time.Second))))
	}
	slices.Reverse(want)
	var got []int64
	for q := (store.RequestQuery{Limit: 2, Caller: "15550100"}); ; {
		page, err := s.Requests(t.Context(), "acme", q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Requests {
			got = append(got, r.N)
		}
		if q.After = page.Next; page.Next == "" {
			break
		}
		keepRequest(t, s, "acme", requestOf(began.Add(time.Hour))) // what comes meanwhile shifts nothing
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages of %v, want %v", got, want)
	}
}

func requestQueriesRefused(t *testing.T, s store.Requests) {
	for _, of := range []struct {
		q    store.RequestQuery
		want string
	}{
		{store.RequestQuery{Limit: -1}, "limit: -1 is not between 1 and 1000"},
		{store.RequestQuery{Limit: 1001}, "limit: 1001 is not between 1 and 1000"},
		{store.RequestQuery{After: "x"}, `after: "x" is not the next of a page`},
	} {
		_, err := s.Requests(t.Context(), "acme", of.q)
		if wrong := (*store.QueryError)(nil); !errors.As(err, &wrong) || err.Error() != of.want {
			t.Errorf("%+v: %v, want %s", of.q, err, of.want)
		}
	}
}

func requestsPruned(t *testing.T, s store.Requests) {
	keepRequest(t, s, "acme", requestOf(began))
	keepRequest(t, s, "beta", requestOf(began))
	young := keepRequest(t, s, "acme", requestOf(began.Add(time.Second)))
	for range 2 {
		if err := s.PruneRequests(t.Context(), began.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := requestNumbers(t, s, store.RequestQuery{}); !slices.Equal(got, []int64{young}) {
			t.Errorf("left are %v, want %v", got, young)
		}
	}
	if page, err := s.Requests(t.Context(), "beta", store.RequestQuery{}); err != nil || len(page.Requests) > 0 {
		t.Errorf("left are %v %v", page.Requests, err)
	}
}
