package main

import "github.com/hookswitch/hookswitch/webhooks"

// newRequests returns the client that makes the requests of flows. Where it may go
// is the operator's; the ports by which this server and the switches are
// controlled stay closed whatever is allowed.
func newRequests(s *settings) *webhooks.Client {
	guard := &webhooks.Guard{Allow: s.HTTPAllow}
	addresses := []string{s.Listen, s.ListenTakeover, s.HTTP, s.API}
	for _, f := range s.FreeSWITCH {
		addresses = append(addresses, f.Address)
	}
	for _, a := range addresses {
		if port, ok := portOf(a); ok && port != 0 {
			guard.Closed = append(guard.Closed, port)
		}
	}
	client := webhooks.NewClient(guard)
	client.UserAgent = "hookswitch/" + version
	return client
}
