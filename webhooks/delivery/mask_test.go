package delivery

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/call"
)

// What is kept of a request and its answer holds no secret, however it was written.
func TestSecretsAreHidden(t *testing.T) {
	const canary = `s3cret "/+ü<é`
	h := new(mask).of([]string{canary, "s3cret", ""})
	sent := h.request(call.Request{
		Method: "POST",
		URL:    "https://crm.example/s3cret%20%22%2F+%C3%BC%3C%C3%A9/x?k=s3cret+%22%2F%2B%C3%BC%3C%C3%A9",
		Header: map[string]string{"X-Mine": "a " + canary, "Authorization": "Basic czNjcmV0", "cookie": "a=b", "X-Api-Key": "k", "X-Auth": "k", "X-Refresh-Token": "k", "Webhook-Signature": "v1,abc", "Content-Type": "application/json"},
		Body:   []byte(`{"k":"s3cret \"/+ü\u003cé","other":1}`),
	}, []byte("{}"))
	got := h.response(call.Response{Status: 200, Header: map[string]string{"Set-Cookie": "session", "X-Echo": canary}, Body: []byte("you said " + canary)})
	for what, text := range map[string]string{
		"url": sent.URL, "header": sent.Header["X-Mine"], "body": string(sent.Body), "answer": string(got.Body), "echo": got.Header["X-Echo"], "error": h.text("no host " + canary),
	} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "ü") || strings.Contains(text, "%C3%BC") || !strings.Contains(text, "***") {
			t.Errorf("%s: %s", what, text)
		}
	}
	for _, name := range []string{"Authorization", "cookie", "X-Api-Key", "X-Auth", "X-Refresh-Token"} {
		if sent.Header[name] != "***" {
			t.Errorf("%s: %s", name, sent.Header[name])
		}
	}
	if got.Header["Set-Cookie"] != "***" || sent.Header["Webhook-Signature"] != "v1,abc" || sent.Header["Content-Type"] != "application/json" {
		t.Errorf("%v, %v", sent.Header, got.Header)
	}
}

// Receivers that repeat what they were sent write it in their own way.
func TestSecretsAreHiddenHoweverTheyAreWritten(t *testing.T) {
	const canary = "s3cret/\"\\&+<é\U0001F511 x"
	h := new(mask).of([]string{canary})
	for name, written := range map[string]string{
		"as it is":              canary,
		"JSON of Go":            `s3cret/\"\\\u0026+\u003cé` + "\U0001F511 x",
		"JSON of PHP":           `s3cret\/\"\\&+<\u00e9\ud83d\udd11 x`,
		"JSON of Python":        `s3cret/\"\\&+<\u00e9\ud83d\udd11 x`,
		"a path":                "s3cret%2F%22%5C&+%3C%C3%A9%F0%9F%94%91%20x",
		"a path, in lower case": "s3cret%2f%22%5c&+%3c%c3%a9%f0%9f%94%91%20x",
		"a form":                "s3cret%2F%22%5C%26%2B%3C%C3%A9%F0%9F%94%91+x",
		"HTML":                  "s3cret/&#34;\\&amp;+&lt;&eacute;&#128273; x",
		"HTML, otherwise":       "s3cret/&quot;\\&#38;+&#x3c;é&#x1F511; x",
		"hex":                   hex.EncodeToString([]byte(canary)),
	} {
		if got := h.text("<" + written + ">"); got != "<***>" {
			t.Errorf("%s: %s", name, got)
		}
		for n := 4; n < len(written); n++ {
			if got, _ := h.body([]byte("<"+written[:n]), true); string(got) != "<***" {
				t.Errorf("%d bytes of %s: %s", n, name, got)
			}
		}
	}
	for before := range 4 {
		for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			whole := alphabet.EncodeToString([]byte("user:pass"[:before] + canary + "tail"))
			left := strings.Split(h.text(whole), stars)
			if len(left) != 2 || len(left[0]) > before*4/3+1 || len(left[1]) > 8 {
				t.Errorf("base64 behind %d bytes: %q of %s", before, left, whole)
			}
		}
	}
	const token = "tok-0123456789abcdef"
	h = new(mask).of([]string{token + "/é"})
	for _, written := range []string{`\\\"` + token + `\\\/\\u00e9`, url.QueryEscape(url.QueryEscape("{" + token + "/é}")),
		base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(token + "/é"))), hex.EncodeToString([]byte(`"` + token + `\u00e9"`))} {
		if got := h.text(written); !strings.Contains(got, stars) || strings.Contains(got, "cdef") {
			t.Errorf("escaped twice, %s became %s", written, got)
		}
	}
	for _, other := range []string{`\`, `\u00`, "%", "%zz", "&", "&amp", "&nothing;", `\ud83dx`, "a+b%20c"} {
		if got := h.text(other); got != other {
			t.Errorf("%q became %q", other, got)
		}
	}
}

// What an endpoint packs is not kept, since it may hold anything.
func TestWhatIsPackedIsNotKept(t *testing.T) {
	got := new(mask).of(nil).response(call.Response{Status: 200, Header: map[string]string{"Content-Encoding": "gzip"}, Body: []byte("\x1f\x8b")})
	if got.Body != nil || !got.Cut {
		t.Errorf("%q, cut %t", got.Body, got.Cut)
	}
}

// Neither does what is left of one at the end of a body that was cut.
func TestSecretsAreHiddenWhereABodyWasCut(t *testing.T) {
	h := new(mask).of([]string{"s3cret-canary"})
	for n := range len("s3cret-canary") + 1 {
		body := append(bytes.Repeat([]byte("x"), keptBody-n), "s3cret-canary"[:n]...)
		got := h.response(call.Response{Body: body, Cut: true})
		if !got.Cut || bytes.Contains(got.Body, []byte("s3")) || bytes.HasSuffix(got.Body, []byte("s")) {
			t.Errorf("%d bytes of it: …%s", n, got.Body[keptBody-20:])
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	h := new(mask).of(nil)
	long := call.Request{Body: bytes.Repeat([]byte("é"), keptBody), Header: map[string]string{"X-Long": strings.Repeat("é", keptValue)}}
	got := h.request(long, nil)
	if len(got.Body) != keptBody || !got.Cut {
		t.Errorf("a body of %d bytes, cut %t", len(got.Body), got.Cut)
	}
	if v := got.Header["X-Long"]; len(v) > keptValue+len("…") || !utf8.ValidString(v) {
		t.Errorf("a header of %d bytes", len(v))
	}
	if got := h.request(call.Request{Body: []byte("{}")}, []byte("{}")); got.Body != nil || got.Cut {
		t.Errorf("the standard body is kept again: %s", got.Body)
	}
}
