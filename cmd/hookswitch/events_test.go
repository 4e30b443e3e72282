package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/store"
)

// toldOf are messages as "TYPE to ENDPOINTS".
func toldOf(messages []store.Message) (out []string) {
	for _, m := range messages {
		out = append(out, m.Type+" to "+strings.Join(m.To, ","))
	}
	return out
}

// configured returns a configuration in which a document is in force, and what puts another
// in its place.
func configured(t *testing.T, document string) (*configuration, func(document string)) {
	t.Helper()
	c := new(configuration)
	put := func(document string) {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		s, problems := flowengine.LoadDir(dir, nodes.Kinds)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		c.snapshot.Store(s)
	}
	put(document)
	return c, put
}

// Endpoints are told as the configuration of the moment says: by type, by filter, not
// when they are disabled; tags as they are defined, and only public ones.
func TestEndpointsAreToldAsConfigured(t *testing.T) {
	c, put := configured(t, `
organization: acme
---
tags:
  rooms: {type: number}
  income: {type: number, privacy: internal}
webhooks:
  all: {url: "https://a.example/", events: ["call.*"]}
  large: {url: "https://b.example/", events: [call.ended], filter: "tags.rooms > 2"}
  rich: {url: "https://c.example/", events: [call.ended], filter: '"income" in tags'}
  off: {url: "https://d.example/", events: ["*"], enabled: false}
`)
	p := newPublisher(c, newMetrics(readBuildInfo()), zerolog.Nop())
	events := []call.Event{
		{Type: call.Started, Attrs: map[string]string{"from": "+12125550123", "to": "+15550100"}},
		{Type: call.Tagged, Attrs: map[string]string{"tag": "rooms", "value": "3"}},
		{Type: call.Tagged, Attrs: map[string]string{"tag": "income", "value": "90000"}},
		{Type: call.Tagged, Attrs: map[string]string{"tag": "note", "value": "nobody has defined it"}},
		{Type: call.Ended, Cause: call.NormalClearing},
	}
	for i := range events {
		events[i].Call, events[i].Org, events[i].Epoch, events[i].Seq, events[i].Time = "c1", "acme", 1, i+1, time.Unix(int64(i), 0)
	}
	record := store.Project(events)
	messages := p.Publish(record, events)
	want := []string{"call.started to all", "call.tags_updated to all", "call.tags_updated to all", "call.ended to all,large", "call.completed to all"}
	if got := toldOf(messages); !slices.Equal(got, want) {
		t.Errorf("told %q, not %q", got, want)
	}
	if last := string(messages[len(messages)-1].Body); !strings.Contains(last, `"tags":{"note":"nobody has defined it","rooms":3}`) {
		t.Errorf("tags in %s", last)
	}
	put("organization: acme\n---\nwebhooks: {other: {url: \"https://e.example/\", events: [call.started]}}\n")
	if got := toldOf(p.Publish(record, events)); !slices.Equal(got, []string{"call.started to other"}) {
		t.Errorf("with another configuration told %q", got)
	}
	put("organization: acme\n")
	if got := p.Publish(record, events); got != nil {
		t.Errorf("without endpoints told %q", toldOf(got))
	}
}

// What is wrong with a filter is logged once for each endpoint, and counted each time.
func TestFilterThatFailsIsToldOnce(t *testing.T) {
	c, _ := configured(t, `
organization: acme
---
webhooks:
  crm: {url: "https://a.example/", events: [call.started], filter: 'int(number) > 3'}
`)
	log := new(bytes.Buffer)
	m := newMetrics(readBuildInfo())
	p := newPublisher(c, m, zerolog.New(log))
	events := []call.Event{{Call: "c1", Org: "acme", Epoch: 1, Seq: 1, Type: call.Started, Attrs: map[string]string{"to": "anonymous"}}}
	for range 3 {
		if told := p.Publish(store.Project(events), events); len(told) > 0 {
			t.Errorf("told %q", toldOf(told))
		}
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `"endpoint":"crm"`) {
		t.Errorf("%d lines: %s", n, log)
	}
	page := httptest.NewRecorder()
	m.handler().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(page.Body.String(), "\nhookswitch_events_untold_total 3\n") {
		t.Error("not three are counted")
	}
}
