package delivery

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// minEncoded is the length, in characters, from which on a value is looked for in base64 and
// hex: what is shorter is found everywhere.
const minEncoded = 8

// formsOf returns what to look for where a value may be: itself, and as others encode it as
// a whole.
func formsOf(value string) []string {
	out := []string{value}
	add := func(form string) {
		if len(form) >= minEncoded {
			out = append(out, form)
		}
	}
	lower := hex.EncodeToString([]byte(value))
	add(lower)
	add(strings.ToUpper(lower))
	// In base64 three characters in front are as good as none: what a value looks like
	// depends on where in a group of three it begins. Characters that hold bits of its
	// neighbours are left out.
	for before := range 3 {
		first := (before*8 + 5) / 6
		last := (before + len(value)) * 8 / 6
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			add(alphabet.EncodeToString([]byte(strings.Repeat("x", before) + value))[min(first, last):last])
		}
	}
	return out
}

// escape reads what stands for something else at the beginning of a text; size 0 says that
// nothing does, and cut that the text ends in the middle of it.
type escape func(text string) (plain string, size int, cut bool)

// escapes are the ways in which a text may be written, by the characters that show them.
var escapes = []struct {
	marks string
	read  escape
}{
	{"", nil},
	{"%", readPercent},
	{"%+", readForm},
	{`\`, readBackslash},
	{"&", readEntity},
}

// readForm reads as forms are written: %2F, and + for a space.
func readForm(text string) (string, int, bool) {
	if text[0] == '+' {
		return " ", 1, false
	}
	return readPercent(text)
}

// readPercent reads %2F (URLs).
func readPercent(text string) (string, int, bool) {
	if text[0] != '%' {
		return "", 0, false
	}
	if len(text) < 3 {
		return "", 0, true
	}
	plain, err := url.PathUnescape(text[:3])
	if err != nil {
		return "", 0, false
	}
	return plain, 3, false
}

// readBackslash reads \" \/ \\ \n \u00e9 (JSON, RFC 8259, section 7).
func readBackslash(text string) (string, int, bool) {
	if text[0] != '\\' {
		return "", 0, false
	}
	if len(text) < 2 {
		return "", 0, true
	}
	if i := strings.IndexByte(`"\/bfnrt`, text[1]); i >= 0 {
		return "\"\\/\b\f\n\r\t"[i : i+1], 2, false
	}
	r, ok, cut := readUnit(text)
	if !ok {
		return "", 0, cut
	}
	if utf16.IsSurrogate(r) {
		second, ok, cut := readUnit(text[6:])
		if !ok {
			return "", 0, cut
		}
		return string(utf16.DecodeRune(r, second)), 12, false
	}
	return string(r), 6, false
}

// readUnit reads \u and four digits.
func readUnit(text string) (r rune, ok, cut bool) {
	if len(text) < 6 {
		return 0, false, strings.HasPrefix(`\u`, text[:min(len(text), 2)])
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil && text[:2] == `\u`, false
}

const maxEntity = 10 // bytes

// readEntity reads &amp; and &#34; (HTML and XML).
func readEntity(text string) (string, int, bool) {
	if text[0] != '&' {
		return "", 0, false
	}
	text = text[:min(len(text), maxEntity)]
	end := strings.IndexByte(text, ';')
	if end < 0 {
		return "", 0, len(text) < maxEntity
	}
	plain := html.UnescapeString(text[:end+1])
	if plain == text[:end+1] {
		return "", 0, false
	}
	return plain, end + 1, false
}

// read reads a text in which some things stand for others, and where in it each byte of what
// it says is; where ends with the place that was read up to.
func (e escape) read(text string) (plain string, where []int) {
	var out []byte
	for i := 0; i < len(text); {
		said, size, cut := e(text[i:])
		if cut {
			return string(out), append(where, i)
		}
		if size == 0 {
			said, size = text[i:i+1], 1
		}
		for range len(said) {
			where = append(where, i)
		}
		out = append(out, said...)
		i += size
	}
	return string(out), append(where, len(text))
}

// span is a part of a text.
type span struct{ from, to int }

// find returns where in a text the forms are, whatever way it is written. Of a text that was
// cut it also finds at the end what is left of one.
func find(text string, forms []string, cut bool) (found []span) {
	for _, e := range escapes {
		plain, at := text, func(i int) int { return i }
		if e.read != nil {
			if !strings.ContainsAny(text, e.marks) {
				continue
			}
			var where []int
			plain, where = e.read.read(text)
			at = func(i int) int { return where[i] }
		}
		for _, form := range forms {
			for from := 0; ; {
				i := strings.Index(plain[from:], form)
				if i < 0 {
					break
				}
				found = append(found, span{at(from + i), at(from + i + len(form))})
				from += i + len(form)
			}
			for n := min(len(form)-1, len(plain)); cut && n > 0; n-- {
				if strings.HasSuffix(plain, form[:n]) {
					found = append(found, span{at(len(plain) - n), len(text)})
					break
				}
			}
		}
	}
	return found
}

// without returns a text with *** in the place of the spans.
func without(text string, spans []span) string {
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	end := 0
	for _, s := range spans {
		if s.from >= end {
			b.WriteString(text[end:s.from])
			b.WriteString(stars)
		}
		end = max(end, s.to)
	}
	b.WriteString(text[end:])
	return b.String()
}
