// Command river delivers webhooks with River (riverqueue.com), for make bench-webhooks to
// compare with: the same requests, by the same client, each with a row that tells of the
// attempt. It is a module of its own, so that Hookswitch does not depend on River.
//
// It makes its tables in an empty PostgreSQL database, inserts -jobs jobs and tells, as
// JSON, how long it took to work them off; with -rate it inserts that many a second
// meanwhile, for -for.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/webhooks"
)

var (
	database  = flag.String("database", "", "URL of an empty PostgreSQL database")
	receivers = flag.String("receivers", "", "URL of the receivers; deliveries go to /ok/N below it")
	endpoints = flag.Int("endpoints", 1000, "how many")
	jobs      = flag.Int("jobs", 0, "jobs to work off, all there at the beginning")
	rate      = flag.Int("rate", 0, "jobs a second")
	span      = flag.Duration("for", time.Minute, "how long at -rate")
	body      = flag.Int("body", 600, "bytes of a body, about")
)

const workers = 1000

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "river:", err)
		os.Exit(1)
	}
}

// result is what is measured. The latencies are told by the receivers.
type result struct {
	Jobs    int64   `json:"jobs"`
	Seconds float64 `json:"seconds"`
	Backlog int64   `json:"backlog"` // when the last job was inserted
}

func run(ctx context.Context) error {
	config, err := pgxpool.ParseConfig(*database)
	if err != nil {
		return err
	}
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate(ctx, pool); err != nil {
		return err
	}
	guard := &webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	work := &deliver{pool: pool, client: webhooks.NewClient(guard)}
	list := river.NewWorkers()
	river.AddWorker(list, work)
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 100 * time.Millisecond,
		Workers: list, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	insert := func(from, n int) error {
		params := make([]river.InsertManyParams, n)
		for i := range params {
			params[i].Args = newDelivery(from + i)
		}
		_, err := client.InsertManyFast(ctx, params)
		return err
	}
	for i := 0; i < *jobs; i += 500 {
		if err := insert(i, min(500, *jobs-i)); err != nil {
			return err
		}
	}
	begun := time.Now()
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer client.Stop(ctx)
	total := *jobs
	if *rate > 0 {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for now := range tick.C {
			if now.Sub(begun) > *span {
				break
			}
			due := int(now.Sub(begun).Seconds()*float64(*rate)) - (total - *jobs)
			if err := insert(total, due); err != nil {
				return err
			}
			total += due
		}
	}
	r := result{Jobs: int64(total), Backlog: int64(total) - work.done.Load()}
	for work.done.Load() < int64(total) {
		time.Sleep(5 * time.Millisecond)
	}
	r.Seconds = time.Since(begun).Seconds()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// migrate makes River's tables, and one for the attempts.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE attempts (
		org TEXT NOT NULL, delivery BIGINT NOT NULL, endpoint TEXT NOT NULL, try INT NOT NULL, node TEXT NOT NULL, at TIMESTAMPTZ NOT NULL,
		took BIGINT NOT NULL, status INT NOT NULL, error TEXT NOT NULL, request JSONB NOT NULL, response JSONB NOT NULL, response_body BYTEA NOT NULL,
		PRIMARY KEY (org, delivery, try))`)
	return err
}

// delivery is a job.
type delivery struct {
	Endpoint string          `json:"endpoint"`
	ID       string          `json:"id"`
	Body     json.RawMessage `json:"body"`
}

func (delivery) Kind() string { return "delivery" }

// newDelivery returns a job whose id tells the receivers when it was made.
func newDelivery(i int) delivery {
	text, _ := json.Marshal(map[string]string{"filler": fmt.Sprintf("%0*d", *body, i)})
	return delivery{Endpoint: strconv.Itoa(i % *endpoints), ID: fmt.Sprintf("msg_%d_%d", time.Now().UnixNano(), i), Body: text}
}

// deliver works them off.
type deliver struct {
	river.WorkerDefaults[delivery]
	pool   *pgxpool.Pool
	client *webhooks.Client
	done   atomic.Int64
}

func (d *deliver) Work(ctx context.Context, job *river.Job[delivery]) error {
	at := time.Now()
	header, err := sign(job.Args.ID, job.Args.Body, at)
	if err != nil {
		return err
	}
	answer, err := d.client.Request(ctx, call.Request{Method: "POST", URL: *receivers + "/ok/" + job.Args.Endpoint, Header: header, Body: job.Args.Body, Timeout: 15 * time.Second})
	if err != nil {
		return err
	}
	request, _ := json.Marshal(header)
	response, _ := json.Marshal(answer.Header)
	_, err = d.pool.Exec(ctx, "INSERT INTO attempts VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10, $11)", "acme", job.ID, job.Args.Endpoint,
		job.Attempt, "n1", at, time.Since(at).Nanoseconds(), answer.Status, request, response, answer.Body)
	if err == nil && answer.Status == 200 {
		d.done.Add(1)
		return nil
	}
	return fmt.Errorf("status %d: %w", answer.Status, err)
}
