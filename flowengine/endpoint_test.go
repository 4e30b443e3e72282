package flowengine_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
)

// endpoint loads a webhook, beside a tag and a flow that emits lead.qualified.
func endpoint(t *testing.T, settings string) *flowengine.Endpoint {
	t.Helper()
	s := loadPlans(t, "tags: {income: {type: number}}\nwebhooks: {crm: "+settings+"}", `
flow: main
start: a
nodes: {a: {emit: {event: lead.qualified}, next: b}, b: {hangup: {}}}`)
	o, _ := s.Organization("")
	e, ok := o.Endpoint("crm")
	if !ok || len(o.Endpoints()) != 1 {
		t.Fatalf("the webhook is not there: %v", o.Endpoints())
	}
	return e
}

// ended is a call that has ended.
func ended() *flowengine.EventVariables {
	at := time.Date(2026, 7, 31, 12, 0, 0, 0, time.UTC)
	return &flowengine.EventVariables{
		Variables: flowengine.Variables{
			Call: flowengine.CallVariables{ID: "c1"}, Caller: flowengine.CallerVariables{Number: "+15550100", Name: `A "b"`}, Number: "+15550199",
			Campaign: map[string]string{"name": "roofing"}, Tags: map[string]any{"income": 5000, "state": "TX & Co"}, Now: at,
		},
		Event: flowengine.EventFields{Type: "call.ended", ID: "msg_1", Time: at, Data: map[string]any{"cause": "NORMAL_CLEARING", "ms": 1.5, "legs": []any{"a", "b"}}},
	}
}

func TestEndpointsWantEventsByTypeAndFilter(t *testing.T) {
	for _, c := range []struct {
		settings, event string
		want, fails     bool
	}{
		{`events: [call.ended]`, "call.ended", true, false},
		{`events: [call.ended]`, "call.connected", false, false},
		{`events: ["call.*"]`, "call.mark_5s", true, false},
		{`events: ["call.*"]`, "target.dialed", false, false},
		{`events: ["call.mark_*"]`, "call.mark_60s", true, false},
		{`events: ["*"]`, "lead.qualified", true, false},
		{`events: [lead.qualified]`, "lead.qualified", true, false},
		{`events: ["*"], enabled: false`, "call.ended", false, false},
		{`events: ["*"], filter: 'tags.income > 1000 and event.data.cause == "NORMAL_CLEARING"'`, "call.ended", true, false},
		{`events: ["*"], filter: 'tags.income > 9000'`, "call.ended", false, false},
		{`events: ["*"], filter: 'event.type == "call.ended" and campaign.name == "roofing"'`, "call.ended", true, false},
		{`events: ["*"], filter: 'event.data.legs[5] == "a"'`, "call.ended", false, true},
		{`events: [call.started], filter: 'event.data.legs[5] == "a"'`, "call.ended", false, false},
	} {
		e := endpoint(t, `{url: "https://crm.example", `+c.settings+`}`)
		if got, err := e.Wants(c.event, ended()); got != c.want || (err != nil) != c.fails {
			t.Errorf("%s, %s: %v, %v", c.settings, c.event, got, err)
		}
	}
}

func TestEndpointsRenderRequests(t *testing.T) {
	const json, form, text = "application/json", "application/x-www-form-urlencoded", "text/plain; charset=utf-8"
	for name, c := range map[string]struct {
		settings, method, url, kind, body string
		headers                           map[string]string
		standard                          bool
	}{
		"standard body": {settings: `url: "https://crm.example/hook"`, method: "POST", url: "https://crm.example/hook", kind: json, standard: true},
		"nothing at all": {settings: `url: "https://crm.example/{{ event.type }}?by={{ caller.name }}", method: GET`, method: "GET",
			url: "https://crm.example/call.ended?by=A+%22b%22"},
		"values as they are": {settings: `url: "https://crm.example", method: PUT, json: {id: "{{ event.id }}", at: "{{ event.time }}", income: "{{ tags.income }}",
			text: "{{ caller.name }} has {{ tags.income }}", data: "{{ event.data }}", tags: "{{ tags }}", none: "{{ tags.other }}", fixed: [1, true, null, "1"]}`,
			method: "PUT", url: "https://crm.example", kind: json,
			body: `{"at":"2026-07-31T12:00:00Z","data":{"cause":"NORMAL_CLEARING","legs":["a","b"],"ms":1.5},"fixed":[1,true,null,"1"],"id":"msg_1","income":5000,"none":"","tags":{"income":5000,"state":"TX \u0026 Co"},"text":"A \"b\" has 5000"}`},
		"a text of JSON": {settings: `url: "https://crm.example", json: "{{ caller.name }}"`, method: "POST", url: "https://crm.example", kind: json, body: `"A \"b\""`},
		"form": {settings: `url: "https://crm.example", form: {state: "{{ tags.state }}", token: "{{ secrets.CRM }}"}`, method: "POST", url: "https://crm.example", kind: form,
			body: "state=TX+%26+Co&token=s3%2Fcret"},
		"text": {settings: `url: "https://crm.example", body: "{{ call.id }} of {{ caller.name }}"`, method: "POST", url: "https://crm.example", kind: text, body: `c1 of A "b"`},
		"secrets and headers": {settings: `url: "https://crm.example/{{ secrets.CRM }}", headers: {x-token: "Bearer {{ secrets.CRM }}", content-type: application/cloudevents+json}`,
			method: "POST", url: "https://crm.example/s3%2Fcret", kind: "application/cloudevents+json", headers: map[string]string{"X-Token": "Bearer s3/cret"}, standard: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := endpoint(t, `{events: ["*"], timeout: 3s, `+c.settings+`}`)
			got, err := e.Render(ended(), map[string]string{"CRM": "s3/cret", "OTHER": "x"})
			want := map[string]string{}
			maps.Copy(want, c.headers)
			if c.kind != "" {
				want["Content-Type"] = c.kind
			}
			if e.Fixed() != (!strings.Contains(c.settings, "{{")) {
				t.Errorf("fixed: %v", e.Fixed())
			}
			if err != nil || got.Method != c.method || got.URL != c.url || string(got.Body) != c.body || !maps.Equal(got.Header, want) || got.Timeout != 3*time.Second || e.Standard() != c.standard {
				t.Errorf("standard %v, %v: %s %s %v %s\n%s", e.Standard(), err, got.Method, got.URL, got.Header, got.Timeout, got.Body)
			}
		})
	}
}

func TestEndpointsNameTheirSecrets(t *testing.T) {
	e := endpoint(t, `{url: "https://crm.example/{{ secrets.URL }}", events: ["*"], headers: {a: "{{ secrets.B }}{{ secrets.URL }}"}, json: [{x: "{{ secrets[\"C-1\"] }}"}]}`)
	if got := e.SecretNames(); !slices.Equal(got, []string{"B", "C-1", "URL"}) {
		t.Errorf("%q", got)
	}
	if _, err := e.Render(ended(), map[string]string{"URL": "s3cret", "B": "s3cret"}); err == nil || err.Error() != "secrets.C-1 has no value" {
		t.Errorf("without a value: %v", err)
	}
	if none := endpoint(t, `{url: "https://crm.example", events: ["*"]}`).SecretNames(); len(none) > 0 {
		t.Errorf("%q", none)
	}
}

// What cannot be sent fails, without a word of the secrets.
func TestEndpointsThatCannotBeRendered(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	for name, settings := range map[string]string{
		"an index":         `json: ["{{ event.data.legs[9] }}"]`,
		"a secret's index": `body: "{{ split(secrets.A, \",\")[9] }}"`,
		"a long text":      `body: "{{ tags.long }}{{ secrets.A }}"`,
		"much of it":       `json: [` + strings.Repeat(`"{{ tags.long }}", `, 17) + `1]`,
		"a path upwards":   `url: "https://crm.example/{{ tags.up }}/x"`,
		"a value of JSON":  `json: {a: "{{ call }}"}`,
	} {
		if !strings.Contains(settings, "url:") {
			settings += `, url: "https://crm.example"`
		}
		v := ended()
		v.Tags["long"], v.Tags["up"] = long, ".."
		if r, err := endpoint(t, `{events: ["*"], `+settings+`}`).Render(v, map[string]string{"A": "s3cret"}); err == nil || strings.Contains(err.Error(), "s3cret") || len(err.Error()) > 200 {
			t.Errorf("%s: %.100s, %v", name, r.Body, err)
		}
	}
}

func TestWebhooksAndTagsOfAnOrganizationAreLoaded(t *testing.T) {
	s := loadPlans(t, `
organization: acme
currency: EUR
---
tags:
  state: {type: enum, values: [TX, FL], sources: [webhook, api], privacy: internal, description: Where}
  income: {type: number, min: 0, max: "1.5"}
  plain:
incoming:
  leads: {name: Leads, accepts: [call-data, update-tags], life: 48h, fields: {leadState: state}, rate: 7}
  other: {accepts: [update-revenue]}
webhooks:
  crm: {name: The CRM, url: "https://crm.example", events: [call.ended], at_once: 3}
targets: {alice: {user: alice@pbx, revenue: {amount: "40.5", after: 1m}}}
campaigns: {roofing: {flow: main, conversion: {connected: 30s}, payout: {amount: 25}}}
numbers: {"1": {campaign: roofing}}
---
flow: main
start: a
nodes: {a: {dial: {targets: [alice]}, exits: {else: b}}, b: {hangup: {}}}`)
	o, _ := s.Organization("acme")
	state, _ := o.Tag("state")
	income, _ := o.Tag("income")
	plain, _ := o.Tag("plain")
	if o.Currency != "EUR" || len(o.Tags()) != 3 || state.Privacy != "internal" || state.Allowed("flow") || *income.Min != 0 || *income.Max != 1.5 || plain.Type != "string" || plain.Privacy != "public" {
		t.Errorf("currency %s, tags %+v", o.Currency, o.Tags())
	}
	leads, _ := o.Incoming("leads")
	other, _ := o.Incoming("other")
	if len(o.Incomings()) != 2 || leads.Title != "Leads" || !leads.Takes(flowengine.UpdateTags) || leads.Takes(flowengine.UpdateRevenue) || leads.Life != 48*time.Hour ||
		leads.Fields["leadState"] != "state" || leads.Rate != 7 || other.Life != time.Hour || other.Rate != 50 {
		t.Errorf("incoming %+v %+v", leads, other)
	}
	crm, _ := o.Endpoint("crm")
	if crm.Title != "The CRM" || !crm.Enabled || crm.AtOnce != 3 || crm.Timeout != 15*time.Second || crm.Filter != nil {
		t.Errorf("endpoint %+v", crm)
	}
	alice, _ := o.Target("alice")
	roofing, _ := o.Campaign("roofing")
	if alice.Revenue.String() != "40.50 EUR after 60000" || roofing.Payout.String() != "25.00 EUR after 0" || *roofing.Conversion != 30*time.Second {
		t.Errorf("revenue %s, payout %s after %s", alice.Revenue, roofing.Payout, roofing.Conversion)
	}
	for text, want := range map[string]any{"1.25": 1.25, "1": 1, "2": "2", "x": "x"} {
		if got := o.TagValue("income", text); got != want {
			t.Errorf("income %s is %#v", text, got)
		}
	}
	if got := o.TagValue("other", "1"); got != "1" {
		t.Errorf("a tag that is not defined: %#v", got)
	}
}
