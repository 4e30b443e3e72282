package incoming

import "time"

// Limits bound what is asked of the webhooks. How often one may be called is in its
// definition.
type Limits struct {
	PerAddress int           // requests a second from one address, or one IPv6 network of 64 bits; as many at once after a rest
	AtOnce     int           // requests under way, of all
	PerWebhook int           // of these, those to one webhook
	InStore    int           // questions to the store at once: calls need it too
	Answer     time.Duration // that the store may take for one, with the wait for its turn
	Waiting    time.Duration // for room, that a request may spend
	Reading    time.Duration // that a body may take to come
}

// DefaultLimits are those of a server.
var DefaultLimits = Limits{PerAddress: 200, AtOnce: 128, PerWebhook: 32, InStore: 4, Answer: 10 * time.Second, Waiting: time.Second, Reading: 5 * time.Second}

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	if l.PerAddress > 0 {
		d.PerAddress = l.PerAddress
	}
	if l.AtOnce > 0 {
		d.AtOnce = l.AtOnce
	}
	if l.PerWebhook > 0 {
		d.PerWebhook = l.PerWebhook
	}
	if l.InStore > 0 {
		d.InStore = l.InStore
	}
	if l.Answer > 0 {
		d.Answer = l.Answer
	}
	if l.Waiting > 0 {
		d.Waiting = l.Waiting
	}
	if l.Reading > 0 {
		d.Reading = l.Reading
	}
	return d
}
