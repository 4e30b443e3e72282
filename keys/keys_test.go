package keys_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/keys"
)

func TestAKeyIsReadAsItWasMade(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		k := keys.New()
		got, err := keys.Parse(k.Reveal())
		if err != nil || got != k || !bytes.Equal(got.Hash(), k.Hash()) || len(k.ID()) != 8 || !strings.HasPrefix(k.Reveal(), "hsk_"+k.ID()+"_") {
			t.Fatalf("%s: %v", k, err)
		}
		if seen[string(k.Hash())] || seen[k.ID()] {
			t.Fatal("made twice")
		}
		seen[string(k.Hash())], seen[k.ID()] = true, true
	}
}

// Parse is told apart from a wrong key by a person who reads the error, and no error holds
// what was typed.
func TestWhatIsNoKeyIsRefusedWithoutBeingRepeated(t *testing.T) {
	good := keys.New().Reveal()
	other := func(b byte) string { return string(rune('a' + (b-'a'+1)%26)) }
	for text, want := range map[string]string{
		"":                                      "there is no key",
		"sk_live_4eC39HqLyjWDarjtT1zdp7dc":      "keys begin with hsk_",
		strings.ToUpper(good):                   "keys begin with hsk_",
		" " + good:                              "keys begin with hsk_",
		good[:30]:                               "a key has 62 characters, this one 30",
		good + "\n":                             "a key has 62 characters, this one 63",
		strings.Repeat("hsk_", 1000):            "a key has 62 characters, this one 4000",
		good[:12] + "-" + good[13:]:             "this is no key: behind hsk_",
		good[:20] + "é" + good[22:]:             "this is no key: behind hsk_",
		good[:5] + "_" + good[6:]:               "this is no key: behind hsk_",
		good[:20] + other(good[20]) + good[21:]: "the key is mistyped",
		good[:5] + other(good[5]) + good[6:]:    "the key is mistyped",
		good[:61] + other(good[61]):             "the key is mistyped",
	} {
		k, err := keys.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
			continue
		}
		if k != (keys.Key{}) {
			t.Errorf("%q: a key came with the error", text)
		}
		for i := 0; i+12 <= len(text); i++ {
			if strings.Contains(err.Error(), text[i:i+12]) {
				t.Errorf("%v repeats the key", err)
			}
		}
	}
}

func TestAKeyIsNeverPrinted(t *testing.T) {
	k := keys.New()
	secret := k.Reveal()[13:]
	var printed bytes.Buffer
	slog.New(slog.NewTextHandler(&printed, nil)).Info("key", "key", k, "in", struct{ K keys.Key }{k})
	if err := json.NewEncoder(&printed).Encode(map[string]any{"key": k, "list": []keys.Key{k}}); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&printed, verb+" "+verb+" "+verb+"\n", k, &k, []keys.Key{k})
	}
	fmt.Fprintln(&printed, k, fmt.Errorf("with %v", k))
	for _, text := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
		if strings.Contains(printed.String(), text) {
			t.Error(printed.String())
		}
	}
	if !strings.Contains(printed.String(), "hsk_"+k.ID()+"_***") {
		t.Errorf("nothing says which key it is: %s", &printed)
	}
}

func TestScopesAreChecked(t *testing.T) {
	for want, scopes := range map[string][]string{
		"":                                      {keys.ReadCalls, keys.WriteTags, keys.Private},
		" ":                                     {"incoming:leads", "incoming:sales-2"},
		"a key has 1 to 20 scopes, this one 0":  {},
		"a key has 1 to 20 scopes, this one 21": make([]string, 21),
		`there is no scope "calls"`:             {"calls"},
		`there is no scope "CALLS:READ"`:        {"CALLS:READ"},
		`there is no scope "*"`:                 {"*"},
		`there is no scope ""`:                  {""},
		"scope calls:read is there twice":       {keys.ReadCalls, keys.ReadCalls},
		`scope "incoming:": behind incoming:`:   {"incoming:"},
		`scope "incoming:*"`:                    {"incoming:*"},
		`scope "incoming:NAME two"`:             {"incoming:NAME two"},
		"can have no other scopes":              {"incoming:leads", keys.ReadCalls},
	} {
		err := keys.Check(scopes)
		if strings.TrimSpace(want) == "" && err != nil || err == nil && strings.TrimSpace(want) != "" || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", scopes, err, want)
		}
	}
}

func TestAKeyMayDoWhatItsScopesSay(t *testing.T) {
	for _, of := range []struct {
		scopes  []string
		scope   string
		allowed bool
	}{
		{[]string{keys.ReadCalls}, keys.ReadCalls, true},
		{[]string{keys.ReadCalls}, keys.WriteTags, false},
		{[]string{keys.ReadCalls}, "incoming:leads", false},
		{[]string{"incoming:leads"}, "incoming:leads", true},
		{[]string{"incoming:leads"}, "incoming:lead", false},
		{[]string{"incoming:leads", keys.ReadCalls}, keys.ReadCalls, false},
		{[]string{"incoming:leads", keys.ReadCalls}, "incoming:leads", true},
		{nil, keys.ReadCalls, false},
		{nil, "", false},
	} {
		if got := keys.Allows(of.scopes, of.scope); got != of.allowed {
			t.Errorf("%q allow %s: %v", of.scopes, of.scope, got)
		}
	}
}

// The use of a key is due once a minute, and again where it could not be written.
func TestUsesAreNotedNowAndThen(t *testing.T) {
	var n keys.Noted
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		org, id string
		after   time.Duration
		due     bool
	}{{"acme", "a", 0, true}, {"acme", "a", 59 * time.Second, false}, {"acme", "b", 59 * time.Second, true}, {"bolt", "a", 59 * time.Second, true}, {"acme", "a", time.Minute, true}} {
		if got := n.Due(step.org, step.id, at.Add(step.after)); got != step.due {
			t.Errorf("use %d: due is %v", i, got)
		}
	}
	n.Forget("acme", "b")
	if !n.Due("acme", "b", at.Add(time.Minute)) {
		t.Error("a use that was not written is not due again")
	}
}
