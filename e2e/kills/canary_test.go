package kills

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// guarded asks callers for a secret and uses it; its webhooks send secrets to receivers that
// give them away. RECEIVER and NOBODY are addresses.
const guarded = `numbers:
  "+15550100": {flow: main}
tags:
  state: {type: enum, values: [TX, FL]}
  born: {type: date}
  note: {}
incoming:
  leads: {accepts: [call-data, update-tags, update-revenue, update-fields], rate: 1000}
webhooks:
  echo:
    url: "http://RECEIVER/echo/{{ secrets.CRM }}?k={{ secrets.CRM }}"
    headers: {X-Mine: "{{ secrets.CRM }}", Authorization: "Basic {{ toBase64('me:' + secrets.CRM) }}"}
    json: {mine: "{{ secrets.CRM }}", told: "{{ event.type }}"}
    events: ["*"]
  redirect: {url: "http://RECEIVER/redirect", form: {mine: "{{ secrets.CRM }}"}, events: [call.ended]}
  fails: {url: "http://RECEIVER/fails", body: "mine is {{ secrets.CRM }}", events: [call.ended]}
  packed: {url: "http://RECEIVER/packed", body: "mine is {{ secrets.CRM }}", events: [call.ended]}
  broken: {url: "http://RECEIVER/broken?k={{ secrets.CRM }}", events: [call.ended]}
  absent: {url: "http://NOBODY/?k={{ secrets.CRM }}", headers: {X-Mine: "{{ secrets.CRM }}"}, events: [call.ended]}
  plain: {url: "http://RECEIVER/plain", events: ["*"]}
---
flow: main
start: card
nodes:
  card: {gather: {prompt: "say:Your card.", length: 16, secret: true}, exits: {ok: pay, else: bye}}
  pay:
    request:
      method: POST
      url: "http://RECEIVER/pay"
      headers: {X-Card: "{{ secrets.card }}"}
      body: {card: "{{ secrets.card }}"}
      vars: {said: body.said}
      tags: {paid: body.said}
    exits: {ok: known, error: known, timeout: known}
  known: {branch: {cases: [{name: short, if: 'len(secrets.card) < 16'}]}, exits: {short: bye, else: hold}}
  hold: {menu: {prompt: "say:Welcome, please wait.", tries: 1, timeout: 60s}, exits: {"1": talk, else: bye}}
  talk: {dial: {targets: ["2003"], ring: 3s, gateway: carrier}, exits: {completed: bye, else: bye}}
  bye: {hangup: {}}
`

// vault is a world of one server that logs all it can, and has secrets of every kind.
type vault struct {
	*world
	n        *node
	log      *transcript
	receiver *gossip
	admin    keys.Key // of the API
	leads    keys.Key // of the incoming webhook
	value    string   // of secrets.CRM
	card     string   // that others post
	pressed  string   // by the caller
	canaries []canary
	heard    []place // what was answered
}

// letters returns random letters.
func letters(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte('a' + rand.IntN(26))
	}
	return string(out)
}

// newCard returns the number of a card (ISO/IEC 7812-1): its last digit is a checksum.
func newCard() string {
	digits := []byte("4")
	for len(digits) < 15 {
		digits = append(digits, byte('0'+rand.IntN(10)))
	}
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return string(append(digits, byte('0'+(10-sum%10)%10)))
}

func newVault(t *testing.T, database string) *vault {
	program, err := shipped()
	must(t, err)
	v := &vault{world: newWorld(t, 2*time.Minute), admin: keys.New(), leads: keys.New(), card: newCard(), pressed: newCard(), log: new(transcript)}
	core, password := letters(24), letters(24)
	v.value = `mine "/\+ü&<é ` + core
	v.canary("the key of the API", v.admin.Reveal()[13:40])
	v.canary("the key of the webhook", v.leads.Reveal()[13:40])
	v.canary("the value of a secret", core)
	v.canary("the card", v.card)
	v.canary("what was pressed", v.pressed)
	v.canary("the password of the switch", v.sw.Password)
	if database != "" {
		v.database = strings.Replace(database, "postgres@", "postgres:"+password+"@", 1)
		v.canary("the password of the database", password)
	}
	v.receiver = newGossip(t)
	text := strings.NewReplacer("RECEIVER", v.receiver.Listener.Addr().String(), "NOBODY", freeAddress(t)).Replace(guarded)
	must(t, os.WriteFile(filepath.Join(v.conf, "flows.yaml"), []byte(text), 0o600))
	v.n = v.newNode("a", program, "10s")
	v.n.transcript = v.log
	v.open(60, v.n)
	v.n.start("HOOKSWITCH_LOG_LEVEL=trace", "HOOKSWITCH_HTTP_ALLOW=127.0.0.0/8")
	db := v.world.log()
	defer db.Close()
	for key, scopes := range map[keys.Key][]string{v.leads: {keys.Incoming + "leads"}, v.admin: everything()} {
		must(t, db.AddKey(v.ctx, organization, store.Key{ID: key.ID(), Hash: key.Hash(), Name: "test", Scopes: scopes, Created: time.Now()}))
	}
	return v
}

// everything are all scopes of the API.
func everything() (all []string) {
	for _, s := range keys.Scopes {
		if !strings.HasPrefix(s.Name, keys.Incoming) {
			all = append(all, s.Name)
		}
	}
	return all
}

func (v *vault) canary(name, text string) { v.canaries = append(v.canaries, canary{name, text}) }

// request makes a request to the server, and keeps what it answers.
func (v *vault) request(name, method, path, body string, header ...string) (status int, answer string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.ctx, method, "http://"+v.n.api+path, strings.NewReader(body))
	must(v.t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	must(v.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(v.t, err)
	if resp.StatusCode >= 500 {
		v.t.Errorf("%s: %d %s", name, resp.StatusCode, text)
	}
	v.heard = append(v.heard, place{"the answer to " + name, fmt.Appendf(nil, "%v %s", resp.Header, text)})
	return resp.StatusCode, string(text)
}

// does makes a request to the API, whose answer must be a good one.
func (v *vault) does(method, path, body string) string {
	v.t.Helper()
	status, answer := v.request(method+" "+path, method, "/api/v1"+path, body, "Authorization", "Bearer "+v.admin.Reveal())
	if status >= 300 {
		v.fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

// made is does for what answers with a secret: it is a canary from then on, and the answer
// is forgotten.
func (v *vault) made(name, field, path, body string, from, to int) {
	v.t.Helper()
	var out map[string]any
	must(v.t, json.Unmarshal([]byte(v.does(http.MethodPost, path, body)), &out))
	v.heard = v.heard[:len(v.heard)-1]
	v.canary(name, out[field].(string)[from:to])
}

// post posts the keys and the card in every way that senders know, and in some that they
// should not.
func (v *vault) post(control string) {
	key, spaced, dashed := v.leads.Reveal(), strings.Join(group.FindAllString(v.card, -1), " "), strings.Join(group.FindAllString(v.card, -1), "-")
	const who = `{"caller_id": "+12125550111", `
	for _, p := range []struct {
		name, method, path, body string
		status                   int
		header                   []string
	}{
		{"JSON", "POST", "/call-data?key=" + key, who + `"note": "` + control + `", "pan": "` + v.card + `", "n": ` + v.card + `, "in": {"it": ["` + spaced + `"]}, "text": "mine is ` + dashed + `, thanks"}`, 200, nil},
		{"a key in the header", "POST", "/call-data", who + `"state": "TX", "` + v.card + `": 1}`, 200, []string{"Authorization", "Bearer " + key}},
		{"a key by its other name", "GET", "/update-tags?moja_auth_key=" + key + "&caller_id=%2B12125550111&state=FL&" + v.card + "=1&x=" + url.QueryEscape(spaced), "", 200, nil},
		{"a form", "POST", "/update-tags?key=" + key, "caller_id=%2B12125550111&state=TX&key=" + key + "&x=" + url.QueryEscape(dashed) + "&add=born%3D" + v.card, 200, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"tags that it does not fit", "POST", "/call-data?key=" + key, who + `"state": "` + v.card + `", "born": "` + v.card + `"}`, 422, nil},
		{"keys in the body", "POST", "/call-data?key=" + key, who + `"key": "` + key + `", "moja_auth_key": "` + key + `", "text": "see ` + key + `", "` + key + `": 1, "state": "TX"}`, 200, nil},
		{"the key of the API", "POST", "/call-data?key=" + v.admin.Reveal(), who + `"state": "TX"}`, 401, nil},
		{"a key that is cut short", "POST", "/call-data?key=" + key[:60], who + `"state": "TX"}`, 401, nil},
		{"a key without a scheme", "POST", "/call-data", who + `"state": "TX"}`, 401, []string{"Authorization", key}},
		{"a key as a password", "POST", "/call-data", who + `"state": "TX"}`, 401, []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+key))}},
		{"a key in the path", "POST", "/call-data/" + key, who + `"state": "TX"}`, 404, nil},
		{"a key and a semicolon", "POST", "/call-data?a=1;key=" + key, who + `"state": "TX"}`, 401, nil},
		{"a body that is cut short", "POST", "/call-data?key=" + key, who + `"key": "` + key + `", "pan": "` + v.card, 400, nil},
		{"a body that is no JSON", "POST", "/call-data?key=" + key, key + v.card, 400, nil},
		{"a query that cannot be read", "POST", "/call-data?key=" + key + "&x=%zz" + v.card, who + `"state": "TX"}`, 400, nil},
		{"a body that is too large", "POST", "/call-data?key=" + key, who + `"x": "` + strings.Repeat(v.card+" ", 20_000) + `"}`, 413, nil},
		{"headers", "POST", "/call-data?key=" + key, who + `"state": "TX"}`, 200, []string{"X-Card", v.card, "X-Mine", dashed, "X-" + v.card, "1", "Cookie", "a=" + key, "Referer", "https://crm.example/?key=" + key + "&c=" + url.QueryEscape(spaced), "User-Agent", "crm " + key}},
		{"a type", "POST", "/call-data?key=" + key, who + `"state": "TX"}`, 415, []string{"Content-Type", "text/" + v.card}},
		{"the key that makes it one", "POST", "/call-data?key=" + key, who + `"state": "TX"}`, 200, []string{"Idempotency-Key", v.card}},
		{"such a key in the body", "POST", "/call-data?key=" + key, who + `"state": "TX", "idempotency_key": "` + dashed + `"}`, 200, nil},
		{"a caller", "POST", "/call-data?key=" + key, `{"caller_id": "` + v.card + `", "state": "TX"}`, 422, nil},
		{"a call", "POST", "/update-tags?key=" + key, `{"call_id": "` + v.card + `", "state": "TX"}`, 404, nil},
		{"a reason", "POST", "/update-revenue?key=" + key, who + `"revenue": 40, "reason": "card ` + v.card + ` and ` + spaced + `"}`, 202, nil},
		{"a currency", "POST", "/update-revenue?key=" + key, who + `"revenue": "` + v.card + `", "currency": "` + v.card + `"}`, 422, nil},
	} {
		status, answer := v.request(p.name, p.method, p.path, p.body, p.header...)
		if status != p.status {
			v.t.Errorf("%s: %d %s, want %d", p.name, status, answer, p.status)
		}
	}
	// What net/http itself refuses.
	conn, err := new(net.Dialer).DialContext(v.ctx, "tcp", v.n.api)
	must(v.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /call-data?key=%s HTTP/1.1\r\nHost: x\r\nX %s: %s\r\n\r\n", key, key, v.card)
	must(v.t, err)
	answer, err := io.ReadAll(conn)
	must(v.t, err)
	v.heard = append(v.heard, place{"the answer to what is not HTTP", answer})
}

var parameter = regexp.MustCompile(`\{[a-z]+\}`)

// misuse asks every operation of the API for the card, with a body of secrets.
func (v *vault) misuse() {
	var api struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(v.t, json.Unmarshal([]byte(v.does(http.MethodGet, "/openapi.json", "")), &api))
	body := fmt.Sprintf(`{"value": [%q], "name": %q, "call": %q, "files": {"a.yaml": "secret: %s"}, "note": 1, %[1]q: %[1]q, "key": %q}`, v.card, v.card, v.card, v.leads.Reveal(), v.admin.Reveal())
	asked := 0
	for path, operations := range api.Paths {
		for method := range operations {
			if method = strings.ToUpper(method); !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "PATCH"}, method) {
				continue
			}
			to := "/api/v1" + parameter.ReplaceAllString(path, v.card) + "?key=" + v.admin.Reveal() + "&call=" + v.card + "&after=" + v.card + "&limit=" + v.card
			for _, authorization := range []string{"Bearer " + v.admin.Reveal(), "Bearer " + v.leads.Reveal(), "Basic " + v.admin.Reveal(), v.admin.Reveal()} {
				for {
					status, _ := v.request(method+" "+path, method, to, body, "Authorization", authorization, "X-Card", v.card)
					if status != http.StatusTooManyRequests {
						break
					}
					v.during(v.t, time.Second)
				}
				asked++
			}
		}
	}
	if asked < 100 {
		v.t.Errorf("%d requests: the description has hardly any operations", asked)
	}
}

// runs runs a command beside the server, and keeps what it prints; it may fail.
func (v *vault) runs(args ...string) string {
	cmd := exec.CommandContext(v.ctx, v.n.program, args...)
	out, err := cmd.CombinedOutput()
	v.heard = append(v.heard, place{"what hookswitch " + strings.Join(args[:2], " ") + " prints", fmt.Appendf(out, "\n%v", err)})
	return string(out)
}

// delivered waits until every endpoint was sent something, or tried, and the call has its end in the log.
func (v *vault) delivered(id string) {
	v.concludes(id)
	for _, endpoint := range []string{"echo", "redirect", "fails", "packed", "broken", "absent", "plain"} {
		for {
			var page struct{ Items []struct{ Tries int } }
			must(v.t, json.Unmarshal([]byte(v.does(http.MethodGet, "/deliveries?type=call.ended&endpoint="+endpoint, "")), &page))
			if len(page.Items) > 0 && page.Items[0].Tries > 0 {
				break
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-v.ctx.Done():
				v.fatalf("endpoint %s is sent nothing", endpoint)
			}
		}
	}
}

func (v *vault) concludes(id string) {
	for {
		var c struct {
			Ledger []struct{ Reason string }
		}
		must(v.t, json.Unmarshal([]byte(v.does(http.MethodGet, "/calls/"+id, "")), &c))
		if len(c.Ledger) > 0 {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-v.ctx.Done():
			v.fatalf("call %s has no revenue", id)
		}
	}
}

// looks asks the API for all that it shows, and the commands, and the metrics.
func (v *vault) looks(id string) {
	for _, list := range []string{"/requests", "/deliveries"} {
		var page struct{ Items []struct{ ID int64 } }
		must(v.t, json.Unmarshal([]byte(v.does(http.MethodGet, list+"?limit=1000", "")), &page))
		if len(page.Items) < 10 {
			v.t.Errorf("%s has %d entries only", list, len(page.Items))
		}
		for _, item := range page.Items {
			v.does(http.MethodGet, fmt.Sprintf("%s/%d", list, item.ID), "")
		}
	}
	for _, path := range []string{"/calls", "/calls/" + id, "/calls/" + id + "/tags", "/export/calls?format=ndjson&whole=true", "/export/calls?format=csv", "/keys", "/secrets", "/endpoints",
		"/endpoints/echo", "/endpoints/echo/secrets", "/incoming", "/config/entities", "/tags", "/whoami", "/health"} {
		v.does(http.MethodGet, path, "")
	}
	for _, path := range []string{"/metrics", "/readyz"} {
		resp, err := http.Get("http://" + v.n.http + path)
		must(v.t, err)
		text, err := io.ReadAll(resp.Body)
		must(v.t, err)
		resp.Body.Close()
		v.heard = append(v.heard, place{path, text})
	}
	settings := []string{"--config", v.n.file}
	for _, args := range [][]string{
		{"calls", "show", id}, {"calls", "show", id, "-o", "json"}, {"calls", "list", "--legs", "-o", "json"}, {"calls", "list", "--legs", "-o", "csv"},
		{"serve", "--print-config"}, {"keys", "list"}, {"secrets", "list"}, {"webhooks", "test", "echo", "--event", "call.ended"}, {"webhooks", "test", "fails", "--event", "call.ended"},
		{"webhooks", "test", "broken", "--event", "call.ended"}, {"webhooks", "test", "absent", "--event", "call.ended"},
	} {
		if out := v.runs(append(args, settings...)...); len(out) < 20 {
			v.t.Errorf("hookswitch %s prints only %q", args, out)
		}
	}
	if v.database != "" {
		nobody := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
		v.runs("calls", "list", "--database", nobody.ReplaceAllString(v.database, "127.0.0.1:1"))
		v.runs("calls", "list", "--database", nobody.ReplaceAllString(v.database, "127.0.0.1:port"))
		v.runs("calls", "list", "--database", v.database+"&no_such_setting=1")
		v.runs("calls", "list", "--database", strings.Replace(v.database, "postgres://", "postgre://", 1))
	}
}

// places returns all that there is to be searched: what the server said, wrote and answered.
func (v *vault) places() []place {
	all := append(slices.Clone(v.heard), place{"the log", v.log.bytes()})
	all = append(all, files(v.t, v.n.home, v.n.file)...)
	if v.database != "" {
		all = append(all, tables(v.t, "pgx", v.database)...)
	} else {
		all = append(all, tables(v.t, "sqlite", v.n.databaseFile())...)
	}
	v.receiver.mu.Lock()
	defer v.receiver.mu.Unlock()
	return append(all, place{"what the endpoint plain was told", bytes.Clone(v.receiver.told.Bytes())})
}

// Keys, numbers of cards, secrets of webhooks, what callers press in secret and the passwords
// of the switch and the database are used in every way, rightly and wrongly, by a server that logs all it
// can. Afterwards they are in no log, row, file or answer.
func TestSecretsAreNowhere(t *testing.T) {
	long(t, "that secrets are in no log, row, file or answer is not tested")
	for name, database := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return storetest.NewPostgres(t).URL("hookswitch") },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t, database(t))
			value, err := json.Marshal(map[string]string{"value": v.value})
			must(t, err)
			v.does(http.MethodPut, "/secrets/CRM", string(value))
			v.made("what signs", "secret", "/endpoints/echo/secrets", `{"overlap_ms": 60000}`, len("whsec_"), 30)
			v.made("a key that the API made", "key", "/keys", `{"name": "another", "scopes": ["calls:read"]}`, 13, 40)

			control := "control" + letters(20)
			k := v.place(esltest.Caller{From: "+12125550111", Script: []esltest.Act{esltest.Press(v.pressed).WhenPlaying("Your card")}})
			v.diary[v.n].until("the caller does not wait", func(h *history) bool {
				return slices.ContainsFunc(h.events, func(e call.Event) bool { return e.Type == call.Step && e.Step == "known" })
			})
			v.drained()
			v.post(control)
			v.diary[v.n].until("no tag", func(h *history) bool {
				return slices.ContainsFunc(h.events, func(e call.Event) bool { return e.Type == call.Tagged && e.Attrs["value"] == control })
			})
			v.misuse()
			k.Press("1")
			v.finish(k)
			v.settle()
			v.drained()
			v.does(http.MethodPost, "/endpoints/echo/test", `{"event": "call.ended"}`)
			v.does(http.MethodPost, "/deliveries/resend", `{"call": "`+k.UUID+`"}`)
			v.delivered(k.UUID)
			v.looks(k.UUID)

			for _, path := range []string{"echo", "redirect", "fails", "packed", "broken", "plain", "pay"} {
				if !v.receiver.asked(path) {
					t.Errorf("the receiver was not asked for %s", path)
				}
			}
			running := v.places()
			v.n.stop()
			for when, places := range map[string][]place{"while the server runs": running, "after its end": v.places()} {
				for _, sighting := range sightings(places, v.canaries...) {
					t.Errorf("%s: %s", when, sighting)
				}
				v.controls(when, places, control, k.UUID)
			}
			if t.Failed() {
				v.tell()
			}
		})
	}
}

// controls looks for what is meant to be found: else nothing would be said by what is not.
func (v *vault) controls(when string, places []place, control, id string) {
	v.t.Helper()
	for text, want := range map[string][]string{
		control: {"file /journal/", "table ", "the answer to GET /calls/" + id, "the answer to GET /requests/", "what hookswitch calls show prints", "what the endpoint plain was told"},
		id:      {"the log", "the answer to GET /calls", "the answer to GET /export/calls?format=csv", "what hookswitch calls list prints"},
	} {
		found := sightings(places, canary{"the control", text})
		for _, where := range want {
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, "in "+where) }) {
				v.t.Errorf("%s: the control is not found in %s", when, where)
			}
		}
	}
}
