package calllog

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/store"
)

// Columns of the table requests: those of a list, and those that only Request returns.
const (
	RequestColumns = "n, webhook, kind, at, took_ns, address, key_id, method, url, status, answer, call, caller, repeated"
	RequestBody    = "header, body, cut"
)

// InsertRequest keeps what RequestRow returns.
const InsertRequest = `INSERT INTO requests (org, webhook, kind, at, took_ns, address, key_id, method, url, status, answer, call, caller, repeated, header, body, cut)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING n`

// RequestRow returns the arguments of InsertRequest, fit for any database.
func RequestRow(org string, r store.Request) ([]any, error) {
	header, err := json.Marshal(r.Request.Header)
	if err != nil {
		return nil, err
	}
	body := append([]byte{}, r.Request.Body...) // nil would be NULL
	return []any{Name(org), Name(r.Webhook), Name(r.Kind), r.At, int64(r.Took), Name(r.From), Name(r.KeyID), Name(r.Request.Method), Text(r.Request.URL),
		r.Status, []byte(r.Answer), Name(r.Call), Name(r.Caller), r.Repeated, header, body, r.Request.Cut}, nil
}

// RequestSearch is a query for requests, checked.
type RequestSearch struct {
	Limit int
	SQL   string // asks for one more than the limit
	Args  []any
}

// NewRequestSearch checks a query.
func NewRequestSearch(org string, q store.RequestQuery) (*RequestSearch, error) {
	limit, err := Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	s := &RequestSearch{Limit: limit, SQL: "SELECT " + RequestColumns + " FROM requests"}
	s.where(" WHERE org = ?", Name(org))
	// As the indexes are written, so that each fits.
	if q.Call != "" {
		s.where(" AND call <> '' AND call = ?", Name(q.Call))
	}
	if q.Caller != "" {
		s.where(" AND caller <> '' AND ltrim(caller, '+') = ?", strings.TrimLeft(Name(q.Caller), "+"))
	}
	if q.Webhook != "" {
		s.where(" AND webhook = ?", Name(q.Webhook))
	}
	if q.Status != 0 {
		s.where(" AND status = ?", q.Status)
	}
	if !q.From.IsZero() {
		s.where(" AND at >= ?", q.From)
	}
	switch {
	case q.After != "": // which is before q.To
		at, n, err := ReadCursor(q.After)
		if err != nil {
			return nil, err
		}
		s.where(" AND (at, n) < (?, ?)", at, n)
	case !q.To.IsZero():
		s.where(" AND at < ?", q.To)
	}
	s.SQL += " ORDER BY at DESC, n DESC LIMIT " + strconv.Itoa(limit+1)
	return s, nil
}

func (s *RequestSearch) where(sql string, args ...any) {
	for _, a := range args {
		s.Args = append(s.Args, a)
		sql = strings.Replace(sql, "?", "$"+strconv.Itoa(len(s.Args)), 1)
	}
	s.SQL += sql
}

// Cut makes a page of what was found.
func (s *RequestSearch) Cut(found []store.Request) (page store.RequestPage) {
	if len(found) > s.Limit {
		found = found[:s.Limit]
		last := found[len(found)-1]
		page.Next = Cursor(last.At, last.N)
	}
	page.Requests = found
	return page
}
