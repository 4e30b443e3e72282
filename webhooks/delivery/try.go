package delivery

import (
	"context"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Try sends a message to an endpoint once, as Run would, but beside the outbox: nothing is
// entered, and nothing follows from it. It needs Client and Secrets alone. A
// *store.UnavailableError says that it was not sent.
func (d *Deliverer) Try(ctx context.Context, e Endpoint, endpoint string, m store.Message) (store.Attempt, error) {
	a, _, err := d.attempt(ctx, &hold{
		Delivery: store.Delivery{Lease: store.Lease{Org: m.Org}, Endpoint: endpoint, Message: m},
		lane:     &lane{name: store.LaneName{Org: m.Org, Endpoint: endpoint}},
		began:    time.Now(), endpoint: e,
	})
	return a, err
}
