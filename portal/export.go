package portal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

func (p *Portal) export() {
	register(p, operation{
		method: http.MethodGet, path: "/export/calls", id: "export-calls", tag: tagCalls, scope: keys.ReadCalls, errors: []int{422},
		summary: "Exports calls as CSV or NDJSON",
		about: "Streams all calls that the parameters ask for, newest first: as CSV (RFC 4180) one line a call, or a leg where that is\n" +
			"asked for; as NDJSON one object a line. Should it fail in the middle, the connection is closed before the end.",
	}, p.exportCalls)
}

// patience is how long an export waits for its turn.
const patience = time.Second

// pageSize is how many calls of an export are read at once.
const pageSize = 500

// exporting is an export under way.
type exporting struct {
	*Portal
	org    string
	query  store.Query
	whole  bool // calls with their legs, tags and events
	hide   func(*store.Call)
	write  func(*store.Call) error
	finish func() error
}

// stream is a response that writes itself.
type stream struct {
	Type string `header:"Content-Type" doc:"text/csv or application/x-ndjson."`
	File string `header:"Content-Disposition" doc:"A name for the file."`
	Body func(huma.Context)
}

func (p *Portal) exportCalls(ctx context.Context, in *struct {
	CallFilter
	Format string `query:"format" enum:"csv,ndjson" default:"csv" doc:"Form of the export."`
	Rows   string `query:"rows" enum:"calls,legs" default:"calls" doc:"What has a line: legs only as CSV."`
	Whole  bool   `query:"whole" doc:"NDJSON with legs, tags, why-not and events."`
}) (*stream, error) {
	q, err := p.query(ctx, in.CallFilter)
	if err != nil {
		return nil, err
	}
	q.Limit = pageSize
	legs := in.Rows == "legs"
	if legs && in.Format != "csv" {
		return nil, wrong(field("query.rows", "legs have lines of their own only as CSV; whole=true has them in NDJSON"))
	}
	now, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	leave := p.exports.Enter(now, org(ctx))
	if leave == nil {
		return nil, later(problem(http.StatusServiceUnavailable, "there are too many exports at once"), 10*time.Second)
	}
	first, err := p.Store.Search(ctx, org(ctx), q) // what is wrong with the query is told before anything is sent
	if err != nil {
		leave()
		return nil, err
	}
	x := &exporting{Portal: p, org: org(ctx), query: q, whole: in.Whole || legs, hide: func(c *store.Call) { p.mask(ctx, c) }}
	out := &stream{Type: "application/x-ndjson", File: `attachment; filename="calls.` + in.Format + `"`}
	if in.Format == "csv" {
		out.Type = "text/csv; charset=utf-8"
	}
	out.Body = func(response huma.Context) {
		defer leave()
		_, w := humago.Unwrap(response)
		x.to(w, in.Format, legs)
		if err := x.run(response.Context(), http.NewResponseController(w), first); err != nil {
			if response.Context().Err() == nil {
				p.Log.Error().Err(err).Str("request", requestID(response.Context())).Msg("an export of calls broke off")
			}
			panic(http.ErrAbortHandler) // so that nobody takes it for whole
		}
	}
	return out, nil
}

// to says where and in which form calls are written.
func (x *exporting) to(w io.Writer, format string, legs bool) {
	if format == "ndjson" {
		buffered := bufio.NewWriter(w)
		x.write, x.finish = func(c *store.Call) error { return json.NewEncoder(buffered).Encode(c) }, buffered.Flush
		return
	}
	table := store.NewCSV(w)
	if legs {
		table = store.NewLegCSV(w)
	}
	x.write, x.finish = table.Write, table.Flush
}

// run writes page after page. Each has the time of a request of its own.
func (x *exporting) run(ctx context.Context, c *http.ResponseController, page store.Page) error {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(2 * x.Limits.Time)); err != nil {
			return err
		}
		for _, found := range page.Calls {
			if err := x.one(ctx, found); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return x.finish()
		}
		limited, cancel := context.WithTimeout(ctx, x.Limits.Time)
		x.query.After = page.Next
		var err error
		page, err = x.Store.Search(limited, x.org, x.query)
		cancel()
		if err != nil {
			return err
		}
	}
}

// one writes a call.
func (x *exporting) one(ctx context.Context, found *store.Call) error {
	if x.whole {
		limited, cancel := context.WithTimeout(ctx, x.Limits.Time)
		defer cancel()
		c, err := x.Store.Call(limited, x.org, found.ID)
		if errors.Is(err, store.ErrNotFound) { // removed since, by retention
			return nil
		} else if err != nil {
			return err
		}
		x.hide(c)
		found = c
	}
	return x.write(found)
}
