package flowengine

import (
	"net/url"
	"slices"
	"strings"
)

// Address says what is wrong with the text as the address of requests, whose host is
// the same for every call: no caller may choose whom we talk to. It returns nil when
// all is well.
func (t *Text) Address() *SettingError {
	wrong := func(hint, message string) *SettingError { return &SettingError{Message: message, Hint: hint} }
	const example = "write it like https://api.example.com/callers/{{ caller.number }}"
	u, err := url.Parse(t.With("0"))
	if err != nil {
		return wrong(example, "it is no address")
	}
	origin := u.Scheme + "://" + u.Host
	parts := strings.Split(u.Path, "/")
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return wrong(example, "it is no address")
	case u.User != nil:
		return wrong("write headers: {Authorization: …}", "an address holds no user and no password")
	case !strings.HasPrefix(strings.ToLower(t.Head()), strings.ToLower(origin)):
		return wrong("begin it like https://api.example.com/", "the host must be written out, without {{ }}")
	case strings.Contains(t.With("0"), "#"):
		return wrong("leave it out, with what follows", "no server gets to see a #")
	case slices.Contains(parts, ".") || slices.Contains(parts, ".."):
		return wrong("write the path that is meant", "the path has a part . or ..")
	}
	return nil
}
