package incoming_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/webhooks/incoming"
)

// told writes an event in a line.
func told(e call.Event) string {
	a := e.Attrs
	switch e.Type {
	case call.Tagged:
		if a["removed"] == "true" {
			return "-" + a["tag"]
		}
		return a["tag"] + "=" + a["value"]
	case call.Money:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", a["kind"], a["amount"], a["currency"], a["reason"]))
	}
	return strings.TrimSpace(fmt.Sprintf("converted=%s %s %s", a["converted"], a["at"], a["reason"]))
}

func outcomes(fields []incoming.Field) (out []string) {
	for _, f := range fields {
		out = append(out, f.Field+" "+string(f.Outcome))
	}
	return out
}

// What requests lead to, and what they are told.
func TestRequests(t *testing.T) {
	const (
		data, tagging, revenue, fields = flowengine.CallData, flowengine.UpdateTags, flowengine.UpdateRevenue, flowengine.UpdateFields
	)
	for name, c := range map[string]struct {
		kind     flowengine.Operation
		body     string
		status   int
		events   []string
		outcomes []string
	}{
		"data that wait": {data, `{"caller_id": "(212) 555-0199", "leadState": "TX", "income": 1250.50, "unknown": 1}`, 202,
			[]string{"state=TX", "income=1250.5"}, []string{"leadState waiting", "income waiting", "unknown kept"}},
		"data of a live call": {data, `{"caller_id": "12125550111", "vip": true}`, 200, []string{"vip=true"}, []string{"vip live"}},
		"data by the call":    {data, `{"call_id": "ended-1", "born": "1990-02-28"}`, 200, []string{"born=1990-02-28"}, []string{"born applied"}},
		"nested data": {data, `{"phone_number": 12125550199, "custom_data": {"state": "FL"}, "lead": {"score": 7, "notes": "hot"}, "list": [1, 2]}`, 202,
			[]string{"lead_score=7", "note=hot", "state=FL"}, []string{"lead.score waiting", "lead.notes waiting", "list kept", "state waiting"}},
		"what stands before counts": {data, `{"fields": {"state": "FL"}, "caller_id": "+12125550199", "state": "TX"}`, 202,
			[]string{"state=TX"}, []string{"state waiting", "state refused"}},
		"one tag by two fields": {data, `{"caller_id": "+12125550199", "leadState": "TX", "state": "FL"}`, 202, []string{"state=TX"}, []string{"leadState waiting", "state refused"}},
		"some do not fit": {data, `{"caller_id": "+12125550199", "state": "NY", "income": "much", "vip": "yes", "born": "yesterday", "internal": "x", "note": null, "lead_score": -1}`, 202,
			[]string{"lead_score=-1"}, []string{"state refused", "income refused", "vip refused", "born refused", "internal refused", "note refused", "lead_score waiting"}},
		"none fits":                 {data, `{"caller_id": "+12125550199", "state": "NY"}`, 422, nil, []string{"state refused"}},
		"nothing is defined":        {data, `{"caller_id": "+12125550199", "x": 1}`, 200, nil, []string{"x kept"}},
		"no caller":                 {data, `{"state": "TX"}`, 422, nil, nil},
		"no number":                 {data, `{"caller_id": "anonymous", "state": "TX"}`, 422, nil, nil},
		"two callers":               {data, `{"caller_id": "+12125550199", "phone_number": "+12125550198", "state": "TX"}`, 422, nil, nil},
		"no such call":              {data, `{"call_id": "of-somebody-else", "state": "TX"}`, 404, nil, nil},
		"a number of no plan":       {data, `{"caller_id": "+15550100", "state": "TX"}`, 202, []string{"state=TX"}, []string{"state waiting"}},
		"tags of an object":         {tagging, `{"call_log_id": "ended-1", "add": {"state": "TX", "other": 1}, "remove": ["note", "vip"]}`, 200, []string{"state=TX", "-note", "-vip"}, []string{"add.state applied", "add.other refused", "remove.note applied", "remove.vip applied"}},
		"tags of a list":            {tagging, `{"call_id": "ended-1", "add": [{"name": "state", "value": "TX"}, "note=a=b"], "remove": "vip"}`, 200, []string{"state=TX", "note=a=b", "-vip"}, []string{"add.state applied", "add.note applied", "remove.vip applied"}},
		"tags as fields":            {tagging, `{"caller_id": "+12125550100", "state": "TX"}`, 200, []string{"state=TX"}, []string{"state applied"}},
		"tags of nobody":            {tagging, `{"caller_id": "+12125550999", "state": "TX"}`, 404, nil, nil},
		"tags that are none":        {tagging, `{"call_id": "ended-1", "add": 7}`, 422, nil, nil},
		"no tags":                   {tagging, `{"call_id": "ended-1"}`, 422, nil, nil},
		"written and removed":       {tagging, `{"call_id": "ended-1", "add": {"state": "TX"}, "remove": "state"}`, 200, []string{"state=TX"}, []string{"add.state applied", "remove.state refused"}},
		"revenue":                   {revenue, `{"call_id": "ended-1", "amount": 40.10, "payout": "25", "converted": true, "currency": "USD", "reason": "sold"}`, 200, []string{"revenue 40.10 USD sold", "payout 25.00 USD sold", "converted=true  sold"}, []string{"amount applied", "payout applied", "converted applied", "currency applied", "reason applied"}},
		"exact":                     {revenue, `{"call_id": "ended-1", "revenue": 0.300001}`, 200, []string{"revenue 0.300001 EUR"}, []string{"revenue applied"}},
		"revenue of a live call":    {revenue, `{"caller_id": "2125550111", "revenue": "12"}`, 202, []string{"revenue 12.00 EUR"}, []string{"revenue queued"}},
		"an exponent":               {revenue, `{"call_id": "ended-1", "revenue": 1e3}`, 422, nil, nil},
		"seven decimals":            {revenue, `{"call_id": "ended-1", "revenue": 0.1234567}`, 422, nil, nil},
		"below 0":                   {revenue, `{"call_id": "ended-1", "revenue": -1}`, 422, nil, nil},
		"revenue twice":             {revenue, `{"call_id": "ended-1", "revenue": 1, "amount": 2}`, 422, nil, nil},
		"no revenue":                {revenue, `{"call_id": "ended-1", "reason": "x"}`, 422, nil, nil},
		"no currency":               {revenue, `{"call_id": "ended-1", "revenue": 1, "currency": "dollars"}`, 422, nil, nil},
		"fields":                    {fields, `{"call_log_id": "ended-1", "fields": {"converted": false, "revenue_paid_out": 7, "publisher_paid_out": 3.5, "reason": "late"}, "state": "FL", "remove": ["note"]}`, 200, []string{"state=FL", "-note", "revenue 7.00 EUR late", "payout 3.50 EUR late", "converted=false  late"}, []string{"state applied", "remove.note applied", "revenue_paid_out applied", "publisher_paid_out applied", "converted applied", "reason applied"}},
		"converted at":              {fields, `{"call_id": "ended-1", "call_converted_at": "2026-07-01T14:00:00+02:00"}`, 200, []string{"converted=true 2026-07-01T12:00:00Z"}, []string{"call_converted_at applied"}},
		"never converted":           {fields, `{"call_id": "ended-1", "converted": false, "call_converted_at": "2026-07-01T14:00:00Z"}`, 422, nil, nil},
		"nothing for the publisher": {fields, `{"call_id": "ended-1", "no_payout_reason": "duplicate", "call_converted_at": null}`, 200, []string{"payout 0.00 EUR duplicate"}, []string{"call_converted_at kept", "no_payout_reason applied"}},
		"paid and not paid":         {fields, `{"call_id": "ended-1", "no_payout_reason": "duplicate", "publisher_paid_out": 3}`, 422, nil, nil},
		"both, of one live call":    {fields, `{"call_id": "live-1", "vip": true, "revenue": 1}`, 202, []string{"vip=true", "revenue 1.00 EUR"}, []string{"vip live", "revenue queued"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.post(c.kind, c.body)
			got := answer(t, r)
			if r.Code != c.status || !slices.Equal(outcomes(got.Fields), c.outcomes) {
				t.Errorf("%d %q; want %d %q\n%s", r.Code, outcomes(got.Fields), c.status, c.outcomes, r.Body)
			}
			var events []string
			for _, in := range w.store.inputs {
				for _, e := range in.Events {
					events = append(events, told(e))
					if e.Attrs["source"] != "webhook:leads" {
						t.Errorf("source %q", e.Attrs["source"])
					}
				}
			}
			if !slices.Equal(events, c.events) {
				t.Errorf("events %q, want %q", events, c.events)
			}
			if c.status >= 400 && (r.Header().Get("Content-Type") != "application/problem+json" || len(got.Errors) == 0 || got.Detail == "") {
				t.Errorf("the problem names no field: %s", r.Body)
			}
			if len(w.store.requests) != 1 || w.store.requests[0].Status != c.status || w.store.requests[0].Kind != string(c.kind) {
				t.Errorf("kept %+v", w.store.requests)
			}
			if live := strings.Contains(strings.Join(c.outcomes, " "), "live"); live != (w.met > 0) {
				t.Errorf("met %d live calls", w.met)
			}
		})
	}
}

// Which call is meant, for how long it is looked for and waited.
func TestWhichCall(t *testing.T) {
	for name, c := range map[string]struct {
		kind flowengine.Operation
		body string
		want store.Input
	}{
		"data":                  {flowengine.CallData, `{"caller_id": "212-555-0100", "state": "TX"}`, store.Input{Caller: "+12125550100", Wait: 10 * time.Minute}},
		"an update":             {flowengine.UpdateTags, `{"phone_number": "2125550100", "state": "TX"}`, store.Input{Caller: "+12125550100", Since: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)}},
		"as dialled abroad":     {flowengine.UpdateTags, `{"caller_id": "011 1 212 555 0100", "state": "TX"}`, store.Input{Caller: "+12125550100", Since: time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)}},
		"without the +":         {flowengine.CallData, `{"caller_id": 12125550100, "state": "TX"}`, store.Input{Caller: "+12125550100", Wait: 10 * time.Minute}},
		"of another country":    {flowengine.CallData, `{"caller_id": "493012345678", "state": "TX"}`, store.Input{Caller: "+493012345678", Wait: 10 * time.Minute}},
		"with 00":               {flowengine.CallData, `{"caller_id": "0012125550100", "state": "TX"}`, store.Input{Caller: "+12125550100", Wait: 10 * time.Minute}},
		"the call comes first":  {flowengine.UpdateTags, `{"caller_id": "+12125550199", "call_id": "ended-1", "state": "TX"}`, store.Input{Call: "ended-1"}},
		"a key":                 {flowengine.CallData, `{"call_id": "ended-1", "state": "TX", "id": 77}`, store.Input{Call: "ended-1", Key: kept(flowengine.CallData, "77")}},
		"the better key":        {flowengine.CallData, `{"call_id": "ended-1", "state": "TX", "idempotency_key": "k", "id": 77}`, store.Input{Call: "ended-1", Key: kept(flowengine.CallData, "k")}},
		"key of another action": {flowengine.UpdateTags, `{"call_id": "ended-1", "state": "TX", "id": "77"}`, store.Input{Call: "ended-1", Key: kept(flowengine.UpdateTags, "77")}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if r := w.post(c.kind, c.body); r.Code >= 300 {
				t.Fatalf("%d %s", r.Code, r.Body)
			}
			in := w.store.inputs[0]
			if in.Org != "acme" || in.Webhook != "leads" || !in.Received.Equal(w.now) || in.Call != c.want.Call || in.Caller != c.want.Caller || in.Wait != c.want.Wait || !in.Since.Equal(c.want.Since) || in.Key != c.want.Key {
				t.Errorf("got %+v, want %+v", in, c.want)
			}
		})
	}
}

// However a request is written, it says the same.
// kept is what is kept of an idempotency key.
func kept(kind flowengine.Operation, key string) string {
	return fmt.Sprintf("%s %x", kind, sha256.Sum256([]byte(key)))
}

func TestForms(t *testing.T) {
	w := newWorld(t, nil)
	key := w.keys["leads"].Reveal()
	form := url.Values{"call_id": {"ended-1"}, "state": {"TX"}, "income": {"12"}, "remove": {"vip", "note"}}.Encode()
	for name, r := range map[string]*http.Request{
		"form":                httptest.NewRequest(http.MethodPost, "/update-tags?key="+key, strings.NewReader(form)),
		"alias of the key":    httptest.NewRequest(http.MethodPost, "/update-tags?moja_auth_key="+key, strings.NewReader(form)),
		"key in the header":   httptest.NewRequest(http.MethodPost, "/update-tags", strings.NewReader(form)),
		"GET":                 httptest.NewRequest(http.MethodGet, "/update-tags?"+form+"&key="+key, nil),
		"POST with a query":   httptest.NewRequest(http.MethodPost, "/update-tags?"+form+"&key="+key, nil),
		"form of no type":     httptest.NewRequest(http.MethodPost, "/update-tags?key="+key, strings.NewReader(form)),
		"the key said twice":  httptest.NewRequest(http.MethodGet, "/update-tags?KEY="+key+"&"+form+"&key=hsk_other", nil),
		"bearer in lowercase": httptest.NewRequest(http.MethodGet, "/update-tags?"+form, nil),
	} {
		switch name {
		case "key in the header":
			r.Header.Set("Authorization", "Bearer "+key)
		case "bearer in lowercase":
			r.Header.Set("Authorization", "bearer  "+key)
		}
		if name != "form of no type" && r.Method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		}
		before := len(w.store.inputs)
		out := w.do(r)
		if out.Code != http.StatusOK || len(w.store.inputs) != before+1 {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
			continue
		}
		var events []string
		for _, e := range w.store.inputs[before].Events {
			events = append(events, told(e))
		}
		slices.Sort(events)
		if want := []string{"-note", "-vip", "income=12", "state=TX"}; !slices.Equal(events, want) {
			t.Errorf("%s: %q", name, events)
		}
	}
}

// What cannot be read, or is too much, is refused with the place of it.
func TestBounds(t *testing.T) {
	const json = "application/json"
	deep := func(n int) string {
		return `{"caller_id": "+12125550199", "x": ` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	many := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"caller_id": "+12125550199"`)
		for i := range n - 1 {
			fmt.Fprintf(&b, `, "k%d": 1`, i)
		}
		return b.String() + "}"
	}
	for name, c := range map[string]struct {
		kind, body string
		status     int
		where      string
	}{
		"a body at the bound":    {json, `{"caller_id": "+12125550199"}` + strings.Repeat(" ", incoming.MaxBody-29), 200, ""},
		"a body above":           {json, `{"caller_id": "+12125550199"}` + strings.Repeat(" ", incoming.MaxBody-28), 413, "body"},
		"as deep as may be":      {json, deep(15), 200, ""},
		"too deep":               {json, deep(16), 400, "body"},
		"10,000 deep":            {json, deep(10_000), 400, "body"},
		"as many names":          {json, many(200), 200, ""},
		"too many names":         {json, many(201), 400, "body"},
		"a long name":            {json, `{"caller_id": "+12125550199", "` + strings.Repeat("n", 129) + `": 1}`, 400, "body"},
		"a long value":           {json, `{"caller_id": "+12125550199", "note": "` + strings.Repeat("n", 4097) + `"}`, 400, "body.note"},
		"a long number":          {json, `{"caller_id": "+12125550199", "note": ` + strings.Repeat("9", 4097) + `}`, 400, "body.note"},
		"a long list":            {json, `{"caller_id": "+12125550199", "x": [` + strings.Repeat("1,", 1000) + `1]}`, 400, "body"},
		"a name twice":           {json, `{"caller_id": "+12125550199", "a": 1, "a": 2}`, 400, "body.a"},
		"a list":                 {json, `[]`, 400, "body"},
		"a half":                 {json, `{"caller_id": "+12125550199", "a"`, 400, "body"},
		"two":                    {json, `{"caller_id": "+12125550199"}{}`, 400, "body"},
		"not UTF-8":              {json, "{\"caller_id\": \"+12125550199\", \"note\": \"\xff\"}", 400, "body"},
		"several parts":          {"multipart/form-data; boundary=x", "--x--", 415, "header.Content-Type"},
		"XML":                    {"text/xml", "<a/>", 415, "header.Content-Type"},
		"a broken type":          {"application/json; x", "{}", 415, "header.Content-Type"},
		"a broken form":          {"application/x-www-form-urlencoded", "a=%zz", 400, "body"},
		"a form of many fields":  {"application/x-www-form-urlencoded", strings.Repeat("a=1&", 20_000), 400, "body"},
		"JSON of no type":        {"", `{"caller_id": "+12125550199"}`, 200, ""},
		"JSON of a special type": {"application/vnd.crm+json", `{"caller_id": "+12125550199"}`, 200, ""},
		"nothing":                {json, "", 422, "body.caller_id"},
		"a long id of a call":    {json, `{"call_id": "` + strings.Repeat("x", 129) + `"}`, 422, "body.call_id"},
		"a long idempotency key": {json, `{"call_id": "x", "id": "` + strings.Repeat("x", 201) + `"}`, 422, "body.id"},
		"no tag that fits":       {json, `{"caller_id": "+12125550199", "custom_data": {"state": "NY"}}`, 422, "body.custom_data.state"},
		"a long reason":          {json, `{"call_id": "ended-1", "revenue": 1, "reason": "` + strings.Repeat("x", 501) + `"}`, 200, ""}, // for call-data a field like others
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			r := w.post(flowengine.CallData, c.body, "Content-Type", c.kind)
			got := answer(t, r)
			where := ""
			if len(got.Errors) > 0 {
				where = got.Errors[0].Location
			}
			if r.Code != c.status || where != c.where {
				t.Errorf("%d at %q, want %d at %q: %.300s", r.Code, where, c.status, c.where, r.Body)
			}
			if len(w.store.requests) != 1 {
				t.Errorf("%d requests were kept", len(w.store.requests))
			}
		})
	}
	w := newWorld(t, nil)
	for _, c := range []struct {
		header, value string
		status        int
	}{{"Content-Encoding", "gzip", 415}, {"Content-Encoding", "identity", 200}, {"Idempotency-Key", strings.Repeat("x", 201), 422}} {
		if r := w.post(flowengine.CallData, `{"caller_id": "+12125550199"}`, c.header, c.value); r.Code != c.status {
			t.Errorf("%s %.20s: %d %s", c.header, c.value, r.Code, r.Body)
		}
	}
	for method, path := range map[string]string{http.MethodGet: "/call-data", http.MethodHead: "/update-tags", http.MethodPut: "/update-fields"} {
		if r := w.do(httptest.NewRequest(method, path+"?call_id=ended-1&state=TX&key="+w.keys["leads"].Reveal(), nil)); r.Code != http.StatusMethodNotAllowed || r.Header().Get("Allow") == "" {
			t.Errorf("%s %s: %d", method, path, r.Code)
		}
	}
}

// Every key that is not good gets one and the same answer, after the same question.
func TestBadKeysAreAlike(t *testing.T) {
	w := newWorld(t, nil)
	past := w.now.Add(-time.Second)
	good := w.keys["leads"].Reveal()
	bad := map[string]string{
		"none":              "",
		"malformed":         "hunter2",
		"mistyped":          good[:len(good)-1] + "!",
		"unknown":           keys.New().Reveal(),
		"expired":           w.addKey("acme", &past, keys.Incoming+"leads").Reveal(),
		"ends now":          w.addKey("acme", &w.now, keys.Incoming+"leads").Reveal(),
		"of the API":        w.addKey("acme", nil, keys.WriteTags).Reveal(),
		"of no webhook":     w.keys["gone"].Reveal(),
		"of nobody":         w.addKey("other", nil, keys.Incoming+"leads").Reveal(),
		"of nobody at all":  w.addKey("", nil, keys.Incoming+"leads").Reveal(),
		"far too long":      "hsk_" + strings.Repeat("x", 5000),
		"with a line break": good + "\n",
	}
	body := ""
	for name, key := range bad {
		for _, kind := range flowengine.Operations {
			asked := w.store.asked
			r := httptest.NewRequest(http.MethodPost, incoming.Path(kind)+"?key="+url.QueryEscape(key), strings.NewReader(`{"call_id": "ended-1", "state": "TX"}`))
			out := w.do(r)
			if body == "" {
				body = out.Body.String()
			}
			if out.Code != http.StatusUnauthorized || out.Body.String() != body || out.Header().Get("WWW-Authenticate") == "" || w.store.asked != asked+1 {
				t.Errorf("%s: %d %s after %d questions", name, out.Code, out.Body, w.store.asked-asked)
			}
		}
	}
	if len(w.store.inputs)+len(w.store.requests)+w.store.used > 0 {
		t.Errorf("something was kept: %+v", w.store.requests)
	}
	if r := w.post(flowengine.CallData, `{"caller_id": "+12125550199"}`); r.Code != http.StatusOK || w.store.used != 1 {
		t.Errorf("the good key: %d, noted %d times", r.Code, w.store.used)
	}
	w.post(flowengine.CallData, `{"caller_id": "+12125550199"}`)
	if w.store.used != 1 {
		t.Error("a key that is used all the time is noted all the time")
	}
}

// A webhook does what it accepts, and its key nothing else.
func TestWebhookAccepts(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRequest(http.MethodPost, "/update-tags?key="+w.keys["slow"].Reveal(), strings.NewReader(`{"call_id": "ended-1", "state": "TX"}`))
	if out := w.do(r); out.Code != http.StatusForbidden || len(w.store.inputs) > 0 || len(w.store.requests) != 1 {
		t.Errorf("%d %s", out.Code, out.Body)
	}
	both := w.addKey("acme", nil, keys.Incoming+"slow", keys.Incoming+"leads").Reveal()
	r = httptest.NewRequest(http.MethodPost, "/update-tags?key="+both, strings.NewReader(`{"call_id": "ended-1", "state": "TX"}`))
	if out := w.do(r); out.Code != http.StatusOK || w.store.inputs[0].Webhook != "leads" {
		t.Errorf("%d %s", out.Code, out.Body)
	}
}

// What is secret is in no record, and the key of the webhook nowhere at all.
func TestNothingSecretIsKept(t *testing.T) {
	w := newWorld(t, nil)
	key := w.keys["leads"].Reveal()
	const card, spaced = "4111111111111111", "5500 0000-0000 0004"
	body := `{"caller_id": "+12125550199", "password": "hunter2", "nested": {"accessToken": "hunter2", "cvv": 123, "list": ["` + card + `", {"pin": "hunter2"}]},
		"note": "my card is ` + spaced + ` 12 25", "number": ` + card + `, "` + card + `": 1, "ssn_hash": "hunter2", "add": {"ssn_hash": "hunter2"}, "key": "` + key + `", "text": "see ` + key + `.", "state": "NY"}`
	r := httptest.NewRequest(http.MethodPost, "/call-data?a=1&key="+key+"&b="+card+"&api_key=hunter2&moja_auth_key="+key, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Cookie", "session=hunter2")
	r.Header.Set("X-Api-Key", "hunter2")
	r.Header.Set("Referer", "https://crm.example/?key="+key)
	r.Header.Set("Idempotency-Key", "visible")
	out := w.do(r)
	tagging := w.post(flowengine.UpdateTags, `{"call_id": "ended-1", "add": [{"name": "ssn_hash", "value": "hunter2"}, "ssn_hash=hunter2, hunter2, a=hunter2", "note=a,ssn_hash=hunter2", {"name": "password", "value": "hunter2"}]}`)
	w.post(flowengine.CallData, `{"caller_id": "+12125550199", "password": "hunter2`)
	w.post(flowengine.UpdateTags, `{"call_id": "ended-1", "add": "ssn_hash=hunter2, hunter2,state=TX, open, b"}`)
	w.post(flowengine.UpdateRevenue, `{"call_id": "ended-1", "revenue": "`+card+`", "`+card+`": 1}`)
	for _, kept := range w.store.requests {
		text := fmt.Sprintf("%+v %s %s", kept, kept.Request.Body, kept.Answer)
		for _, secret := range []string{"hunter2", card, "5500 0000", key, key[20:50]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is kept in %s", secret, text)
			}
		}
	}
	for _, answer := range []string{out.Body.String(), tagging.Body.String()} {
		if strings.Contains(answer, "hunter2") || strings.Contains(answer, key) || strings.Contains(answer, card) {
			t.Errorf("the answer repeats a secret: %s", answer)
		}
	}
	first := w.store.requests[0]
	for _, open := range []string{"a=1", `"caller_id":"+12125550199"`, "NY"} {
		if !strings.Contains(first.Request.URL+string(first.Request.Body), open) {
			t.Errorf("%s is not kept: %s %s", open, first.Request.URL, first.Request.Body)
		}
	}
	if entries := string(w.store.requests[3].Request.Body); !strings.Contains(entries, "state=TX, open, b") {
		t.Errorf("what nobody hides is not kept: %s", entries)
	}
	if first.Request.Header["Idempotency-Key"] != "visible" || first.KeyID != w.keys["leads"].ID() || first.From != "192.0.2.1" {
		t.Errorf("kept %+v", first)
	}
	if broken := w.store.requests[2].Request; broken.Body != nil || !broken.Cut {
		t.Errorf("a body that cannot be read is kept: %s", broken.Body)
	}
	if out.Header().Get("Referrer-Policy") != "no-referrer" || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", out.Header())
	}
}

// Whether a private tag had the value already is not told: it could be guessed.
func TestPrivateTagsAreNotGuessed(t *testing.T) {
	w := newWorld(t, nil)
	w.store.same = true
	r := w.post(flowengine.UpdateTags, `{"call_id": "ended-1", "add": {"ssn_hash": "x", "state": "TX"}}`)
	var a incoming.Answer
	if err := json.Unmarshal(r.Body.Bytes(), &a); err != nil || len(a.Fields) != 2 || a.Fields[0].Outcome != store.Applied || a.Fields[1].Outcome != store.Unchanged {
		t.Errorf("%s %v", r.Body, err)
	}
}

// Neither is what stands where nobody would look for it.
func TestNoCardIsKeptWhereverItStands(t *testing.T) {
	const card = "4111111111111111"
	for name, c := range map[string]struct {
		body   string
		header []string
		want   int
	}{
		"as the key that makes it one":   {`{"call_id": "ended-1", "state": "TX", "idempotency_key": "` + card + `"}`, nil, 200},
		"as such a key of a header":      {`{"call_id": "ended-1", "state": "TX"}`, []string{"Idempotency-Key", card}, 200},
		"as the caller":                  {`{"caller_id": "` + card + `", "state": "TX"}`, nil, 422},
		"as a caller of Germany":         {`{"caller_id": "4958476623108038", "state": "TX"}`, nil, 422},
		"as the call":                    {`{"call_id": "` + card + `", "state": "TX"}`, nil, 404},
		"in a reason":                    {`{"call_id": "ended-1", "payout": 1, "reason": "refund to ` + card + `"}`, nil, 200},
		"in a reason why nothing is due": {`{"call_id": "ended-1", "no_payout_reason": "refund to ` + card + `"}`, nil, 200},
		"as the name of a header":        {`{"call_id": "ended-1", "state": "TX"}`, []string{"X-" + card, "1"}, 200},
		"as the type of the body":        {`{}`, []string{"Content-Type", "text/" + card}, 415},
		"in an address":                  {`{"call_id": "ended-1", "state": "TX", "url": "https://shop.example/?c=4111%201111+1111-1111"}`, nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			out := w.post(flowengine.UpdateFields, c.body, c.header...)
			if out.Code != c.want || len(w.store.requests) != 1 {
				t.Errorf("%d %s, %d requests kept", out.Code, out.Body, len(w.store.requests))
			}
			kept := w.store.requests[0]
			text := fmt.Sprintf("%+v %s %s %+v %s", kept, kept.Request.Body, kept.Answer, w.store.inputs, out.Body)
			if strings.Contains(text, card) || strings.Contains(text, "1111%20") || strings.Contains(text, "1111+") {
				t.Errorf("it is in %s", text)
			}
		})
	}
}

// A hundred posts at once that are one: one effect, one answer.
func TestIdenticalPosts(t *testing.T) {
	for name, header := range map[string][]string{"by the header": {"Idempotency-Key", "k1"}, "by the id of the message": {"Webhook-Id", "k1"}, "by a field": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			bodies := make([]string, 100)
			var posting sync.WaitGroup
			for i := range bodies {
				posting.Go(func() {
					r := w.post(flowengine.CallData, `{"caller_id": "+12125550199", "state": "TX", "idempotency_key": "k1"}`, header...)
					bodies[i] = fmt.Sprint(r.Code, r.Body)
				})
			}
			posting.Wait()
			if len(slices.Compact(bodies)) != 1 || !strings.HasPrefix(bodies[0], "202") {
				t.Errorf("answers %q", bodies)
			}
			repeated := 0
			for _, r := range w.store.requests {
				if r.Repeated {
					repeated++
				}
			}
			if len(w.store.inputs) != 1 || len(w.store.requests) != 100 || repeated != 99 {
				t.Errorf("%d inputs, %d requests, %d repeated", len(w.store.inputs), len(w.store.requests), repeated)
			}
			other := w.post(flowengine.CallData, `{"caller_id": "+12125550199", "state": "TX", "vip": true, "idempotency_key": "k1"}`, header...)
			if other.Code != http.StatusUnprocessableEntity {
				t.Errorf("another request with the key: %d %s", other.Code, other.Body)
			}
		})
	}
}

// A store that does not work is said so, and the request may come again.
func TestStoreFails(t *testing.T) {
	problems := 0
	w := newWorld(t, func(o *incoming.Options) { o.Problem = func(error) { problems++ } })
	w.store.fails = errors.New("away")
	if r := w.post(flowengine.CallData, `{"caller_id": "+12125550199"}`); r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" || strings.Contains(r.Body.String(), "away") || problems != 1 {
		t.Errorf("%d %s, %d problems", r.Code, r.Body, problems)
	}
	w.store.fails, w.store.full = nil, true
	if r := w.post(flowengine.CallData, `{"caller_id": "+12125550199", "vip": true}`); r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") != "60" || problems != 1 {
		t.Errorf("%d %s, %d problems", r.Code, r.Body, problems)
	}
}
