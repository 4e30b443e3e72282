package portal_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

func TestIncomingWebhooksAreListedWithTheirPaths(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	var leads struct {
		Name, Scope string
		Paths       []string
		Fields      map[string]string
		Life        int `json:"life_ms"`
	}
	w.get("/incoming/leads", &leads)
	if leads.Scope != "incoming:leads" || len(leads.Paths) != 2 || leads.Paths[0] != "/call-data?key=KEY" || leads.Fields["leadState"] != "state" || leads.Life != 600_000 {
		t.Errorf("%+v", leads)
	}
	var page struct{ Items []struct{ Name string } }
	if w.get("/incoming", &page); len(page.Items) != 1 {
		t.Errorf("%+v", page)
	}
	w.fails(http.StatusNotFound, http.MethodGet, "/incoming/nobody", nil)
}

func TestRequestsAreShownWithWhatCameOfThem(t *testing.T) {
	w := newWorld(t)
	for i, status := range []int{200, 422, 200} {
		_, err := w.db.KeepRequest(t.Context(), "acme", store.Request{Webhook: "leads", Kind: "call-data", At: began.Add(time.Duration(i) * time.Minute), Took: 3 * time.Millisecond, From: "203.0.113.7",
			KeyID: "7Qm2XbLc", Status: status, Caller: "+15550111", Answer: []byte(`{"fields":{"state":"applied"}}`),
			Request: store.HTTP{Method: "POST", URL: "/call-data", Header: map[string]string{"Content-Type": "application/json"}, Body: []byte(`{"state":"TX"}`)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	type request struct {
		ID, Status int
		Took       int `json:"took_ms"`
		Caller     string
		Request    *struct{ Method, Body string }
		Answer     struct{ Fields map[string]string }
	}
	var page struct {
		Items []request
		Next  string
	}
	if w.get("/requests?status=422", &page); len(page.Items) != 1 || page.Items[0].Request != nil {
		t.Fatalf("%+v", page)
	}
	var one request
	w.get("/requests/"+strconv.Itoa(page.Items[0].ID), &one)
	if one.Status != 422 || one.Took != 3 || one.Request == nil || one.Request.Body != `{"state":"TX"}` || one.Answer.Fields["state"] != "applied" {
		t.Errorf("%+v", one)
	}
	if w.get("/requests?limit=2&caller=15550111", &page); len(page.Items) != 2 || page.Next == "" {
		t.Errorf("%+v", page)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodGet, "/requests?after=x", nil, "query.after")
	w.fails(http.StatusNotFound, http.MethodGet, "/requests/99", nil)
}

func TestASecretIsSetAndNeverRead(t *testing.T) {
	w := newWorld(t)
	const canary = "canary-4711"
	w.does(http.MethodPut, "/secrets/CRM", map[string]any{"value": canary}, http.StatusNoContent, nil)
	r := w.does(http.MethodGet, "/secrets", nil, http.StatusOK, nil)
	if strings.Contains(r.body, canary) || !strings.Contains(r.body, `"name":"CRM"`) {
		t.Errorf("%s", r.body)
	}
	w.does(http.MethodDelete, "/secrets/CRM", nil, http.StatusNoContent, nil)
	w.fails(http.StatusNotFound, http.MethodDelete, "/secrets/CRM", nil)
	for want, body := range map[string]any{"path.secret": map[string]any{"value": "a"}, "body.value": map[string]any{"value": ""}, "body": map[string]any{"value": []int{4711}}} {
		path := "/secrets/CRM"
		if want == "path.secret" {
			path = "/secrets/2nd"
		}
		w.fails(http.StatusUnprocessableEntity, http.MethodPut, path, body, want)
	}
	r = w.ask(http.MethodPut, "/secrets/CRM", map[string]any{"value": "a\x00" + canary})
	if r.StatusCode != http.StatusUnprocessableEntity || strings.Contains(r.body, canary) || strings.Contains(w.log.String(), canary) {
		t.Errorf("%s %s", r.Status, r.body)
	}
}

func TestTheSecretOfAnEndpointIsRotated(t *testing.T) {
	w := newWorld(t)
	w.apply("acme", filesOf("acme", "+15550100"))
	var first, second struct {
		Secret string
		Ends   *time.Time
	}
	w.does(http.MethodPost, "/endpoints/crm/secrets", map[string]any{"overlap_ms": 0}, http.StatusCreated, &first)
	w.does(http.MethodPost, "/endpoints/crm/secrets", map[string]any{"overlap_ms": 3_600_000}, http.StatusCreated, &second)
	if _, err := standard.ParseSecret(second.Secret); err != nil || first.Secret == second.Secret || second.Ends != nil {
		t.Errorf("%v %+v", err, second.Ends)
	}
	var page struct{ Items []struct{ Ends *time.Time } }
	r := w.does(http.MethodGet, "/endpoints/crm/secrets", nil, http.StatusOK, &page)
	if len(page.Items) != 2 || page.Items[1].Ends == nil || !page.Items[1].Ends.Equal(began.Add(time.Hour)) || strings.Contains(r.body, "whsec_") {
		t.Errorf("%s", r.body)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodPost, "/endpoints/crm/secrets", map[string]any{"overlap_ms": 7_776_000_001}, "body.overlap_ms")
	w.fails(http.StatusNotFound, http.MethodPost, "/endpoints/nobody/secrets", map[string]any{"overlap_ms": 0})
}
