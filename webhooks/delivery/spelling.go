package delivery

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

const (
	minPart  = 8 // characters of what is looked for besides a value itself: what is shorter is found everywhere
	maxWords = 8 // of a value
)

var words = regexp.MustCompile(`[0-9A-Za-z]{` + strconv.Itoa(minPart) + `,}`)

// formsOf returns what to look for where a value may be: itself; its longest words, which
// stay as they are in text that is escaped several times over; and all as others encode them.
func formsOf(value string) (forms []string) {
	parts := words.FindAllString(value, -1)
	slices.SortStableFunc(parts, func(a, b string) int { return len(b) - len(a) })
	for _, part := range append(parts[:min(len(parts), maxWords)], value) {
		forms = append(forms, part)
		for _, form := range encoded(part) {
			if len(form) >= minPart {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// encoded returns a text in hex and in base64. What it is in base64 depends on where in a
// group of three bytes it begins; characters that hold bits of its neighbours are left out.
func encoded(text string) []string {
	lower := hex.EncodeToString([]byte(text))
	out := []string{lower, strings.ToUpper(lower)}
	for before := range 3 {
		first := (before*8 + 5) / 6
		last := (before + len(text)) * 8 / 6
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			out = append(out, alphabet.EncodeToString([]byte("xx"[:before] + text))[min(first, last):last])
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

// jump is a place in a text, and in what it says.
type jump struct{ plain, text int }

// read reads a text up to an escape that was cut, and says where what it says is not as far
// from the beginning as before.
func (e escape) read(text, marks string) (plain string, jumps []jump) {
	var b strings.Builder
	for at := 0; ; {
		next := strings.IndexAny(text[at:], marks)
		if next < 0 {
			b.WriteString(text[at:])
			return b.String(), jumps
		}
		b.WriteString(text[at : at+next])
		at += next
		said, size, cut := e(text[at:])
		switch {
		case cut:
			return b.String(), jumps
		case size == 0:
			said, size = text[at:at+1], 1
		}
		b.WriteString(said)
		if at += size; len(said) != size {
			jumps = append(jumps, jump{b.Len(), at})
		}
	}
}

// origin returns where in a text a place of what it says is. A place within an escape may be
// any within it.
func origin(jumps []jump, plain int) int {
	n, _ := slices.BinarySearchFunc(jumps, plain, func(j jump, at int) int { return cmp.Compare(j.plain, at+1) })
	if n == 0 {
		return plain
	}
	return jumps[n-1].text + plain - jumps[n-1].plain
}

// span is a part of a text.
type span struct{ from, to int }

// find returns where in a text the forms are, whatever way it is written. Of a text that was
// cut it also finds at the end what is left of one.
func find(text string, forms []string, cut bool) (found []span) {
	if len(forms) == 0 {
		return nil
	}
	for _, e := range escapes {
		plain, jumps := text, []jump(nil)
		if e.read != nil {
			if !strings.ContainsAny(text, e.marks) {
				continue
			}
			plain, jumps = e.read.read(text, e.marks)
		}
		for _, form := range forms {
			for from := 0; ; {
				i := strings.Index(plain[from:], form)
				if i < 0 {
					break
				}
				from += i + len(form)
				found = append(found, span{origin(jumps, from-len(form)), origin(jumps, from)})
			}
			for n := min(len(form)-1, len(plain)); cut && n > 0; n-- {
				if strings.HasSuffix(plain, form[:n]) {
					found = append(found, span{origin(jumps, len(plain)-n), len(text)})
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
