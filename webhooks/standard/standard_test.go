package standard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// vectors are those of the reference libraries for Go and for Rust.
var vectors = []struct {
	secret, id string
	at         int64
	body, want string
}{
	{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	{"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, `{"email":"test@example.com","username":"test_user"}`, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
}

func parse(t *testing.T, text string) Secret {
	t.Helper()
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signed is the header of a message, as its sender makes it.
func signed(id string, at time.Time, body string, secrets ...Secret) http.Header {
	h := http.Header{}
	h.Set(ID, id)
	h.Set(Timestamp, Unix(at))
	h.Set(Signature, Sign(id, at, []byte(body), secrets...))
	return h
}

func TestReferenceVectors(t *testing.T) {
	for _, v := range vectors {
		for _, text := range []string{v.secret, strings.TrimPrefix(v.secret, "whsec_")} {
			at, secret := time.Unix(v.at, 0), parse(t, text)
			if got := Sign(v.id, at, []byte(v.body), secret); got != v.want {
				t.Errorf("%s: signed %s, want %s", v.id, got, v.want)
			}
			header := http.Header{ID: {v.id}, Timestamp: {fmt.Sprint(v.at)}, Signature: {v.want}}
			if err := Verify(header, []byte(v.body), at, secret); err != nil {
				t.Errorf("%s: %v", v.id, err)
			}
		}
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	old, current, foreign := NewSecret(), NewSecret(), NewSecret()
	const body = `{"type":"call.ended"}`
	set := func(name, value string) http.Header {
		h := signed("msg_1", now, body, current)
		h.Set(name, value)
		return h
	}
	good := Sign("msg_1", now, []byte(body), current)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		knows  []Secret
		want   string // empty: it is good
	}{
		"one secret":                      {signed("msg_1", now, body, current), body, []Secret{current}, ""},
		"the receiver knows the old one":  {signed("msg_1", now, body, current, old), body, []Secret{old}, ""},
		"the receiver knows the new one":  {signed("msg_1", now, body, current, old), body, []Secret{current}, ""},
		"the receiver knows both":         {signed("msg_1", now, body, old), body, []Secret{current, old}, ""},
		"other schemes beside":            {set(Signature, "v1a,AAAA v2,x "+good), body, []Secret{current}, ""},
		"broken ones beside":              {set(Signature, "v1 v1, v1,% "+good), body, []Secret{current}, ""},
		"five minutes old":                {signed("msg_1", now.Add(-5*time.Minute), body, current), body, []Secret{current}, ""},
		"five minutes ahead":              {signed("msg_1", now.Add(5*time.Minute), body, current), body, []Secret{current}, ""},
		"no body":                         {signed("msg_1", now, "", current), "", []Secret{current}, ""},
		"another secret":                  {signed("msg_1", now, body, foreign), body, []Secret{current, old}, "no signature"},
		"no secret":                       {signed("msg_1", now, body, current), body, nil, "no signature"},
		"the zero secret":                 {signed("msg_1", now, body, Secret{}), body, []Secret{{}}, "no signature"},
		"another body":                    {signed("msg_1", now, body, current), body + " ", []Secret{current}, "no signature"},
		"another id":                      {set(ID, "msg_2"), body, []Secret{current}, "no signature"},
		"another time":                    {set(Timestamp, "1700000001"), body, []Secret{current}, "no signature"},
		"another scheme alone":            {set(Signature, "v2"+good[2:]), body, []Secret{current}, "no signature"},
		"a part of the signature":         {set(Signature, good[:len(good)-4]), body, []Secret{current}, "no signature"},
		"far too many signatures":         {set(Signature, strings.Repeat("v1,AAAA ", 100)+good), body, []Secret{current}, "no signature"},
		"more than five minutes old":      {signed("msg_1", now.Add(-5*time.Minute-time.Second), body, current), body, []Secret{current}, "too far"},
		"more than five minutes ahead":    {signed("msg_1", now.Add(5*time.Minute+time.Second), body, current), body, []Secret{current}, "too far"},
		"no id":                           {set(ID, ""), body, []Secret{current}, "Webhook-Id is missing"},
		"no time":                         {set(Timestamp, ""), body, []Secret{current}, "Webhook-Timestamp is missing"},
		"no signature":                    {set(Signature, ""), body, []Secret{current}, "Webhook-Signature is missing"},
		"a dot that moves the id's end":   {set(ID, "msg.1"), body, []Secret{current}, "holds a dot"},
		"a time that is none":             {set(Timestamp, "2023-11-14"), body, []Secret{current}, "not a number"},
		"a time beyond what can be":       {set(Timestamp, "99999999999999999999"), body, []Secret{current}, "not a number"},
		"a time at the end of all time":   {set(Timestamp, "9223372036854775807"), body, []Secret{current}, "too far"},
		"a time at the beginning of time": {set(Timestamp, "-9223372036854775808"), body, []Secret{current}, "too far"},
	} {
		err := Verify(c.header, []byte(c.body), now, c.knows...)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if err := Verify(signed("msg_1", now, body, foreign), []byte(body), now, current); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	s := NewSecret()
	if again := parse(t, s.Reveal()); again != s || NewSecret() == s {
		t.Error("a secret is not what was written, or not random")
	}
	if n := len(s.key); n != 32 {
		t.Errorf("%d bytes", n)
	}
	for text, want := range map[string]string{
		"":                                      "0 bytes",
		"whsec_":                                "0 bytes",
		"whsec_s3cret!":                         "write whsec_",
		"whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "write whsec_",
		"whsec_" + strings.Repeat("AAAA", 7):    "21 bytes",
		"whsec_" + strings.Repeat("AAAA", 22):   "66 bytes",
	} {
		if _, err := ParseSecret(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	s := NewSecret()
	encoded, err := json.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %x %q", s, s, s, s), fmt.Sprintf("%+v", []any{struct{ S Secret }{s}, &s}), string(encoded)} {
		if strings.Contains(text, s.Reveal()[len(prefix):]) || strings.Contains(text, s.key) || strings.Contains(text, fmt.Sprintf("%x", s.key)) || !strings.Contains(text, "***") {
			t.Errorf("printed: %s", text)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	secret, at, body := NewSecret(), time.Now(), make([]byte, 1024)
	for b.Loop() {
		Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, secret)
	}
}
