package delivery

import (
	"context"
	"net/http"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

func TestAMessageIsTriedOnceBesideTheOutbox(t *testing.T) {
	m := store.Message{Org: org, ID: "msg_1", Type: "call.ended", Body: []byte(`{}`)}
	for _, of := range []struct {
		endpoint string
		answer   int
		state    store.DeliveryState
		why      string
	}{
		{"crm", 204, store.Delivered, ""},
		{"crm", 410, store.Pending, ""},
		{"unsigned", 204, store.Pending, "signing secret: sealed with another key"},
	} {
		asked := 0
		d := New("n1", nil, receivers(func(_ context.Context, r call.Request) (call.Response, error) {
			asked++
			header := http.Header{}
			for name, value := range r.Header {
				header.Set(name, value)
			}
			if id := header.Get(standard.ID); id != m.ID {
				t.Errorf("id %s", id)
			}
			return call.Response{Status: of.answer}, nil
		}))
		d.Secrets = ask
		a, err := d.Try(t.Context(), endpoint{name: of.endpoint}, of.endpoint, m)
		if err != nil || a.State != of.state || a.Error != of.why || of.why == "" && (a.Response.Status != of.answer || asked != 1) {
			t.Errorf("%s: %+v, asked %d times (%v)", of.endpoint, a, asked, err)
		}
	}
}
