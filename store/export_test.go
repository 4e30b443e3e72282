package store_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// read returns the lines of a CSV as maps from column to cell.
func read(t *testing.T, text string) (header []string, rows []map[string]string) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

// simultaneous is a call that three targets were dialled for.
func simultaneous(t *testing.T) *store.Call {
	t.Helper()
	lines, err := os.ReadFile("testdata/records/simultaneous.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	return store.Project(events(t, lines))
}

func TestACallIsALine(t *testing.T) {
	var out bytes.Buffer
	w := store.NewCSV(&out)
	if err := w.Write(simultaneous(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	_, rows := read(t, out.String())
	for column, want := range map[string]string{"org": "acme", "state": "complete", "started": "2026-10-03T09:00:00.000000Z", "caller": "'+15551230001",
		"target": "bob", "cause": "NORMAL_CLEARING", "q850": "16", "billed_ms": "61000", "late": "false"} {
		if rows[0][column] != want {
			t.Errorf("%s is %q, want %q", column, rows[0][column], want)
		}
	}
	if !strings.HasSuffix(out.String(), "\r\n") || strings.Count(out.String(), "\r\n") != 2 {
		t.Errorf("lines end otherwise than RFC 4180 says: %q", out.String())
	}
}

func TestALegIsALine(t *testing.T) {
	var out bytes.Buffer
	w := store.NewLegCSV(&out)
	if err := w.Write(simultaneous(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	_, rows := read(t, out.String())
	var got []string
	for _, r := range rows {
		got = append(got, strings.Join([]string{r["leg"], r["target"], r["cause"], r["q850"], r["billed_ms"], r["sip_call_id"]}, " "))
	}
	want := []string{"A  NORMAL_CLEARING 16 61000 a1@carrier", "B alice LOSE_RACE 702 0 b1@fs", "B bob NORMAL_CLEARING 16 60100 b2@fs", "B carol USER_BUSY 17 0 b3@fs"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("legs %q\nwant %q", got, want)
	}
}

func TestNoCallsAreTheNamesOfTheColumns(t *testing.T) {
	for _, w := range []func(out *bytes.Buffer) *store.CSV{
		func(out *bytes.Buffer) *store.CSV { return store.NewCSV(out) }, func(out *bytes.Buffer) *store.CSV { return store.NewLegCSV(out) }} {
		var out bytes.Buffer
		if err := w(&out).Flush(); err != nil {
			t.Fatal(err)
		}
		if header, rows := read(t, out.String()); len(header) < 10 || len(rows) != 0 {
			t.Errorf("written:\n%s", &out)
		}
	}
}

// Every field of a call and of a leg has its column, named as in JSON.
func TestEveryFieldHasAColumn(t *testing.T) {
	var calls, legs bytes.Buffer
	if err := store.NewCSV(&calls).Flush(); err != nil {
		t.Fatal(err)
	}
	if err := store.NewLegCSV(&legs).Flush(); err != nil {
		t.Fatal(err)
	}
	lists := map[string]bool{"missing": true, "legs": true, "tags": true, "why_not": true, "ledger": true, "events": true}
	for text, of := range map[string]reflect.Type{calls.String(): reflect.TypeFor[store.Call](), legs.String(): reflect.TypeFor[store.Leg]()} {
		header, _ := read(t, text)
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "id" {
				name = "call"
			}
			if !lists[name] && !strings.Contains(","+strings.Join(header, ",")+",", ","+name+",") {
				t.Errorf("%s has no column %s", of, name)
			}
		}
	}
}

func TestEveryColumnIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/calls.md")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, w := range []*store.CSV{store.NewCSV(&out), store.NewLegCSV(&out)} {
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range strings.FieldsFunc(out.String(), func(r rune) bool { return strings.ContainsRune(",\r\n", r) }) {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/calls.md does not tell of %s", name)
		}
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for _, name := range []string{`=HYPERLINK("http://x","y")`, "+1+2", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"} {
		var out bytes.Buffer
		w := store.NewCSV(&out)
		if err := w.Write(&store.Call{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, rows := read(t, out.String()); !strings.HasPrefix(rows[0]["name"], "'") {
			t.Errorf("%q is written as %q", name, rows[0]["name"])
		}
	}
}

func TestWhatAQueryAsksFor(t *testing.T) {
	c := simultaneous(t)
	converted, not := true, false
	c.Converted = &converted
	c.Tags = []store.Tag{{Name: "state", Value: "TX"}, {Name: "state", Value: "FL", Current: true}}
	for _, q := range []store.Query{{}, {From: c.Started, To: c.Started.Add(1)}, {Number: "15550100"}, {Caller: "+15551230001"}, {Campaign: "roofing"},
		{Target: "carol"}, {Tag: "state"}, {Tag: "state=FL"}, {Cause: call.NormalClearing}, {State: store.Complete}, {Converted: &converted}} {
		if !q.Matches(c) {
			t.Errorf("%+v does not ask for the call", q)
		}
	}
	for _, q := range []store.Query{{From: c.Started.Add(1)}, {To: c.Started}, {Number: "5550100"}, {Caller: "+1"}, {Campaign: "roof"}, {Target: "dave"},
		{Tag: "stat"}, {Tag: "state=TX"}, {Tag: "state="}, {Cause: call.UserBusy}, {State: store.Open}, {Converted: &not}, {From: time.Now(), Campaign: "roofing"}} {
		if q.Matches(c) {
			t.Errorf("%+v asks for the call", q)
		}
	}
}
