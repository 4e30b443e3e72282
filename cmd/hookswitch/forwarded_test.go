package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAProxySaysWhoAsks(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		peer string
		hops []string
		want string
	}{
		"no proxy":               {"203.0.113.9:5000", []string{"198.51.100.1"}, "203.0.113.9:5000"},
		"a proxy":                {"127.0.0.1:5000", []string{"198.51.100.1"}, "198.51.100.1:0"},
		"it says nothing":        {"127.0.0.1:5000", nil, "127.0.0.1:5000"},
		"two proxies":            {"127.0.0.1:5000", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1:0"},
		"two fields":             {"127.0.0.1:5000", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1:0"},
		"the client lies":        {"127.0.0.1:5000", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1:0"},
		"the client writes dirt": {"127.0.0.1:5000", []string{"<script>, 198.51.100.1"}, "198.51.100.1:0"},
		"IPv6":                   {"127.0.0.1:5000", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		"IPv4 in IPv6":           {"[::ffff:127.0.0.1]:5000", []string{"198.51.100.1"}, "198.51.100.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			h := forwarded(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.hops
			if h.ServeHTTP(httptest.NewRecorder(), r); got != c.want {
				t.Errorf("it came from %s, not %s", got, c.want)
			}
		})
	}
}
