package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
	"github.com/hookswitch/hookswitch/webhooks"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
	"github.com/hookswitch/hookswitch/webhooks/standard"
)

const org = "acme"

// bed is what a measurement lies on: an empty database, receivers, and a deliverer that
// is not running yet.
type bed struct {
	cluster   *storetest.Postgres
	store     *postgres.Store
	receivers *remote
	deliverer *delivery.Deliverer
	endpoints []string // names; in their order
	position  store.Position
	calls     int
	expected  int    // deliveries to those that are counted
	counted   []bool // by endpoint

	stop    context.CancelFunc
	running sync.WaitGroup
}

// endpoint is one of the receivers.
type endpoint struct{ url string }

func (e endpoint) Render(_ context.Context, m store.Message) (call.Request, []string, error) {
	return call.Request{Method: "POST", URL: e.url, Header: map[string]string{"Content-Type": "application/json"}, Body: m.Body, Timeout: 15 * time.Second}, nil, nil
}
func (endpoint) AtOnce() int   { return 10 }
func (endpoint) Enabled() bool { return true }

// newBed has n endpoints; kind says how each behaves.
func newBed(ctx context.Context, n int, kind func(i int) string) (_ *bed, err error) {
	b := new(bed)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.cluster, err = storetest.StartPostgres(); err != nil {
		return nil, err
	}
	if b.store, err = postgres.Open(ctx, b.cluster.URL("hookswitch")); err != nil {
		return nil, err
	}
	if b.receivers, err = startReceivers(); err != nil {
		return nil, err
	}
	b.store.Publish(publisher{})
	secret := standard.NewSecret()
	client := webhooks.NewClient(&webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	client.Cut, client.Final, client.MaxBody = true, true, 16<<10
	client.Keep(2000, 2000) // all are one host here
	b.deliverer = delivery.New("n1", b.store, client)
	b.deliverer.Secrets = func(context.Context, string, string) ([]standard.Secret, error) {
		return []standard.Secret{secret}, nil
	}
	all := make(map[store.LaneName]delivery.Endpoint, n)
	for i := range n {
		name := fmt.Sprintf("e%d", i)
		b.endpoints, b.counted = append(b.endpoints, name), append(b.counted, kind(i) == "ok")
		all[store.LaneName{Org: org, Endpoint: name}] = endpoint{fmt.Sprintf("%s/%s/%d", b.receivers.url, kind(i), i)}
	}
	b.deliverer.Use(all)
	return b, nil
}

// start runs the deliverer until the bed is closed.
func (b *bed) start(ctx context.Context) {
	ctx, b.stop = context.WithCancel(ctx)
	b.running.Go(func() { b.deliverer.Run(ctx) })
}

func (b *bed) close() (err error) {
	if b.stop != nil {
		b.stop()
	}
	b.running.Wait()
	if b.receivers != nil {
		err = b.receivers.stop()
	}
	if b.store != nil {
		err = errors.Join(err, b.store.Close())
	}
	if b.cluster != nil {
		err = errors.Join(err, b.cluster.Remove())
	}
	return err
}

// publisher makes a message of each event, for the endpoints that it names.
type publisher struct{}

var body = []byte(`{"type":"call.connected","data":{"filler":"` + strings.Repeat("x", 520) + `"}}`)

func (publisher) Publish(_ *store.Call, news []call.Event) []store.Message {
	messages := make([]store.Message, len(news))
	for i, e := range news {
		messages[i] = store.Message{Org: org, ID: fmt.Sprintf("msg_%d_%s_%d", e.Time.UnixNano(), e.Call, e.Seq), Call: e.Call, Type: string(e.Type),
			Time: e.Time, Body: body, To: strings.Split(e.Attrs["endpoints"], " ")}
	}
	return messages
}

// eventsOfCall is how many messages a call has, each for one endpoint.
const eventsOfCall = 5

// tell has the journal of a node bring calls, each with its messages for one endpoint, or
// for all of them.
func (b *bed) tell(ctx context.Context, calls, events int, all bool) error {
	batch := store.Batch{Journal: "bench", Node: "n1", From: b.position, To: store.Position{Segment: 1, Offset: b.position.Offset + 1}, Until: time.Now()}
	for range calls {
		i := b.calls * 389 % len(b.endpoints) // neighbours are far apart
		to := b.endpoints[i]
		if all {
			to = strings.Join(b.endpoints, " ")
		} else if b.counted[i] {
			b.expected += events
		}
		id := fmt.Sprintf("call-%d", b.calls)
		b.calls++
		for seq := range events {
			e := call.Event{Call: id, Org: org, Epoch: 1, Seq: seq + 1, Time: time.Now(), Node: "n1", Type: call.Step, Attrs: map[string]string{"endpoints": to}}
			batch.Lines = append(batch.Lines, line(e))
		}
	}
	if err := b.store.Append(ctx, batch); err != nil {
		return err
	}
	b.position = batch.To
	b.deliverer.Wake()
	return nil
}

// hold tells at a rate, in messages a second.
func (b *bed) hold(ctx context.Context, rate int, span time.Duration) error {
	begun, told := time.Now(), 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		if now.Sub(begun) > span {
			return nil
		}
		due := int(now.Sub(begun).Seconds()*float64(rate))/eventsOfCall - told
		if err := b.tell(ctx, due, eventsOfCall, false); err != nil {
			return err
		}
		told += due
	}
	return nil
}

// query asks the database for a number.
func (b *bed) query(ctx context.Context, sql string) (n int64, err error) {
	conn, err := pgx.Connect(ctx, b.cluster.URL("postgres"))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	return n, conn.QueryRow(ctx, sql).Scan(&n)
}
