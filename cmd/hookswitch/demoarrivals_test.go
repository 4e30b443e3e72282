package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/events"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// What is sent to the demonstration is taken when its signature is right, and otherwise
// refused and shown as what it is.
func TestVerifierTakesWhatIsSigned(t *testing.T) {
	c, _ := configured(t, "organization: acme\n---\nwebhooks: {crm: {url: \"http://127.0.0.1:8098/crm\", events: [\"*\"]}}\n")
	secret := standard.NewSecret()
	var shown []arrival
	v := &verifier{current: c.current, shown: func(a arrival) { shown = append(shown, a) },
		secrets: func(_ context.Context, org, endpoint string) ([]standard.Secret, error) {
			if org+"/"+endpoint != "acme/crm" {
				t.Errorf("the secret of %s/%s is asked for", org, endpoint)
			}
			return []standard.Secret{secret}, nil
		}}
	m, err := events.Sample("acme", events.CallCompleted, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	send := func(url string, body []byte, with standard.Secret) int {
		r := httptest.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		now := time.Now()
		r.Header.Set("webhook-id", m.ID)
		r.Header.Set("webhook-timestamp", standard.Unix(now))
		r.Header.Set("webhook-signature", standard.Sign(m.ID, now, m.Body, with))
		w := httptest.NewRecorder()
		v.ServeHTTP(w, r)
		return w.Code
	}
	const crm = "http://127.0.0.1:8098/crm"
	for name, test := range map[string]struct {
		url    string
		body   []byte
		secret standard.Secret
		want   int
		fault  string // in what is shown; -: nothing is
	}{
		"signed":           {crm, m.Body, secret, http.StatusNoContent, ""},
		"changed":          {crm, bytes.Replace(m.Body, []byte("acme"), []byte("emca"), 1), secret, http.StatusUnauthorized, "signature"},
		"by somebody else": {crm, m.Body, standard.NewSecret(), http.StatusUnauthorized, "signature"},
		"another address":  {"http://127.0.0.1:8098/other", m.Body, secret, http.StatusNotFound, "-"},
	} {
		shown = nil
		if got := send(test.url, test.body, test.secret); got != test.want {
			t.Errorf("%s: answered %d", name, got)
		}
		switch {
		case test.fault == "-" && len(shown) == 0:
		case len(shown) != 1, (shown[0].fault == nil) != (test.fault == ""), test.fault != "" && !strings.Contains(shown[0].fault.Error(), test.fault):
			t.Errorf("%s: shown %+v", name, shown)
		}
	}
	want := []store.Delivery{{Endpoint: "crm", Message: m}}
	have, err := v.until(t.Context(), m.Call, want)
	if err != nil || len(have) != 1 || have[0].Type != events.CallCompleted {
		t.Errorf("arrived %+v, %v", have, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.until(over, "another call", want); err == nil {
		t.Error("what has not arrived is not missed")
	}
	if _, err := v.until(over, m.Call, append(want, store.Delivery{Endpoint: "sheet", Message: m})); err == nil {
		t.Error("what has not arrived at another endpoint is not missed")
	}
}

// A call has arrived when all of it has, verified, in its order; again does no harm.
func TestCheckArrivals(t *testing.T) {
	came := func(typ, id string, sequence int64) arrival {
		return arrival{Body: events.Body{Type: typ, Data: events.Data{ID: id, Sequence: sequence}}, endpoint: "crm"}
	}
	a, b := came("call.started", "m1", 1), came("call.ended", "m2", 2)
	elsewhere := came("call.started", "m1", 1)
	elsewhere.endpoint = "sheet"
	forged := arrival{fault: standard.ErrSignature}
	want := []store.Delivery{{Endpoint: "crm", Message: store.Message{ID: "m1", Type: "call.started"}}, {Endpoint: "crm", Message: store.Message{ID: "m2", Type: "call.ended"}}}
	for name, test := range map[string]struct {
		have []arrival
		says string
	}{
		"all":           {[]arrival{a, b}, ""},
		"again":         {[]arrival{a, b, a}, ""},
		"two endpoints": {[]arrival{a, b, elsewhere}, ""},
		"one missing":   {[]arrival{a}, "call.ended has not arrived at crm"},
		"elsewhere":     {[]arrival{elsewhere, b}, "call.started has not arrived at crm"},
		"out of order":  {[]arrival{b, a}, "call.started arrived after what came later in the call"},
		"not verified":  {[]arrival{a, forged, b}, "an event was not verified"},
	} {
		err := checkArrivals(test.have, want)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
