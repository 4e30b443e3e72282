package flowengine

import (
	"errors"
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
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return wrong(example, "it is no address")
	case u.User != nil:
		return wrong("write headers: {Authorization: …}", "an address holds no user and no password")
	case !strings.HasPrefix(strings.ToLower(t.Head()), strings.ToLower(origin)):
		return wrong("begin it like https://api.example.com/", "the host must be written out, without {{ }}")
	case strings.Contains(t.With("0"), "#"):
		return wrong("leave it out, with what follows", "no server gets to see a #")
	case leaves(u):
		return wrong("write the path that is meant", "the path has a part . or ..")
	}
	return nil
}

// Address returns the text as the address of a request. A value in it is one segment of
// the path, or of the query one name or value, whatever it holds.
func (s *Session) Address(t *Text) (string, error) {
	if err := s.has(t); err != nil {
		return "", err
	}
	return t.address(s.environment())
}

func (t *Text) address(env *environment) (string, error) {
	text, err := t.template.render(env, func(before, value string) string {
		if strings.Contains(before, "?") {
			return url.QueryEscape(value)
		}
		return url.PathEscape(value)
	})
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("it is none") // the error repeats it
	}
	if leaves(u) {
		return "", errors.New("a value makes . or .. of a part of the path")
	}
	return u.String(), nil
}

// leaves says whether a part of the path leads to another place of the server.
func leaves(u *url.URL) bool {
	parts := strings.Split(u.Path, "/")
	return slices.Contains(parts, ".") || slices.Contains(parts, "..")
}
