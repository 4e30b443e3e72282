package portal_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// delivery is one as the API shows it.
type delivery struct {
	ID       int
	Endpoint string
	State    string
	Status   int
	Due      *time.Time
	Resent   bool
	Message  struct {
		ID, Type, Call string
		Body           map[string]any
	}
	Attempts []struct {
		Try               int
		Took              int `json:"took_ms"`
		Request, Response struct {
			Method, Body string
			Status       int
		}
	}
}

// told is a world in which acme's crm and broken were told of a call: the first answered,
// the other did not.
func told(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	w.send("msg_1", "crm", "broken")
	w.attempt("crm", store.Attempt{State: store.Delivered, Response: store.HTTP{Status: 204}})
	w.attempt("broken", store.Attempt{State: store.Pending, Due: began.AddDate(1, 0, 0), Response: store.HTTP{Status: 503, Body: []byte{0xff, 'n', 'o'}}})
	return w
}

// send makes deliveries of a message about the call of acme.
func (w *world) send(id string, to ...string) {
	w.Helper()
	err := w.db.Send(w.Context(), store.Message{Org: "acme", ID: id, Call: callOfAcme, Type: "call.ended", Time: began, Body: []byte(`{"type":"call.ended"}`), To: to})
	if err != nil {
		w.Fatal(err)
	}
}

// attempt enters an attempt to deliver what is due to an endpoint.
func (w *world) attempt(endpoint string, a store.Attempt) {
	w.Helper()
	got, err := w.db.Claim(w.Context(), store.Claiming{Node: "n1", Lease: time.Hour, Lanes: map[store.LaneName]int{{Org: "acme", Endpoint: endpoint}: 1}, Limit: 1})
	if err != nil || len(got.Deliveries) != 1 {
		w.Fatalf("%+v %v", got, err)
	}
	a.Lease, a.Org, a.Endpoint, a.Try, a.Node, a.At, a.Took = got.Deliveries[0].Lease, "acme", endpoint, 1, "n1", began, 30*time.Millisecond
	a.Request = store.HTTP{Method: "POST", URL: "https://" + endpoint + ".example/hook"}
	if stale, err := w.db.Finish(w.Context(), []store.Attempt{a}); err != nil || len(stale) > 0 {
		w.Fatal(stale, err)
	}
}

func (w *world) deliveries(query string) []delivery {
	w.Helper()
	var page struct{ Items []delivery }
	w.get("/deliveries"+query, &page)
	return page.Items
}

func TestDeliveriesAreFoundAndShown(t *testing.T) {
	w := told(t)
	for query, want := range map[string]int{
		"": 2, "?endpoint=crm": 1, "?state=pending": 1, "?status=503": 1, "?status=500": 0, "?type=call.ended": 2, "?type=call.failed": 0,
		"?call=" + callOfAcme: 2, "?call=other": 0, "?limit=1": 1,
	} {
		if found := w.deliveries(query); len(found) != want {
			t.Errorf("%q: %+v", query, found)
		}
	}
	found := w.deliveries("?endpoint=broken")[0]
	if found.State != "pending" || found.Due == nil || found.Status != 503 || found.Attempts != nil || found.Message.Body != nil {
		t.Errorf("%+v", found)
	}
	var one delivery
	r := w.does(http.MethodGet, "/deliveries/"+strconv.Itoa(found.ID), nil, http.StatusOK, &one)
	if len(one.Attempts) != 1 || one.Attempts[0].Took != 30 || one.Attempts[0].Request.Method != "POST" || one.Attempts[0].Response.Status != 503 || one.Message.Body["type"] != "call.ended" {
		t.Errorf("%+v", one)
	}
	if !strings.Contains(r.body, `"body_base64":"/25v"`) {
		t.Errorf("a body that is not text: %s", r.body)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/deliveries/99", nil)
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/deliveries?state=gone", nil, "query.state")
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/deliveries?after=x", nil, "query.after")
}

func TestDeliveriesAreSentAgain(t *testing.T) {
	w := told(t)
	id := strconv.Itoa(w.deliveries("?endpoint=crm")[0].ID)
	resend := func(path string, body any, want int) {
		t.Helper()
		var r struct{ Deliveries int }
		if w.does(http.MethodPost, path, body, http.StatusAccepted, &r); r.Deliveries != want {
			t.Errorf("%s %v: %d deliveries", path, body, r.Deliveries)
		}
	}
	resend("/deliveries/"+id+"/resend", map[string]any{}, 1)
	if again := w.deliveries("?endpoint=crm&state=pending"); len(again) != 1 || !again[0].Resent || again[0].Message.ID != "msg_1" {
		t.Errorf("%+v", again)
	}
	resend("/deliveries/"+id+"/resend", map[string]any{"to_endpoint": "spare"}, 1)
	if spare := w.deliveries("?endpoint=spare"); len(spare) != 1 || spare[0].Message.ID != "msg_1" {
		t.Errorf("%+v", spare)
	}
	resend("/deliveries/resend", map[string]any{"call": callOfAcme, "endpoint": "nobody"}, 0)
	w.attempt("spare", store.Attempt{State: store.Delivered, Response: store.HTTP{Status: 200}})
	resend("/deliveries/resend", map[string]any{"from": began, "to": began.Add(time.Second), "endpoint": "crm", "to_endpoint": "spare"}, 1)
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/deliveries/resend", map[string]any{"endpoint": "crm"}, "body.call")
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/deliveries/resend", map[string]any{"from": began, "to": began}, "body.to")
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/deliveries/resend", map[string]any{"call": callOfAcme, "to_endpoint": "nobody"}, "body.to_endpoint")
	w.fails(http.StatusNotFound, http.MethodPost, "/deliveries/99/resend", map[string]any{})
}

// endpoint is one as the API shows it.
type endpoint struct {
	Name, Method, URL, Filter, Why string
	Enabled, Defined               bool
	Events                         []string
	Pending                        int
	Failing, Disabled              *time.Time
}

func TestEndpointsAreShownWithHowTheyDo(t *testing.T) {
	w := told(t)
	w.send("msg_2", "removed")
	var page struct{ Items []endpoint }
	w.get("/endpoints", &page)
	names := []string{}
	for _, e := range page.Items {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, []string{"broken", "crm", "spare", "removed"}) {
		t.Fatalf("%v", names)
	}
	broken, crm, spare, removed := page.Items[0], page.Items[1], page.Items[2], page.Items[3]
	if broken.Pending != 1 || broken.Failing == nil || broken.Disabled != nil || crm.Pending != 0 || crm.Failing != nil {
		t.Errorf("%+v\n%+v", broken, crm)
	}
	if crm.URL != "https://crm.example/hook" || crm.Method != "POST" || crm.Filter != `tags.state == "TX"` || !crm.Enabled || !crm.Defined || len(crm.Events) != 1 {
		t.Errorf("%+v", crm)
	}
	if spare.Enabled || !spare.Defined || removed.Defined || removed.Pending != 1 {
		t.Errorf("%+v\n%+v", spare, removed)
	}
}

func TestAnEndpointIsDisabledAndEnabled(t *testing.T) {
	w := told(t)
	var e endpoint
	w.does(http.MethodPost, "/endpoints/broken/disable", nil, http.StatusNoContent, nil)
	if w.get("/endpoints/broken", &e); e.Disabled == nil || !strings.HasPrefix(e.Why, "by key of acme (key ") {
		t.Errorf("%+v", e)
	}
	w.does(http.MethodPost, "/endpoints/broken/enable", nil, http.StatusNoContent, nil)
	e = endpoint{}
	if w.get("/endpoints/broken", &e); e.Disabled != nil || e.Failing != nil || e.Pending != 1 {
		t.Errorf("%+v", e)
	}
	for _, what := range []string{"enable", "disable"} {
		w.fails(http.StatusNotFound, http.MethodPost, "/endpoints/nobody/"+what, nil)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/endpoints/nobody", nil)
}

func TestASampleIsSent(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	for _, event := range []string{"call.converted", "endpoint.disabled", "lead.qualified"} {
		var sent struct{ Message string }
		w.does(http.MethodPost, "/endpoints/spare/test", map[string]any{"event": event}, http.StatusAccepted, &sent)
		w.now = w.now.Add(time.Second)
		found := w.deliveries("?endpoint=spare&type=" + event)
		if len(found) != 1 || found[0].Message.ID != sent.Message {
			t.Fatalf("%s: %+v", event, found)
		}
		var one delivery
		w.get("/deliveries/"+strconv.Itoa(found[0].ID), &one)
		if data, _ := one.Message.Body["data"].(map[string]any); data["sample"] != true {
			t.Errorf("%s: %v", event, one.Message.Body)
		}
	}
	for name, said := range map[string]string{"call.endet": "call.ended", "Lead qualified": "lead.qualified"} {
		w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/endpoints/spare/test", map[string]any{"event": name}, "body.event", said)
	}
	w.fails(http.StatusNotFound, http.MethodPost, "/endpoints/nobody/test", map[string]any{"event": "call.ended"})
}
