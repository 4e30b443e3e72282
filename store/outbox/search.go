package outbox

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/calllog"
)

// columns are those of a delivery d and its message m that a list shows. State and due
// differ between outbox and deliveries.
const columns = "d.n, d.endpoint, d.message, d.call, d.type, d.created, d.tries, d.first, d.status, d.error, d.resent, m.time"

// The questions for deliveries that are pending, and that are done.
const (
	Pending = "SELECT " + columns + ", 'pending' AS state, d.due FROM outbox d JOIN messages m ON m.org = d.org AND m.id = d.message WHERE "
	Done    = "SELECT " + columns + ", d.state, NULL AS due FROM deliveries d JOIN messages m ON m.org = d.org AND m.id = d.message WHERE "
)

// Search is a query, checked.
type Search struct {
	Org      string
	Limit    int
	From, To time.Time // of creation, loosely: Between narrows them to numbers
	Tables   []string  // Pending, Done
	where    []string
	args     []any
}

// Skew is by how much the order of numbers may differ from that of time.
const Skew = time.Minute

// NewSearch checks a query.
func NewSearch(org string, q store.DeliveryQuery) (*Search, error) {
	limit, err := calllog.Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	s := &Search{Org: calllog.Name(org), Limit: limit, From: q.From, To: q.To}
	s.add("d.org = ?", s.Org)
	if q.After != "" {
		n, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != q.After {
			return nil, &store.QueryError{Field: "after", Why: fmt.Sprintf("%.40q is not the next of a page", q.After)}
		}
		s.add("d.n < ?", n)
	}
	if !q.From.IsZero() {
		s.add("d.created >= ?", q.From)
	}
	if !q.To.IsZero() {
		s.add("d.created < ?", q.To)
	}
	for _, f := range []struct{ column, value string }{{"call", q.Call}, {"endpoint", q.Endpoint}, {"type", q.Type}} {
		if f.value != "" {
			s.add("d."+f.column+" = ?", calllog.Text(f.value))
		}
	}
	switch {
	case q.Status < -1 || q.Status > 999:
		return nil, &store.QueryError{Field: "status", Why: fmt.Sprintf("%d is not the status of an answer, or -1 for none", q.Status)}
	case q.Status == -1:
		s.add("d.status = 0 AND d.status <> 200 AND d.tries > 0")
	case q.Status == 200:
		s.add("d.status = 200")
	case q.Status > 0:
		s.add("d.status <> 200 AND d.status = ?", q.Status)
	}
	switch q.State {
	case "":
		s.Tables = []string{Pending, Done}
	case store.Pending:
		s.Tables = []string{Pending}
	case store.Delivered, store.GivenUp, store.Dropped:
		s.Tables = []string{Done}
		s.add("d.state = '" + string(q.State) + "'")
		if q.State != store.Delivered { // so that the index without the delivered ones fits
			s.add("d.state <> 'delivered'")
		}
	default:
		return nil, &store.QueryError{Field: "state", Why: fmt.Sprintf("%.40q is not pending, delivered, given_up or dropped", q.State)}
	}
	return s, nil
}

func (s *Search) add(sql string, args ...any) {
	for _, a := range args {
		s.args = append(s.args, a)
		sql = strings.Replace(sql, "?", "$"+strconv.Itoa(len(s.args)), 1)
	}
	s.where = append(s.where, sql)
}

// Between narrows the search to numbers, for its times: created returns when the first
// delivery at or behind a number was made, and whether there is one.
func (s *Search) Between(highest int64, created func(n int64) (time.Time, bool, error)) error {
	if !s.From.IsZero() {
		n, err := Seek(highest, s.From.Add(-Skew), created)
		if err != nil {
			return err
		}
		s.add("d.n >= ?", n)
	}
	if !s.To.IsZero() {
		n, err := Seek(highest, s.To.Add(Skew), created)
		if err != nil {
			return err
		}
		s.add("d.n < ?", n)
	}
	return nil
}

// Seek returns the lowest number at or behind which all was made at a moment or later.
func Seek(highest int64, at time.Time, created func(n int64) (time.Time, bool, error)) (int64, error) {
	var failed error
	n := sort.Search(int(highest)+1, func(n int) bool {
		if failed != nil {
			return true
		}
		made, ok, err := created(int64(n))
		failed = err
		return !ok || !made.Before(at)
	})
	return int64(n), failed
}

// Page asks for deliveries of one of the tables, newest first, one more than the limit.
func (s *Search) Page(table string) (sql string, args []any) {
	return table + strings.Join(s.where, " AND ") + " ORDER BY d.n DESC LIMIT " + strconv.Itoa(s.Limit+1), s.args
}

// Cut makes a page of what was found, newest first.
func (s *Search) Cut(found []store.Delivery) (page store.DeliveryPage) {
	sort.Slice(found, func(i, j int) bool { return found[i].N > found[j].N })
	if len(found) > s.Limit {
		found = found[:s.Limit]
		page.Next = strconv.FormatInt(found[len(found)-1].N, 10)
	}
	page.Deliveries = found
	return page
}

// One asks for a delivery of organization $1 with number $2.
func One(table string) string { return table + "d.org = $1 AND d.n = $2" }

// Again finds the messages that a Resending names, by organization, number of the delivery,
// call, the two times, endpoint, whether they failed, and target, among the deliveries at
// or behind a number; those that wait for the endpoint already are not found.
const Again = `
SELECT d.org, coalesce(nullif($8, ''), d.endpoint) AS endpoint, d.message, d.call, d.type, max(d.n) AS latest
FROM (SELECT org, n, endpoint, message, call, type, state FROM deliveries WHERE org = $1
	UNION ALL SELECT org, n, endpoint, message, call, type, 'pending' FROM outbox WHERE org = $1) AS d
JOIN messages m ON m.org = d.org AND m.id = d.message
WHERE (CAST($2 AS bigint) = 0 OR d.n = $2) AND ($3 = '' OR d.call = $3)
AND (CAST($4 AS timestamptz) IS NULL OR m.time >= $4) AND (CAST($5 AS timestamptz) IS NULL OR m.time < $5)
AND ($6 = '' OR d.endpoint = $6) AND d.n >= $9
AND (NOT $7 OR d.state <> 'delivered' AND NOT EXISTS (SELECT 1 FROM deliveries x
	WHERE x.org = d.org AND x.call = d.call AND x.message = d.message AND x.endpoint = d.endpoint AND x.state = 'delivered'))
AND NOT EXISTS (SELECT 1 FROM outbox w WHERE w.org = d.org AND w.call = d.call AND w.endpoint = coalesce(nullif($8, ''), d.endpoint) AND w.message = d.message)
GROUP BY 1, 2, 3, 4, 5 ORDER BY latest`
