package calllog

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/store"
)

// Rows on a page.
const (
	usualLimit = 50
	mostLimit  = 1000
)

// Limit returns how many rows a page may have.
func Limit(wanted int) (int, error) {
	if wanted == 0 {
		return usualLimit, nil
	}
	if wanted < 1 || wanted > mostLimit {
		return 0, &store.QueryError{Field: "limit", Why: fmt.Sprintf("%d is not between 1 and %d", wanted, mostLimit)}
	}
	return wanted, nil
}

// Search is a query, checked. The calls are found by one of its fields, newest first,
// and the others are looked at in each of them.
type Search struct {
	Limit  int
	Fields []Field // by which calls can be found, those first that tend to be rarer
	org    string
	times  []condition // on started and the place in the list
	rest   []condition // on calls, by which none is found
}

// Field is what a query asks of calls or of a table that belongs to them.
type Field struct {
	table string
	condition
}

// condition is SQL with @ for the table, # for its column with the number of the call,
// and ? for the arguments, one after the other.
type condition struct {
	sql  string
	args []any
}

// NewSearch checks a query.
func NewSearch(org string, q store.Query) (*Search, error) {
	limit, err := Limit(q.Limit)
	if err != nil {
		return nil, err
	}
	s := &Search{org: Name(org), Limit: limit}
	if !q.From.IsZero() {
		s.times = append(s.times, condition{"@started >= ?", []any{q.From}})
	}
	switch {
	case q.After != "": // which is before q.To
		started, n, err := ReadCursor(q.After)
		if err != nil {
			return nil, err
		}
		s.times = append(s.times, condition{"(@started, #) < (?, ?)", []any{started, n}})
	case !q.To.IsZero():
		s.times = append(s.times, condition{"@started < ?", []any{q.To}})
	}
	s.find(q.Caller, "calls", "ltrim(@caller, '+') = ?", strings.TrimLeft(q.Caller, "+"))
	if name, value, ok := strings.Cut(q.Tag, "="); ok {
		s.find(q.Tag, "tags", "@current AND @name = ? AND substr(@value, 1, 100) = substr(?, 1, 100) AND @value = ?", name, value, value)
	} else {
		s.find(q.Tag, "tags", "@current AND @name = ?", name)
	}
	s.find(q.Number, "calls", "ltrim(@number, '+') = ?", strings.TrimLeft(q.Number, "+"))
	s.find(q.Target, "legs", "@first AND @target = ?", q.Target)
	s.find(q.Campaign, "calls", "@campaign <> '' AND @campaign = ?", q.Campaign)
	s.find(string(q.Cause), "calls", "@cause <> '' AND @cause = ?", string(q.Cause))
	if q.Converted != nil {
		s.rest = append(s.rest, condition{map[bool]string{true: "@converted", false: "NOT @converted"}[*q.Converted], nil})
	}
	switch q.State {
	case "":
	case store.Complete: // nearly all are
		s.rest = append(s.rest, condition{"@state = 'complete'", nil})
	case store.Open, store.Settling, store.Incomplete: // a literal, so that the index without the complete ones fits
		s.find(string(q.State), "calls", "@state <> 'complete' AND @state = '"+string(q.State)+"'")
	default:
		return nil, &store.QueryError{Field: "state", Why: fmt.Sprintf("%.40q is not open, settling, complete or incomplete", q.State)}
	}
	return s, nil
}

func (s *Search) find(value, table, sql string, args ...string) {
	if value == "" {
		return
	}
	f := Field{table, condition{sql: sql}}
	for _, a := range args {
		f.args = append(f.args, Text(a))
	}
	s.Fields = append(s.Fields, f)
}

// Few is up to how many calls of a field are counted.
const Few = 5000

// Count asks how many calls have a field, up to Few.
func (s *Search) Count(f Field) (sql string, args []any) {
	st := statement{table: f.table}
	st.add("SELECT count(*) FROM (SELECT 1 FROM " + f.table + " AS k")
	st.found(s, f)
	st.add(" LIMIT " + strconv.Itoa(Few) + ") AS few")
	return st.sql.String(), st.args
}

// Rarest returns the field by which to find the calls, given the counts of them all;
// if there is none, that of the organization alone.
func (s *Search) Rarest(counts []int) Field {
	if len(s.Fields) == 0 {
		return Field{"calls", condition{sql: "true"}}
	}
	rarest := 0
	for i, n := range counts {
		if n < counts[rarest] {
			rarest = i
		}
	}
	return s.Fields[rarest]
}

// Page asks for the calls, one more than the limit, found by a field. The tables are to be
// read in this order, each by one index: SQLite does so because of CROSS JOIN; PostgreSQL
// needs a fence, OFFSET 0.
func (s *Search) Page(by Field, fence bool) (sql string, args []any) {
	st := statement{table: by.table}
	number := callOf(by.table)
	st.add("SELECT " + Names("c.", CallColumns) + " FROM ")
	if fence {
		number = "call"
		st.add("(SELECT @org, @started, # AS call FROM " + by.table + " AS k")
	} else {
		st.add(by.table + " AS k CROSS JOIN calls AS c ON c.org = @org AND c.n = #")
	}
	st.found(s, by)
	for _, f := range s.Fields { // what is not in the call's own row is asked for first
		if f.table == "calls" || f.sql == by.sql {
			continue
		}
		st.add(" AND EXISTS (SELECT 1 FROM " + f.table + " AS f WHERE f.org = @org AND f.call = # AND ")
		st.alias = "f"
		st.add(f.sql, f.args...)
		st.alias = ""
		if fence {
			st.add(" OFFSET 0")
		}
		st.add(")")
	}
	if fence {
		st.add(" ORDER BY @started DESC, # DESC OFFSET 0) AS k CROSS JOIN LATERAL (SELECT * FROM calls WHERE calls.org = k.org AND calls.n = k.call OFFSET 0) AS c WHERE true")
	}
	st.alias = "c"
	for _, f := range s.Fields {
		if f.table == "calls" && f.sql != by.sql {
			st.add(" AND "+f.sql, f.args...)
		}
	}
	for _, c := range s.rest {
		st.add(" AND "+c.sql, c.args...)
	}
	st.add(" ORDER BY k.started DESC, k." + number + " DESC LIMIT " + strconv.Itoa(s.Limit+1))
	return st.sql.String(), st.args
}

// statement is SQL that is being written of conditions.
type statement struct {
	table, alias string
	sql          strings.Builder
	args         []any
}

// found says which rows are found by a field.
func (st *statement) found(s *Search, f Field) {
	st.add(" WHERE @org = ?", s.org)
	for _, c := range append([]condition{f.condition}, s.times...) {
		st.add(" AND "+c.sql, c.args...)
	}
}

func (st *statement) add(sql string, args ...any) {
	sql = strings.ReplaceAll(sql, "#", "@"+callOf(st.table))
	sql = strings.ReplaceAll(sql, "@", cmp.Or(st.alias, "k")+".")
	for _, a := range args {
		st.args = append(st.args, a)
		sql = strings.Replace(sql, "?", "$"+strconv.Itoa(len(st.args)), 1)
	}
	st.sql.WriteString(sql)
}

// callOf names the column of a table that holds the number of the call.
func callOf(table string) string {
	if table == "calls" {
		return "n"
	}
	return "call"
}

// Cursor returns what a query needs to go on behind a row: its time and its number.
func Cursor(at time.Time, n int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", at.UnixMicro(), n))
}

// ReadCursor reads what Cursor has written; else the error is a *store.QueryError.
func ReadCursor(text string) (at time.Time, n int64, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	micros, number, _ := strings.Cut(string(raw), ".")
	moment, err1 := strconv.ParseInt(micros, 10, 64)
	n, err2 := strconv.ParseInt(number, 10, 64)
	at = time.UnixMicro(moment).UTC()
	if err != nil || err1 != nil || err2 != nil || text != Cursor(at, n) {
		return time.Time{}, 0, &store.QueryError{Field: "after", Why: fmt.Sprintf("%.40q is not the next of a page", text)}
	}
	return at, n, nil
}

// Names lists the columns of a table.
func Names[R any](prefix string, columns []Column[R]) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = prefix + c.Name
	}
	return strings.Join(names, ", ")
}
