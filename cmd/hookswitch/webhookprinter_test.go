package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/webhooks/standard"
)

// delivered is a request with a signed message, of now.
func delivered(id, body string, secret standard.Secret) *http.Request {
	r := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(standard.ID, id)
	r.Header.Set(standard.Timestamp, standard.Unix(now))
	r.Header.Set(standard.Signature, standard.Sign(id, now, []byte(body), secret))
	return r
}

// printer returns one with a secret, and where it prints.
func printer(t *testing.T, secret standard.Secret) (*webhookPrinter, *bytes.Buffer) {
	var out bytes.Buffer
	return &webhookPrinter{secrets: func(*http.Request) ([]standard.Secret, error) { return []standard.Secret{secret}, nil },
		status: 204, format: outputText, out: &out, failed: func(err error) { t.Error(err) }}, &out
}

const endedBody = `{"type":"call.ended", "data":{"call":{"id":"b2910c7d-1111"}}}`

func TestAPrinterSaysWhetherAMessageIsGood(t *testing.T) {
	secret := standard.NewSecret()
	wp, out := printer(t, secret)
	foreign := delivered("msg_2", endedBody, standard.NewSecret())
	old := delivered("msg_3", endedBody, secret)
	old.Header.Set(standard.Timestamp, "1614265330")
	unsigned := delivered("msg_4", endedBody, secret)
	unsigned.Header.Del(standard.Signature)
	changed := delivered("msg_5", endedBody, secret)
	changed.Body = http.NoBody
	for _, of := range []struct {
		r    *http.Request
		want string
	}{
		{delivered("msg_1", endedBody, secret), `call\.ended +call b2910c7d  verified  msg_1\n    {"type":"call\.ended","data":{"call":{"id":"b2910c7d-1111"}}}\n`},
		{delivered("msg_1", endedBody, secret), `verified  repeated  msg_1`},
		{foreign, `not verified: no signature of it is by the secret  msg_2`},
		{delivered("msg_2", endedBody, secret), `verified  msg_2`}, // what was not verified is not known
		{old, `not verified: its time is too far from now`},
		{unsigned, `not verified: header Webhook-Signature is missing`},
		{changed, `POST /hook +not verified: no signature`},
		{delivered("msg_6", "a=1&b=\x1b[31m", secret), `verified  msg_6\n    a=1&b=\x{fffd}\[31m\n`},
		{delivered("msg_7", "\xff\xfe\x00", secret), `\(3 bytes that are no text\)`},
	} {
		out.Reset()
		w := httptest.NewRecorder()
		wp.ServeHTTP(w, of.r)
		if w.Code != 204 || !regexp.MustCompile(of.want).MatchString(out.String()) {
			t.Errorf("%d, printed\n%swant %s", w.Code, out, of.want)
		}
	}
}

func TestAPrinterWithoutASecretVerifiesNothing(t *testing.T) {
	wp, out := printer(t, standard.Secret{})
	wp.secrets = nil
	wp.ServeHTTP(httptest.NewRecorder(), delivered("msg_1", endedBody, standard.NewSecret()))
	if !strings.Contains(out.String(), "not verified: there is no secret to verify it with") {
		t.Error(out)
	}
}

func TestAPrinterPrintsJSON(t *testing.T) {
	secret := standard.NewSecret()
	wp, out := printer(t, secret)
	wp.format = outputJSON
	wp.ServeHTTP(httptest.NewRecorder(), delivered("msg_1", endedBody, secret))
	wp.ServeHTTP(httptest.NewRecorder(), delivered("msg_2", "text", secret))
	d := json.NewDecoder(out)
	var first struct {
		received
		Body struct{ Type string } `json:"body"`
	}
	var second struct{ ID, Body string }
	if err := d.Decode(&first); err != nil || !first.Verified || first.Call != "b2910c7d-1111" || first.Body.Type != "call.ended" || first.Header["Content-Type"] != "application/json" {
		t.Errorf("%+v %v", first, err)
	}
	if err := d.Decode(&second); err != nil || second.Body != "text" {
		t.Errorf("%+v %v", second, err)
	}
}

func TestAPrinterPrintsHeadersAndLines(t *testing.T) {
	secret := standard.NewSecret()
	wp, out := printer(t, secret)
	wp.pretty = true
	wp.ServeHTTP(httptest.NewRecorder(), delivered("msg_1", `{"a":{"b":1}}`, secret))
	if want := "    {\n      \"a\": {\n        \"b\": 1\n      }\n    }\n"; !strings.HasSuffix(out.String(), want) || !strings.Contains(out.String(), "\n    Content-Type: application/json\n") {
		t.Error(out)
	}
}

func TestWhatIsTooLongIsRefusedByAPrinter(t *testing.T) {
	wp, out := printer(t, standard.NewSecret())
	w := httptest.NewRecorder()
	wp.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", maxReceived+1))))
	if w.Code != http.StatusRequestEntityTooLarge || out.Len() > 0 {
		t.Errorf("%d, printed %d bytes", w.Code, out.Len())
	}
}

func TestAPrinterAnswersWhatItWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := standard.NewSecret()
		wp, _ := printer(t, secret)
		wp.status, wp.delay = 503, time.Minute
		begin := time.Now()
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		wp.ServeHTTP(w, delivered("msg_1", endedBody, secret))
		if waited := time.Since(begin); w.Code != 503 || waited != time.Minute || !w.without {
			t.Errorf("%d after %v, %v", w.Code, waited, w.without)
		}
	})
}

// deadlined is a ResponseWriter of a server, whose deadline for the body may be taken away.
type deadlined struct {
	*httptest.ResponseRecorder
	without bool
}

func (d *deadlined) SetReadDeadline(at time.Time) error {
	d.without = at.IsZero()
	return nil
}
