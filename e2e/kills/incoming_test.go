package kills

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// gated lets a caller in by what others say of the caller: before the call, and while the
// caller waits for a key to be pressed.
const gated = `numbers:
  "+15550100": {flow: main}
tags:
  risk: {type: number}
  approved: {type: boolean}
  state: {type: enum, values: [TX, FL]}
incoming:
  leads: {accepts: [call-data, update-tags, update-revenue], fields: {leadState: state}, rate: 1000}
---
flow: main
start: known
nodes:
  known: {branch: {cases: [{name: blocked, if: '(tags.risk ?? 0) > 50'}]}, exits: {blocked: bye, else: hold}}
  hold: {menu: {prompt: "say:Welcome, please wait.", tries: 1, timeout: 60s}, exits: {"1": decide, else: decide}}
  decide: {branch: {cases: [{name: approved, if: 'tags.approved ?? false'}]}, exits: {approved: talk, else: bye}}
  talk: {dial: {targets: ["2003"], ring: 3s, gateway: carrier}, exits: {completed: bye, else: bye}}
  bye: {hangup: {}}
`

// gate is a world of two servers on one database, whose webhook has a key.
type gate struct {
	*world
	a, b *node // a gets the calls, b the posts
	key  keys.Key
}

func newGate(t *testing.T) *gate {
	long(t, "incoming webhooks are not tested with whole servers")
	return newGateOn(t, storetest.NewPostgres(t).URL("hookswitch"))
}

// newGateOn is newGate on a database; without one there is one server, with a file.
func newGateOn(t *testing.T, database string) *gate {
	program, err := shipped()
	must(t, err)
	g := &gate{world: newWorld(t, 2*time.Minute), key: keys.New()}
	g.database = database
	must(t, os.WriteFile(filepath.Join(g.conf, "flows.yaml"), []byte(gated), 0o600))
	g.a = g.newNode("a", program, "10s")
	if g.b = g.a; database != "" {
		g.b = g.newNode("b", program, "10s")
	}
	g.open(60, g.nodes...)
	for _, n := range g.nodes {
		n.start()
	}
	db := g.log()
	defer db.Close()
	must(t, db.AddKey(g.ctx, "default", store.Key{ID: g.key.ID(), Hash: g.key.Hash(), Name: "test", Scopes: []string{keys.Incoming + "leads"}, Created: time.Now()}))
	return g
}

// post posts to a server, and returns what it answered.
func (g *gate) post(n *node, kind, body string) (status int, answer struct {
	ID, Call string
	Fields   []struct{ Field, Outcome, Why string }
}) {
	g.t.Helper()
	resp, err := http.Post("http://"+n.api+"/"+kind+"?key="+g.key.Reveal(), "application/json", strings.NewReader(body))
	must(g.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(g.t, err)
	if err := json.Unmarshal(text, &answer); err != nil {
		g.fatalf("%s answers %d %s", kind, resp.StatusCode, text)
	}
	return resp.StatusCode, answer
}

// waits places a call and returns when the store has it and the caller waits.
func (g *gate) waits(from string) *esltest.Call {
	k := g.place(esltest.Caller{From: from})
	g.diary[g.a].until("the caller does not wait", func(h *history) bool {
		return slices.ContainsFunc(h.events, func(e call.Event) bool { return e.Call == k.UUID && e.Type == call.Step && e.Step == "known" })
	})
	g.drained()
	return k
}

// tagged waits for the event of a tag in the journal of a server.
func (g *gate) tagged(n *node, k *esltest.Call, tag string) (found call.Event) {
	g.diary[n].until("no tag "+tag, func(h *history) bool {
		i := slices.IndexFunc(h.events, func(e call.Event) bool { return e.Call == k.UUID && e.Type == call.Tagged && e.Attrs["tag"] == tag })
		if i >= 0 {
			found = h.events[i]
		}
		return i >= 0
	})
	return found
}

// exits returns the nodes that a call has left.
func exits(r *record) (out []string) {
	for _, e := range r.events {
		if e.Type == call.Step {
			out = append(out, strings.TrimSpace(e.Step+" "+e.Exit))
		}
	}
	return out
}

// concluded waits until the log has the call with the revenue.
func (g *gate) concluded(id, revenue string) *store.Call {
	db := g.log()
	defer db.Close()
	for {
		c, err := db.Call(g.ctx, "default", id)
		if err == nil && c.Ended != nil && (revenue == "" || c.Revenue != nil && c.Revenue.String() == revenue) {
			return c
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-g.ctx.Done():
			g.fatalf("call %s in the log is %+v: %v", id, c, err)
		}
	}
}

// A post to one server tags the call that another one has, before its next node; and what
// is posted for a caller blocks or approves the next call.
func TestPostReachesTheCallOfAnotherServer(t *testing.T) {
	g := newGate(t)
	if status, answer := g.post(g.b, "call-data", `{"caller_id": "(212) 555-0199", "risk": 90}`); status != http.StatusAccepted || answer.Fields[0].Outcome != "waiting" {
		t.Errorf("data that wait: %d %+v", status, answer)
	}
	blocked := g.place(esltest.Caller{From: "+12125550199"})
	g.finish(blocked)

	approved, other := g.waits("+12125550111"), g.waits("+12125550112")
	posted := time.Now()
	status, answer := g.post(g.b, "update-tags", `{"phone_number": "2125550111", "approved": true, "leadState": "TX", "colour": "red"}`)
	if status != http.StatusOK || answer.Call != approved.UUID || answer.Fields[0].Outcome != "live" || answer.Fields[2].Outcome != "kept" {
		t.Errorf("tags of a live call: %d %+v", status, answer)
	}
	e := g.tagged(g.a, approved, "approved")
	t.Logf("the call of the other server had its tag %v after the post", e.Time.Sub(posted))
	if e.Attrs["input"] != answer.ID || e.Attrs["source"] != "webhook:leads" || e.Attrs["value"] != "true" {
		t.Errorf("event %+v", e)
	}
	if status, answer = g.post(g.b, "update-revenue", `{"call_id": "`+approved.UUID+`", "revenue": 40.10, "idempotency_key": "sale-1"}`); status != http.StatusAccepted || answer.Fields[0].Outcome != "queued" {
		t.Errorf("revenue of a live call: %d %+v", status, answer)
	}
	for _, k := range []*esltest.Call{approved, other} {
		k.Press("1")
		g.finish(k)
	}
	g.settle()
	records := g.check(nil)
	for k, want := range map[*esltest.Call][]string{
		blocked:  {"known blocked", "bye"},
		approved: {"known else", "hold 1", "decide approved", "talk completed", "bye"},
		other:    {"known else", "hold 1", "decide else", "bye"},
	} {
		if got := exits(records[k.UUID]); !slices.Equal(got, want) {
			t.Errorf("the call went %q, want %q", got, want)
			g.history(k.UUID)
		}
	}
	c := g.concluded(approved.UUID, "40.10 USD")
	if len(c.Ledger) != 1 || c.Ledger[0].Source != "webhook:leads" {
		t.Errorf("ledger %+v", c.Ledger)
	}
	if status, again := g.post(g.a, "update-revenue", `{"call_id": "`+approved.UUID+`", "revenue": 40.10, "idempotency_key": "sale-1"}`); status != http.StatusAccepted || again.ID != answer.ID {
		t.Errorf("the same revenue again: %d %+v", status, again)
	}
	if status, answer = g.post(g.b, "update-revenue", `{"call_id": "`+approved.UUID+`", "revenue": 55}`); status != http.StatusOK || answer.Fields[0].Outcome != "applied" {
		t.Errorf("revenue of a call that is over: %d %+v", status, answer)
	}
	if c = g.concluded(approved.UUID, "55.00 USD"); len(c.Ledger) != 2 {
		t.Errorf("ledger %+v", c.Ledger)
	}
}

// A hundred posts at once that are one, to all servers there are, have one effect and one
// answer: for a call that lasts, for the next one, and for one that is over.
func TestHundredPostsThatAreOne(t *testing.T) {
	long(t, "many posts at once are not tested with whole servers")
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return storetest.NewPostgres(t).URL("hookswitch") },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateOn(t, database(t))
			k := g.waits("+12125550111")
			g.hundred("call-data", `{"caller_id": "+12125550111", "approved": true, "idempotency_key": "live"}`)
			g.hundred("call-data", `{"caller_id": "+12125550112", "risk": 90, "idempotency_key": "next"}`)
			g.hundred("update-revenue", `{"call_id": "`+k.UUID+`", "revenue": 40, "idempotency_key": "queued"}`)
			g.tagged(g.a, k, "approved")
			k.Press("1")
			g.finish(k)
			next := g.place(esltest.Caller{From: "+12125550112"})
			g.finish(next)
			g.settle()
			g.concluded(k.UUID, "40.00 USD")
			g.hundred("update-revenue", `{"call_id": "`+k.UUID+`", "revenue": 55, "idempotency_key": "over"}`)

			c := g.concluded(k.UUID, "55.00 USD")
			if len(c.Ledger) != 2 || len(c.Tags) != 1 {
				t.Errorf("ledger %+v, tags %+v", c.Ledger, c.Tags)
			}
			if c = g.concluded(next.UUID, ""); len(c.Tags) != 1 {
				t.Errorf("tags of the next call %+v", c.Tags)
			}
			records := g.check(nil)
			for k, want := range map[*esltest.Call][]string{k: {"known else", "hold 1", "decide approved", "talk completed", "bye"}, next: {"known blocked", "bye"}} {
				tagged := 0
				for _, e := range records[k.UUID].events {
					if e.Type == call.Tagged {
						tagged++
					}
				}
				if got := exits(records[k.UUID]); !slices.Equal(got, want) || tagged != 1 {
					t.Errorf("the call went %q, want %q, and was tagged %d times", got, want, tagged)
				}
			}
		})
	}
}

// hundred posts the same from a hundred addresses at once. All are answered alike, and all
// but one as repeated.
func (g *gate) hundred(kind, body string) {
	g.t.Helper()
	var mu sync.Mutex
	answers, repeated := map[string]int{}, 0
	var posting sync.WaitGroup
	for i := range 100 {
		n := g.nodes[i%len(g.nodes)]
		posting.Go(func() {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i))}}
			client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
			resp, err := client.Post("http://"+n.api+"/"+kind+"?key="+g.key.Reveal(), "application/json", strings.NewReader(body))
			if err != nil {
				g.t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				g.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(resp.StatusCode, " ", string(text))]++
			if resp.Header.Get("Idempotent-Replayed") == "true" {
				repeated++
			}
		})
	}
	posting.Wait()
	if len(answers) != 1 || repeated != 99 {
		g.t.Errorf("%s: %d answers were repeated; answers %v", body, repeated, answers)
	}
}

// The server is killed after a live call got what was posted: the next one goes on with it,
// and it is in the record once.
func TestTakeoverHasWhatWasPosted(t *testing.T) {
	g := newGate(t)
	g.post(g.b, "call-data", `{"caller_id": "+12125550111", "leadState": "FL"}`)
	k := g.waits("+12125550111")
	g.tagged(g.a, k, "state")
	g.post(g.b, "call-data", `{"caller_id": "+12125550111", "approved": true}`)
	g.tagged(g.a, k, "approved")
	g.a.kill()
	g.diary[g.b].until("nobody took the call over", func(h *history) bool { return h.last[k.UUID] != "" })
	g.post(g.b, "call-data", `{"caller_id": "+12125550111", "risk": 7}`)
	g.tagged(g.b, k, "risk")
	k.Press("1")
	g.finish(k)
	g.a.start() // to say what it knows
	g.settle()
	if got := exits(g.check(nil)[k.UUID]); !slices.Contains(got, "decide approved") {
		t.Errorf("the call went %q", got)
		g.history(k.UUID)
	}
	g.drained()
	c := g.concluded(k.UUID, "")
	var tags []string
	for _, tag := range c.Tags {
		tags = append(tags, fmt.Sprintf("%s=%s %s", tag.Name, tag.Value, tag.Source))
	}
	if slices.Sort(tags); !slices.Equal(tags, []string{"approved=true webhook:leads", "risk=7 webhook:leads", "state=FL webhook:leads"}) {
		t.Errorf("tags %q", tags)
		g.history(k.UUID)
	}
}
