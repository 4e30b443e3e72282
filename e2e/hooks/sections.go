package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/journal"
)

func line(e call.Event) store.Line {
	return store.Line{Event: e, Raw: journal.AppendEvent(nil, e)}
}

func well(int) string { return "ok" }

// heldRate is the rate that is held, in deliveries a second.
const heldRate = 2000

// held is a rate held for a minute: the calls' events come from a journal as they happen,
// five of each call, in order.
func held(ctx context.Context) (rows []table.Row, err error) {
	b, err := newBed(ctx, 1000, well)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.start(ctx)
	if err := b.hold(ctx, heldRate, 5*time.Second); err != nil { // warm
		return nil, err
	}
	if err := b.arrived(10 * time.Second); err != nil {
		return nil, err
	}
	if _, err := b.receivers.heard(); err != nil {
		return nil, err
	}
	if err := b.hold(ctx, heldRate, *span); err != nil {
		return nil, err
	}
	count, err := b.receivers.count()
	if err != nil {
		return nil, err
	}
	left := b.expected - count
	h, err := b.receivers.heard()
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d a second for %s, 1,000 endpoints, 5 of a call in order", heldRate, *span)
	return []table.Row{
		table.AtLeast(what+": deliveries a second", "%.1f", float64(h.Deliveries)/span.Seconds(), heldRate*0.98),
		table.AtMost(what+fmt.Sprintf(": p99 from the event to the receiver (median %.1f, longest %.0f)", h.P50, h.Worst), "%.1f ms", h.P99, 250),
		table.AtMost(what+": waiting at the end", "%.0f", float64(left), heldRate/4),
	}, nil
}

// arrived waits until everything has come to the receivers that it was for.
func (b *bed) arrived(most time.Duration) error {
	for limit := time.Now().Add(most); ; time.Sleep(20 * time.Millisecond) {
		n, err := b.receivers.count()
		if err != nil || n >= b.expected {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%d of %d deliveries have not come after %s", b.expected-n, b.expected, most)
		}
	}
}

// compared is how many deliveries are worked off in a round.
const compared = 30_000

// compare works off a backlog, and has River do the same.
func compare(ctx context.Context) ([]table.Row, error) {
	var ours, theirs []float64
	for range *rounds {
		rate, err := workOff(ctx)
		if err != nil {
			return nil, err
		}
		ours = append(ours, rate)
		if *river == "" {
			continue
		}
		if rate, err = riverRate(ctx); err != nil {
			return nil, err
		}
		theirs = append(theirs, rate)
		fmt.Fprintf(os.Stderr, "%.0f a second, River %.0f\n", ours[len(ours)-1], rate)
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	rows := []table.Row{table.Seen(fmt.Sprintf("a backlog of %d, 1,000 endpoints: deliveries a second", compared), fmt.Sprintf("%.0f", ours[len(ours)/2]))}
	if len(theirs) == 0 {
		fmt.Fprintln(os.Stderr, "-river is not given: nothing is compared")
		return rows, nil
	}
	t := theirs[len(theirs)/2]
	return append(rows, table.Seen("the same with River, 1,000 workers, cooldown 5 ms", fmt.Sprintf("%.0f", t)),
		table.AtLeast("ours to River's", "%.1f ×", ours[len(ours)/2]/t, 2)), nil
}

func workOff(ctx context.Context) (rate float64, err error) {
	b, err := newBed(ctx, 1000, well)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for i := 0; i < compared; i += 500 {
		if err := b.tell(ctx, 500, 1, false); err != nil {
			return 0, err
		}
	}
	begun := time.Now()
	b.start(ctx)
	err = b.arrived(5 * time.Minute)
	return compared / time.Since(begun).Seconds(), err
}

func riverRate(ctx context.Context) (rate float64, err error) {
	b, err := newBed(ctx, 0, well) // its database and its receivers
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	conn, err := pgx.Connect(ctx, b.cluster.URL("postgres"))
	if err != nil {
		return 0, err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE river")
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, *river, "-database", b.cluster.URL("river"), "-receivers", b.receivers.url, "-jobs", strconv.Itoa(compared))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", *river, err)
	}
	var r struct{ Seconds float64 }
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return 0, err
	}
	return compared / r.Seconds, nil
}

// faultyRate is below what this machine can do, so that what is measured is who waits for
// whom.
const faultyRate = 1000

// faults has a hundred endpoints each hang, fail and reset, among a thousand.
func faults(ctx context.Context) ([]table.Row, error) {
	good, err := besideFaults(ctx, well)
	if err != nil {
		return nil, err
	}
	bad, err := besideFaults(ctx, func(i int) string {
		if i < 3*100 {
			return []string{"hang", "fail", "reset"}[i/100]
		}
		return "ok"
	})
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d a second for %s to 1,000 endpoints, 100 of which hang, 100 fail and 100 reset: p99 of the 700 (without faults %.1f ms)", faultyRate, *span/2, good.P99)
	return []table.Row{table.AtMost(what, "%.1f ×", bad.P99/good.P99, 2),
		table.AtLeast("of what was for the 700, arrived", "%.1f %%", 100*float64(bad.Deliveries)/float64(good.Deliveries), 99)}, nil
}

// besideFaults returns what the endpoints from 300 on have got.
func besideFaults(ctx context.Context, kind func(int) string) (h heard, err error) {
	b, err := newBed(ctx, 1000, func(i int) string {
		if k := kind(i); k != "ok" || i >= 300 {
			return k
		}
		return "well" // as ok, and not counted
	})
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.start(ctx)
	if err := b.hold(ctx, faultyRate, 10*time.Second); err != nil { // until it is known who fails
		return h, err
	}
	if err := b.arrived(time.Minute); err != nil {
		return h, err
	}
	if _, err := b.receivers.heard(); err != nil {
		return h, err
	}
	if err := b.hold(ctx, faultyRate, *span/2); err != nil {
		return h, err
	}
	if err := b.arrived(time.Minute); err != nil {
		return h, err
	}
	return b.receivers.heard()
}

// claims measures single claims, each followed by what became of it, while very much waits.
func claims(ctx context.Context) (rows []table.Row, err error) {
	b, err := newBed(ctx, 1000, well)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for waiting := 0; waiting < *pending; waiting += 10_000 {
		if err := b.tell(ctx, 10, 1, true); err != nil {
			return nil, err
		}
	}
	room := map[store.LaneName]int{}
	for _, e := range b.endpoints {
		room[store.LaneName{Org: org, Endpoint: e}] = 10
	}
	var took []float64
	for i := range 500 {
		begun := time.Now()
		c, err := b.store.Claim(ctx, store.Claiming{Node: "n1", Lease: time.Minute, Lanes: room, Limit: 500})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun).Seconds()*1000)
		if len(c.Deliveries) == 0 {
			return nil, fmt.Errorf("claim %d brought nothing", i)
		}
		attempts := make([]store.Attempt, len(c.Deliveries))
		for j, d := range c.Deliveries {
			attempts[j] = store.Attempt{Lease: d.Lease, Endpoint: d.Endpoint, Try: 1, Node: "n1", At: time.Now(), Response: store.HTTP{Status: 200}, State: store.Delivered}
			if j%10 == 0 { // one in ten fails
				attempts[j].State, attempts[j].Due, attempts[j].Response.Status = store.Pending, time.Now().Add(time.Minute), 500
			}
		}
		if _, err := b.store.Finish(ctx, attempts); err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	what := fmt.Sprintf("a claim of 500 while %d wait: p99 of %d (median %.1f, longest %.0f)", *pending, len(took), took[len(took)/2], took[len(took)-1])
	return []table.Row{table.AtMost(what, "%.1f ms", took[len(took)*99/100], 50)}, nil
}

// idle counts transactions while nothing is to be done.
func idle(ctx context.Context) (rows []table.Row, err error) {
	b, err := newBed(ctx, 5000, well)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.start(ctx)
	if err := b.tell(ctx, 5000, 1, false); err != nil { // each is known
		return nil, err
	}
	if err := b.arrived(time.Minute); err != nil {
		return nil, err
	}
	const transactions = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'hookswitch'"
	time.Sleep(2 * time.Second) // what they did is counted a second later
	before, err := b.query(ctx, transactions)
	if err != nil {
		return nil, err
	}
	time.Sleep(*span / 2)
	after, err := b.query(ctx, transactions)
	return []table.Row{table.AtMost(fmt.Sprintf("5,000 endpoints, nothing to send for %s: transactions a second", *span/2), "%.1f", float64(after-before)/(*span/2).Seconds(), 5)}, err
}
