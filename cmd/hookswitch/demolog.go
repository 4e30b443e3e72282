package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hookswitch/hookswitch/examples"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

// applyExample puts the example into a database without a configuration, as hookswitch
// apply does.
func applyExample(ctx context.Context, out io.Writer, s *settings) (err error) {
	db, err := askStore(ctx, s, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	current, err := db.Current(ctx)
	if err != nil || len(current) > 0 {
		return err
	}
	dir, err := os.MkdirTemp(s.Data, "example-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	example, err := fs.Sub(examples.Files, "campaigns")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, example); err != nil {
		return err
	}
	f, err := readFolder(dir)
	if err != nil {
		return err
	}
	c, err := newChangeset(ctx, db, f, nil)
	if err != nil {
		return err
	}
	a := applying{Store: db, settings: s, out: out, warn: out, format: outputText, signed: &signature{"demo", "the example"}}
	return a.run(ctx, c)
}

// introduce says what there is, and how to look at it.
func (d *demo) introduce(ctx context.Context, data string, stays bool) (err error) {
	numbers := d.config.current().Numbers()
	if len(numbers) == 0 {
		return errors.New("the configuration has no number to call")
	}
	rows := [][]string{{"NUMBER", "ORGANIZATION", "CAMPAIGN", "PUBLISHER", "RUNS"}}
	for _, r := range numbers {
		campaign := ""
		if r.Campaign != nil {
			campaign = r.Campaign.Name
		}
		rows = append(rows, []string{r.Number, r.Org.Name, dash(campaign), dash(r.Publisher), runs(r)})
	}
	p := painterFor(d.out)
	err = (&table{w: d.out}).print(rows, func(row, _ int, text string) string {
		if row == 0 {
			return p.paint(bold, text)
		}
		return text
	})
	if err != nil {
		return err
	}
	open := len(d.journal.Open())
	if d.before, err = d.logged(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nThe call log has %s.", counted(d.before, "call"))
	if open > 0 {
		fmt.Fprintf(d.out, " %s had no end when the process died, and get one in some 15 seconds.", counted(open, "call"))
	}
	fmt.Fprintln(d.out)
	if d.form, err = d.newForm(ctx); err != nil {
		return err
	}
	if !stays {
		return nil
	}
	for _, line := range [][2]string{
		{"calls list", "from another terminal, or afterwards"},
		{"calls show ID", "timeline, legs, why targets were not tried, tags"},
		{"revisions", "of the configuration"},
	} {
		command := fmt.Sprintf("%s %s --data %s", os.Args[0], line[0], data)
		fmt.Fprintf(d.out, "  %s  %s\n", pad(command, len(os.Args[0])+len(data)+22), p.paint(dim, "# "+line[1]))
	}
	return nil
}

// runs says what calls to a number run.
func runs(r *flowengine.Route) string {
	if r.Campaign != nil && r.Campaign.Mode == flowengine.PlanMode {
		return "plan " + r.Campaign.Plan
	}
	return "flow " + r.Flow.Name
}

// logged counts the calls in the log.
func (d *demo) logged(ctx context.Context) (n int, err error) {
	orgs, err := d.db.Organizations(ctx)
	if err != nil {
		return 0, err
	}
	for _, org := range orgs {
		for q := (store.Query{Limit: maxPage}); ; {
			page, err := d.db.Search(ctx, org, q)
			if err != nil {
				return 0, err
			}
			n += len(page.Calls)
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return n, nil
}

// once places a call to each campaign and prints what the call log has of it, and what
// has arrived of it. It fails where that is not all, verified and in order.
func (d *demo) once(ctx context.Context) error {
	for i, s := range d.onePerCampaign() {
		fmt.Fprintf(d.out, "\n%s\n", s.title)
		if err := d.tell(ctx, s); err != nil {
			return err
		}
		id, org := d.play(ctx, s, d.before+i), d.organization("", s.to)
		c, err := d.recorded(ctx, org, id)
		if err != nil {
			return err
		}
		fmt.Fprintln(d.out)
		if err := showCall(d.out, c, time.Now()); err != nil {
			return err
		}
		if err := d.received(ctx, org, id); err != nil {
			return err
		}
	}
	return nil
}

// received prints what has arrived of a call, once it has, and says whether that is all of
// it, verified, in its order.
func (d *demo) received(ctx context.Context, org, id string) error {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	page, err := d.db.Deliveries(ctx, org, store.DeliveryQuery{Call: id, Limit: maxPage})
	if err != nil || len(page.Deliveries) == 0 {
		return err
	}
	have, late := d.heard.until(ctx, id, page.Deliveries)
	fmt.Fprintln(d.out)
	if err := showArrivals(d.out, have); err != nil {
		return err
	}
	return errors.Join(late, checkArrivals(have, page.Deliveries))
}

// recordLimit is how long a call that ended may take to be in the log.
const recordLimit = 10 * time.Second

// recorded returns a call that ended, as soon as the log has all of it.
func (d *demo) recorded(ctx context.Context, org, id string) (*store.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	for {
		c, err := d.db.Call(ctx, org, id)
		if err == nil && c.State == store.Complete {
			return c, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("call %s is not in the log: %w", id, ctx.Err())
		}
	}
}
