package portal_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/portal"
	"github.com/hookswitch/hookswitch/store"
)

// receipt is the answer to what is written to a call.
type receipt struct {
	ID, Call, Outcome string
	Repeated          bool
}

// withCall is a world in which acme has a configuration, a call that has ended and a live one.
func withCall(t *testing.T, with ...func(*portal.Options)) *world {
	t.Helper()
	w := newWorld(t, with...)
	w.apply("acme", filesOf("acme", "+15550100"))
	w.has("acme", callOfAcme, talk("+15550111")...)
	w.has("acme", "live", talk("+15550112")[:2]...)
	return w
}

func (w *world) tags(id string) (current map[string]string, history int) {
	w.Helper()
	var page struct{ Items []store.Tag }
	w.get("/calls/"+id+"/tags", &page)
	current = map[string]string{}
	for _, t := range page.Items {
		if t.Current {
			current[t.Name] = t.Value
		}
	}
	return current, len(page.Items)
}

func TestATagIsWrittenReadAndTakenAway(t *testing.T) {
	w := withCall(t)
	var r receipt
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/state", map[string]any{"value": "FL"}, http.StatusOK, &r)
	if r.Outcome != "applied" || r.Call != callOfAcme || r.ID == "" {
		t.Errorf("%+v", r)
	}
	if tags, history := w.tags(callOfAcme); tags["state"] != "FL" || history != 2 {
		t.Errorf("%v, %d entries", tags, history)
	}
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/state", map[string]any{"value": "FL"}, http.StatusOK, &r)
	if r.Outcome != "unchanged" {
		t.Errorf("again: %+v", r)
	}
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/income", map[string]any{"value": 1200.50}, http.StatusOK, nil)
	if tags, _ := w.tags(callOfAcme); tags["income"] != "1200.5" {
		t.Errorf("%v", tags)
	}
	w.does(http.MethodDelete, "/calls/"+callOfAcme+"/tags/state", nil, http.StatusOK, &r)
	if tags, history := w.tags(callOfAcme); tags["state"] != "" || history != 4 {
		t.Errorf("%v, %d entries", tags, history)
	}
}

func TestATagOfALiveCallIsPassedOn(t *testing.T) {
	told := 0
	w := withCall(t, func(o *portal.Options) { o.Received = func() { told++ } })
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/state", map[string]any{"value": "FL"}, http.StatusOK, nil)
	if told != 0 {
		t.Error("a call that has ended is taken for a live one")
	}
	var r receipt
	if w.does(http.MethodPut, "/calls/live/tags/state", map[string]any{"value": "FL"}, http.StatusOK, &r); r.Outcome != "live" || told != 1 {
		t.Errorf("%+v, told %d times", r, told)
	}
}

// A value that does not fit its definition is refused, and the call keeps what it has.
func TestAValueThatDoesNotFitIsRefused(t *testing.T) {
	w := withCall(t)
	of := "/calls/" + callOfAcme + "/tags/"
	for _, c := range []struct {
		tag, want string
		value     any
	}{
		{"state", "none of its 2 values", "CA"}, {"state", "not a text", 5}, {"income", "below 0", -1}, {"income", "no number", "lots"},
		{"nobody", "path.tag", "a"}, {"quality", "path.tag", "good"}, {"state", "body.value", nil}, {"state", "body.value", []string{"TX"}},
	} {
		w.fails(http.StatusUnprocessableEntity, http.MethodPut, of+c.tag, map[string]any{"value": c.value}, c.want)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodDelete, of+"quality", nil, "path.tag")
	w.fails(http.StatusNotFound, http.MethodPut, "/calls/nobody/tags/state", map[string]any{"value": "FL"})
	if tags, history := w.tags(callOfAcme); tags["state"] != "TX" || history != 1 {
		t.Errorf("%v, %d entries", tags, history)
	}
}

func TestWhatIsAskedForTwiceUnderOneKeyIsDoneOnce(t *testing.T) {
	w := withCall(t)
	set := func(path, value string) (r receipt) {
		answer := w.ask(http.MethodPut, path, map[string]any{"value": value}, "Idempotency-Key", "k1")
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", answer.Status, answer.body)
		}
		decode(t, answer.body, &r)
		return r
	}
	of := "/calls/" + callOfAcme + "/tags/state"
	first := set(of, "FL")
	w.does(http.MethodPut, of, map[string]any{"value": "TX"}, http.StatusOK, nil)
	if again := set(of, "FL"); !again.Repeated || again.ID != first.ID {
		t.Errorf("%+v after %+v", again, first)
	}
	if tags, _ := w.tags(callOfAcme); tags["state"] != "TX" {
		t.Errorf("%v", tags)
	}
	if r := w.ask(http.MethodPut, of, map[string]any{"value": "TX"}, "Idempotency-Key", "k1"); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.body, "header.Idempotency-Key") {
		t.Errorf("another value under the key: %s %s", r.Status, r.body)
	}
	if long := w.ask(http.MethodPut, of, map[string]any{"value": "TX"}, "Idempotency-Key", strings.Repeat("é", 200)); long.StatusCode != http.StatusOK {
		t.Errorf("a long key: %s %s", long.Status, long.body)
	}
	if other := set("/calls/live/tags/state", "FL"); other.Repeated {
		t.Errorf("the key of one call holds for another: %+v", other)
	}
}

// Who may not see private tags sees neither what they hold nor what they held, and does not
// find out by searching.
func TestPrivateTagsAreMasked(t *testing.T) {
	w := withCall(t)
	for _, income := range []int{4711, 4712} {
		w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/income", map[string]any{"value": income}, http.StatusOK, nil)
	}
	w.key = w.newKey("acme", keys.ReadCalls)
	for _, path := range []string{"/calls/" + callOfAcme, "/calls/" + callOfAcme + "/tags", "/export/calls?format=ndjson&whole=true"} {
		r := w.does(http.MethodGet, path, nil, http.StatusOK, nil)
		if strings.Contains(r.body, `"4711"`) || strings.Contains(r.body, `"4712"`) || !strings.Contains(r.body, `"***"`) || !strings.Contains(r.body, `"TX"`) {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	for _, path := range []string{"/calls?tag=income=4712", "/export/calls?tag=income=4712"} {
		w.fails(http.StatusForbidden, http.MethodGet, path, nil, keys.Private)
	}
	w.get("/calls?tag=state=TX", nil)
	w.key = w.newKey("acme", keys.WriteTags)
	for _, guess := range []int{4712, 4713, 4712} {
		var r receipt
		if w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/income", map[string]any{"value": guess}, http.StatusOK, &r); r.Outcome != "applied" {
			t.Errorf("the answer tells the value: %s", r.Outcome)
		}
	}
	w.key = w.newKey("acme", keys.ReadCalls, keys.Private)
	if tags, _ := w.tags(callOfAcme); tags["income"] != "4712" {
		t.Errorf("%v", tags)
	}
}

// Without a configuration nobody can tell which tags are private.
func TestTagsAreMaskedWithoutAConfiguration(t *testing.T) {
	w := newWorld(t)
	w.has("acme", callOfAcme, talk("+15550111")...)
	if tags, _ := w.tags(callOfAcme); tags["state"] != "TX" {
		t.Errorf("with scope private: %v", tags)
	}
	w.key = w.newKey("acme", keys.ReadCalls)
	if tags, _ := w.tags(callOfAcme); tags["state"] != "***" {
		t.Errorf("without: %v", tags)
	}
	w.fails(http.StatusForbidden, http.MethodGet, "/calls?tag=state=TX", nil, keys.Private)
}

func TestMoneyIsEnteredIntoTheLedger(t *testing.T) {
	w := withCall(t)
	of := "/calls/" + callOfAcme
	var r receipt
	w.does(http.MethodPut, of+"/revenue", map[string]any{"amount": "40.10", "reason": "sold"}, http.StatusOK, &r)
	if r.Outcome != "applied" {
		t.Errorf("%+v", r)
	}
	if w.does(http.MethodPut, of+"/revenue", map[string]any{"amount": "40.1"}, http.StatusOK, &r); r.Outcome != "unchanged" {
		t.Errorf("again: %+v", r)
	}
	w.does(http.MethodPut, of+"/payout", map[string]any{"amount": "25", "currency": "EUR"}, http.StatusOK, nil)
	w.does(http.MethodPut, of+"/conversion", map[string]any{"converted": true, "at": began}, http.StatusOK, nil)
	var c store.Call
	w.get(of, &c)
	if c.Revenue == nil || c.Revenue.String() != "40.10 USD" || c.Payout == nil || c.Payout.String() != "25.00 EUR" || c.Converted == nil || !*c.Converted || !c.ConvertedAt.Equal(began) {
		t.Errorf("%v %v %v", c.Revenue, c.Payout, c.Converted)
	}
	if len(c.Ledger) != 2 || c.Ledger[0].Reason != "sold" || c.Ledger[0].Source != "api" {
		t.Errorf("%+v", c.Ledger)
	}
	if w.does(http.MethodPut, "/calls/live/revenue", map[string]any{"amount": "1"}, http.StatusOK, &r); r.Outcome != "queued" {
		t.Errorf("a live call: %+v", r)
	}
	for want, body := range map[string]map[string]any{
		"body.amount":   {"amount": "1e3"},
		"not negative":  {"amount": "-1"},
		"body.currency": {"amount": "1", "currency": "usd"},
		"body.reason":   {"amount": "1", "reason": "a\nb"},
		"amount":        {},
	} {
		w.fails(http.StatusUnprocessableEntity, http.MethodPut, of+"/revenue", body, want)
	}
	w.fails(http.StatusUnprocessableEntity, http.MethodPut, of+"/payout", `{"amount": 25.1}`, "body.amount")
	w.fails(http.StatusUnprocessableEntity, http.MethodPut, of+"/conversion", map[string]any{"converted": false, "at": began}, "body.at")
	w.fails(http.StatusNotFound, http.MethodPut, "/calls/nobody/revenue", map[string]any{"amount": "1"})
}

func TestWhatIsWrittenIsAnEventOfTheCall(t *testing.T) {
	w := withCall(t)
	var r receipt
	w.does(http.MethodPut, "/calls/"+callOfAcme+"/tags/state", map[string]any{"value": "FL"}, http.StatusOK, &r)
	var c store.Call
	w.get("/calls/"+callOfAcme, &c)
	last := c.Events[len(c.Events)-1]
	if last.Type != call.Tagged || last.Attrs["input"] != r.ID || last.Attrs["source"] != "api" || last.Attrs["replaced"] != "TX" {
		t.Errorf("%+v", last)
	}
}
