package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// listening runs webhooks listen until the test ends, and returns its address and what it
// prints, line by line.
func (w *world) listening(input string, line ...string) (url string, printed *bufio.Scanner) {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	out, to := io.Pipe()
	errs, errsTo := io.Pipe()
	root := newRoot()
	root.SetArgs(append([]string{"webhooks", "listen", "--address", "127.0.0.1:0", "--config", w.settings}, line...))
	root.SetIn(strings.NewReader(input))
	root.SetOut(to)
	root.SetErr(errsTo)
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
	note, err := bufio.NewReader(errs).ReadString('\n')
	if err != nil {
		w.Fatal(err)
	}
	_, url, _ = strings.Cut(strings.TrimSpace(note), "listening at ")
	url, _, _ = strings.Cut(url, ",")
	return url, bufio.NewScanner(out)
}

// put makes crm the only webhook, with some URL and what else it has.
func (w *world) put(url, more string) {
	w.Helper()
	w.write("acme/a.yaml", acmeHead+"---\nwebhooks: {crm: {url: \""+url+"/hook\", events: [call.*], "+more+"}}\n---\n"+acmeMain)
	w.run("", "apply", w.dir)
}

func TestASampleIsSentVerifiedAndPrinted(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		url, printed := w.listening("", "--endpoint", "crm")
		w.put(url, `headers: {X-Value: "{{ secrets.CRM }}"}`)
		w.fails("secrets.CRM has no value", "webhooks", "test", "crm", "--http-allow", "127.0.0.1")
		if _, err := w.typed("canary", "secrets", "set", "CRM"); err != nil {
			t.Fatal(err)
		}
		w.fails("127.0.0.1", "webhooks", "test", "crm") // the guard
		out := make(chan string, 1)
		go func() {
			text, _, err := command(t, "webhooks", "test", "crm", "--http-allow", "127.0.0.1", "--event", "call.connected", "--config", w.settings)
			if err != nil {
				t.Error(err)
			}
			out <- text
		}()
		if !printed.Scan() || !strings.Contains(printed.Text(), "call.connected") || !strings.Contains(printed.Text(), "  verified  ") {
			t.Errorf("received %s", printed.Text())
		}
		if !printed.Scan() || !strings.Contains(printed.Text(), `"sample":true`) {
			t.Errorf("received %s", printed.Text())
		}
		got := <-out
		for _, want := range []string{"POST " + url + "/hook\n", "Webhook-Signature: v1,", "X-Value: ***\n", `{"type":"call.connected"`, "\n204 No Content in "} {
			if !strings.Contains(got, want) {
				t.Errorf("printed\n%s\nwithout %s", got, want)
			}
		}
		if strings.Contains(got, "canary") {
			t.Error("the secret was printed")
		}
	})
}

func TestWhatAnEndpointAnswersToASampleIsTold(t *testing.T) {
	onBoth(t, func(w *world) {
		w.hooked()
		asked := make(chan string, 10)
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked <- string(body)
			http.Error(rw, "not\x1b[31m today", http.StatusServiceUnavailable)
		}))
		defer server.Close()
		w.put(server.URL, `json: {id: "call.id"}, filter: 'tags.state == "none"'`)
		line := []string{"webhooks", "test", "crm", "--http-allow", "127.0.0.1", "--config", w.settings}
		out, errs, err := command(t, line...)
		if err == nil || !strings.Contains(err.Error(), "crm did not take it: 503 Service Unavailable") {
			t.Error(err)
		}
		if !strings.Contains(out, "\n503 Service Unavailable in ") || !strings.Contains(out, "\nnot\ufffd[31m today\n") || !strings.Contains(errs, "crm: its filter") {
			t.Errorf("printed %s, said %s", out, errs)
		}
		out, _, _ = command(t, append(line, "-o", "json")...)
		var told struct {
			Request  struct{ Method, Body string }
			Response struct {
				Status int
				Body   string
			}
		}
		if err := json.Unmarshal([]byte(out), &told); err != nil || told.Request.Method != "POST" || !strings.HasPrefix(told.Request.Body, `{"id":`) || told.Response.Status != 503 {
			t.Errorf("%v: %s", err, out)
		}
		if len(asked) != 2 {
			t.Errorf("it was asked %d times", len(asked))
		}
		_, errs, _ = command(t, append(line, "--event", "target.dialed")...)
		if !strings.Contains(errs, "its events do not name target.dialed") {
			t.Errorf("said %s", errs)
		}
		w.put(server.URL, "method: GET")
		if out, _, _ = command(t, line...); !strings.Contains(out, "GET "+server.URL) || strings.Contains(out, `"call.ended"`) {
			t.Errorf("printed a body that was not sent: %s", out)
		}
		w.fails(`did you mean "call.ended"?`, "webhooks", "test", "crm", "--event", "call.endet")
		w.fails(`there is no outgoing webhook crn`, "webhooks", "test", "crn")
	})
}

func TestTheSecretToListenWithComesFromAnywhere(t *testing.T) {
	w := &world{T: t, settings: settingsText(t, "data: "+t.TempDir()+"\n")}
	secret := standard.NewSecret()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]struct {
		env, input string
		line       []string
		want       string
	}{
		"file":        {line: []string{"--secret-file", file}, want: "  verified  "},
		"input":       {input: secret.Reveal() + "\n", line: []string{"--secret-file", "-"}, want: "  verified  "},
		"environment": {env: secret.Reveal(), want: "  verified  "},
		"none":        {want: "not verified: there is no secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(webhookSecret, of.env)
			w := &world{T: t, settings: w.settings}
			url, printed := w.listening(of.input, append(of.line, "--status", "418")...)
			r := delivered("msg_1", endedBody, secret)
			r.RequestURI = ""
			var err error
			if r.URL, err = r.URL.Parse(url); err != nil {
				t.Fatal(err)
			}
			status := make(chan int, 1)
			go func() {
				resp, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					status <- 0
					return
				}
				defer resp.Body.Close()
				status <- resp.StatusCode
			}()
			if !printed.Scan() || !strings.Contains(printed.Text(), of.want) {
				t.Errorf("printed %s", printed.Text())
			}
			printed.Scan() // the body
			if got := <-status; got != 418 {
				t.Errorf("answered %d", got)
			}
		})
	}
	hidden := "whsec_hidden"
	if err := os.WriteFile(file, []byte(hidden), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.fails("--secret-file: ", "webhooks", "listen", "--secret-file", file); err != nil && strings.Contains(err.Error(), hidden) {
		t.Error(err)
	}
	w.fails("--status: 99 is not 200 to 599", "webhooks", "listen", "--status", "99")
	w.fails("secret-file", "webhooks", "listen", "--secret-file", file, "--endpoint", "crm")
}
