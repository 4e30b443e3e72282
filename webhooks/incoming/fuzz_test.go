package incoming

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/tags"
)

const fuzzed = `
tags: {state: {type: enum, values: [TX, FL]}, n: {type: number, min: 0, max: 9}, yes: {type: boolean}, day: {type: date}, text: {}}
incoming: {leads: {accepts: [call-data, update-tags, update-revenue, update-fields]}}
`

// Whatever comes, it is refused with a reason or stays within every bound, and what comes
// of it is what the definitions allow.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"caller_id": "+12125550199", "state": "TX", "custom_data": {"n": 7, "x": [1, {"y": null}]}}`,
		`{"call_id": "1", "add": [{"name": "text", "value": "4111 1111 1111 1111"}, "state=TX"], "remove": "yes,day", "converted": 1}`,
		`{"call_id": "1", "revenue": 0.1, "payout": "25.00", "currency": "USD", "no_payout_reason": "x", "call_converted_at": "2026-07-31T12:00:00Z"}`,
		`caller_id=2125550199&state=TX&remove=a&remove=b`, `[[[[`, `{"a":1,"a":2}`, "{\"\xff\":1}", `{"n":1e999}`,
	} {
		f.Add("application/json", []byte(body))
		f.Add("application/x-www-form-urlencoded", []byte(body))
	}
	f.Add("", []byte("hsk_12345678_key"))
	s, problems := flowengine.LoadFile("f.yaml", []byte(fuzzed), nodes.Kinds)
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	org, _ := s.Organization("")
	hook, _ := org.Incoming("leads")
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		o, err := readBody(contentType, body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if depth := depthOf(o); depth > maxDepth {
			t.Errorf("%d deep", depth)
		}
		q := &query{org: org, hook: hook}
		kept, err := json.Marshal(q.mask(o))
		if err != nil || !json.Valid(kept) || ownKeys.Match(kept) {
			t.Errorf("kept as %s: %v", kept, err)
		}
		for _, kind := range flowengine.Operations {
			p, err := evaluate(org, hook, kind, flatten(o, nil, wholeNames(kind)...), time.Unix(1e9, 0))
			if err != nil {
				checkRefusal(t, err)
				continue
			}
			if len(p.input.Events) > maxKeys+maxItems || (p.input.Call == "") == (p.input.Caller == "") {
				t.Errorf("input %+v", p.input)
			}
			for _, e := range p.input.Events {
				checkEvent(t, org, e)
			}
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Status < http.StatusBadRequest || refusal.Status >= http.StatusInternalServerError || refusal.Why == "" || refusal.Where == "" {
		t.Errorf("refused with %#v", err)
	}
}

func checkEvent(t *testing.T, org *flowengine.Organization, e call.Event) {
	t.Helper()
	switch e.Type {
	case call.Tagged:
		d, ok := org.Tag(e.Attrs["tag"])
		if !ok {
			t.Fatalf("tag %q is not defined", e.Attrs["tag"])
		}
		if value, err := d.Read(e.Attrs["value"]); e.Attrs["removed"] == "" && (err != nil || tags.Spell(value) != e.Attrs["value"]) {
			t.Errorf("tag %s is %q: %v", d.Name, e.Attrs["value"], err)
		}
	case call.Money:
		if a, err := call.ParseAmount(e.Attrs["amount"]); err != nil || a < 0 || len(e.Attrs["currency"]) != 3 {
			t.Errorf("money %v: %v", e.Attrs, err)
		}
	case call.Converted:
		if !slices.Contains([]string{"true", "false"}, e.Attrs["converted"]) {
			t.Errorf("converted %v", e.Attrs)
		}
	default:
		t.Errorf("event %s", e.Type)
	}
}

func depthOf(v any) int {
	deepest := -1
	switch v := v.(type) {
	case object:
		for _, m := range v {
			deepest = max(deepest, depthOf(m.value))
		}
	case list:
		for _, one := range v {
			deepest = max(deepest, depthOf(one))
		}
	default:
		return 0
	}
	return max(deepest, 0) + 1
}

// Cards are masked however their digits are grouped, and what merely looks like one is not.
func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"4111111111111111":                     masked,
		"pay 4111-1111-1111-1111 now":          "pay *** now",
		"4111 1111 1111 1111 12 25":            "*** 12 25",
		"1 4111 1111 1111 1111":                "1 ***",
		"4111.1111.1111.1111.":                 "***.",
		"4111  1111 / 1111_1111, 4111":         "***, 4111",
		"4111\u00a01111\u20111111\u20131111":   "***",
		"/?c=4111%201111%2D1111%2d1111&d=+20":  "/?c=***&d=+20",
		"40.712775312345 and 45.11341234":      "40.712775312345 and 45.11341234",
		"378282246310005 and 6011000990139424": "*** and ***",
		"4111111111111112":                     "4111111111111112", // no checksum
		"1751371200000":                        "1751371200000",    // a moment in milliseconds
		"+442079460000":                        "+442079460000",
		"hsk_7Qm2XbLc_abc.":                    "***.",
		strings.Repeat("4", 40):                strings.Repeat("4", 40),
	} {
		if got := mask(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
