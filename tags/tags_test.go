package tags_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/tags"
)

func limit(f float64) *float64 { return &f }

func TestValuesAreHeldAgainstTheirDefinition(t *testing.T) {
	const fits = ""
	text, enum, boolean, date := tags.Definition{Type: tags.Text}, tags.Definition{Type: tags.Enum, Values: []string{"TX", "1"}}, tags.Definition{Type: tags.Boolean}, tags.Definition{Type: tags.Date}
	number, share := tags.Definition{Type: tags.Number}, tags.Definition{Type: tags.Number, Min: limit(0), Max: limit(1.5)}
	for _, c := range []struct {
		definition tags.Definition
		value      any
		want       any
		why        string // a part of it
	}{
		{text, "Zoë\n", "Zoë\n", fits},
		{text, "", "", fits},
		{text, strings.Repeat("x", 4096), strings.Repeat("x", 4096), fits},
		{text, strings.Repeat("x", 4097), nil, "4097 bytes"},
		{text, "\xff", nil, "not UTF-8"},
		{text, 75001, nil, "a number, not a text"},
		{text, json.Number("75001"), nil, "a number, not a text"},
		{text, true, nil, "true or false, not a text"},
		{text, nil, nil, "nothing, not a text"},
		{text, map[string]any{}, nil, "an object, not a text"},
		{text, []any{}, nil, "a list, not a text"},

		{enum, "TX", "TX", fits},
		{enum, "1", "1", fits},
		{enum, "tx", nil, "none of its 2 values"},
		{enum, " TX", nil, "none of its 2 values"},
		{enum, 1, nil, "a number, not a text"},

		{boolean, true, true, fits},
		{boolean, "false", false, fits},
		{boolean, "yes", nil, "neither true nor false"},
		{boolean, "True", nil, "neither true nor false"},
		{boolean, 1, nil, "neither true nor false"},
		{boolean, map[string]any{}, nil, "neither true nor false"},

		{date, "2026-07-31", "2026-07-31", fits},
		{date, "2026-07-31T12:00:00.5+02:00", "2026-07-31T12:00:00.5+02:00", fits},
		{date, "2026-02-30", nil, "no date"},
		{date, "2026-7-31", nil, "no date"},
		{date, "31.07.2026", nil, "no date"},
		{date, "2026-07-31T12:00:00", nil, "no date"},
		{date, "2026-07-31 12:00:00Z", nil, "no date"},
		{date, 20260731, nil, "a number, not a text"},

		{number, 5000, 5000, fits},
		{number, int64(5000), 5000, fits},
		{number, 0.1 + 0.2, 0.1 + 0.2, fits},
		{number, json.Number("25.10"), 25.1, fits},
		{number, "-0.50", -0.5, fits},
		{number, "25.0", 25, fits},
		{number, "-0", 0, fits},
		{number, "9007199254740991", 9007199254740991, fits},
		{number, "9007199254740993", nil, "more digits than are exact"},
		{number, 1<<53 + 1, nil, "more digits than are exact"},
		{number, "0.12345678901234567890", nil, "more digits than are exact"},
		{number, strings.Repeat("9", 41), nil, "at most 40 characters"},
		{number, "1e3", nil, "without an exponent"},
		{number, json.Number("1e3"), nil, "without an exponent"},
		{number, "1,000", nil, "no number"},
		{number, "007", nil, "no number"},
		{number, "+5", nil, "no number"},
		{number, " 5", nil, "no number"},
		{number, "", nil, "no number"},
		{number, math.NaN(), nil, "no number"},
		{number, math.Inf(1), nil, "no number"},
		{number, true, nil, "no number"},
		{number, nil, nil, "no number"},
		{number, []any{5}, nil, "no number"},

		{share, 0, 0, fits},
		{share, "1.5", 1.5, fits},
		{share, "-0.1", nil, "below 0"},
		{share, 1.6, nil, "above 1.5"},
	} {
		got, err := c.definition.Read(c.value)
		switch {
		case c.why == fits && (err != nil || got != c.want):
			t.Errorf("%s %#v is %#v, %v", c.definition.Type, c.value, got, err)
		case c.why != fits && (err == nil || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s %#v: %#v, %v", c.definition.Type, c.value, got, err)
		}
	}
}

func TestSources(t *testing.T) {
	some, all := tags.Definition{Sources: []string{"webhook", "api"}}, tags.Definition{}
	for source, want := range map[string]bool{"webhook": true, "webhook:leads": true, "api": true, "flow": false, "webhooks": false, "": false} {
		if some.Allowed(source) != want || !all.Allowed(source) {
			t.Errorf("%q: %v, want %v", source, some.Allowed(source), want)
		}
	}
}

// FuzzRead: what is read is spelt, and the same when it is read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"TX", "25.10", "-0.0", "9007199254740993", "true", "2026-07-31T12:00:00Z", "\xff", "1e400", "0.30000000000000004"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range tags.Types {
			d := tags.Definition{Type: kind, Values: []string{"TX", text}}
			v, err := d.Read(text)
			if err != nil {
				if len(text) > 12 && strings.Contains(err.Error(), text) {
					t.Errorf("%s: the error repeats the value: %v", kind, err)
				}
				continue
			}
			if again, err := d.Read(tags.Spell(v)); err != nil || again != v {
				t.Errorf("%s %q: %#v, then %#v, %v", kind, text, v, again, err)
			}
			if again, err := d.Read(v); err != nil || again != v {
				t.Errorf("%s: %#v is read as %#v, %v", kind, v, again, err)
			}
		}
	})
}
