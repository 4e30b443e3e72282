// Package tags says what a tag can hold: of which type its values are, what bounds them, and
// who may write it.
//
// A value that does not fit its definition is refused. None is made to fit: a text that
// looks like a number is one only where the definition says number, and "yes" is no boolean.
// What is wrong is said without the value, which may be private.
package tags

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Type is what the values of a tag are.
type Type string

// The types.
const (
	Text    Type = "string"
	Number  Type = "number"
	Boolean Type = "boolean"
	Enum    Type = "enum" // one of Definition.Values
	Date    Type = "date" // ISO 8601: a day as 2026-07-31, or a moment as RFC 3339 writes it
)

// Types lists the types.
var Types = []Type{Text, Number, Boolean, Enum, Date}

// Sources lists where values come from: incoming webhooks, nodes of flows, headers of the
// INVITE, geography of the caller's number, the API, visitors of pages, bids.
var Sources = []string{"webhook", "flow", "sip", "geo", "api", "dni", "rtb"}

// Privacy says who gets to see the values.
type Privacy string

// The classes of privacy.
const (
	Public   Privacy = "public"   // everybody
	Internal Privacy = "internal" // the call log and the API, no webhook
	Private  Privacy = "private"  // likewise, but masked unless the key has scope private
)

// Classes lists the classes of privacy.
var Classes = []Privacy{Public, Internal, Private}

// Definition is what a tag can hold. It does not change.
type Definition struct {
	Name        string
	Description string // for people
	Type        Type
	Values      []string // of an Enum
	Min, Max    *float64 // of a Number; nil: no bound
	Sources     []string // who may write it; empty: all
	Privacy     Privacy
}

// MaxText bounds a text, in bytes.
const MaxText = 4 << 10

// Allowed says whether values may come from a source, which may be named more closely
// behind a colon, as in webhook:leads.
func (d *Definition) Allowed(source string) bool {
	kind, _, _ := strings.Cut(source, ":")
	return len(d.Sources) == 0 || slices.Contains(d.Sources, kind)
}

// Read returns a value as calls have it: a string, a bool, an int, or a float64 where a
// number is no whole one. It takes Go's types, json.Number, and texts as Spell writes them.
// The error says why the value does not fit, without the value or the name of the tag.
func (d *Definition) Read(value any) (any, error) {
	switch d.Type {
	case Number:
		return d.number(value)
	case Boolean:
		switch value {
		case true, "true":
			return true, nil
		case false, "false":
			return false, nil
		}
		return nil, errors.New("neither true nor false")
	}
	text, ok := value.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s, not a text", kindOf(value))
	case d.Type == Enum && !slices.Contains(d.Values, text):
		return nil, fmt.Errorf("none of its %d values", len(d.Values))
	case d.Type == Date && !isDate(text):
		return nil, errors.New("no date such as 2026-07-31 or 2026-07-31T12:00:00Z")
	case len(text) > MaxText:
		return nil, fmt.Errorf("a text of %d bytes; at most %d", len(text), MaxText)
	case !utf8.ValidString(text):
		return nil, errors.New("a text that is not UTF-8")
	}
	return text, nil
}

// Spell writes a value that Read returned as events have it. Read takes that, and returns
// the same value.
func Spell(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

const maxDigits = 40

// number returns an int or a float64, and only where that is exactly what is written.
func (d *Definition) number(value any) (any, error) {
	text := ""
	switch v := value.(type) {
	case int, int64, float64:
		text = Spell(wide(v))
	case string:
		text = v
	default:
		if n, ok := value.(fmt.Stringer); ok && reflect.TypeOf(value).Kind() == reflect.String { // json.Number
			text = n.String()
		}
	}
	if len(text) > maxDigits || !decimal.MatchString(text) {
		return nil, fmt.Errorf("no number such as 25 or -0.5, without an exponent, of at most %d characters", maxDigits)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("no number such as 25 or -0.5")
	}
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if strings.TrimPrefix(text, "-") == "0" {
		f, text = 0, "0"
	}
	switch {
	case Spell(f) != text:
		return nil, errors.New("a number of more digits than are exact, which are 15 or 16")
	case d.Min != nil && f < *d.Min:
		return nil, fmt.Errorf("below %s", Spell(*d.Min))
	case d.Max != nil && f > *d.Max:
		return nil, fmt.Errorf("above %s", Spell(*d.Max))
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return int(f), nil
	}
	return f, nil
}

// wide makes an int of an int64.
func wide(v any) any {
	if n, ok := v.(int64); ok {
		return int(n)
	}
	return v
}

func isDate(text string) bool {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return true
	}
	return new(time.Time).UnmarshalText([]byte(text)) == nil // stricter than time.Parse
}

// kindOf names what a value is.
func kindOf(value any) string {
	switch k := reflect.ValueOf(value).Kind(); k {
	case reflect.Invalid:
		return "nothing"
	case reflect.Bool:
		return "true or false"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	default:
		return "a number"
	}
}
