package main

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded hands requests to h as if they came from where a proxy says: from the last
// address of X-Forwarded-For that is not a proxy's. What stands before it is whatever the
// client likes.
func forwarded(proxies []netip.Prefix, h http.Handler) http.Handler {
	isProxy := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !isProxy(peer.Addr()) {
			h.ServeHTTP(w, r)
			return
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			a, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			r.RemoteAddr = netip.AddrPortFrom(a, 0).String()
			if !isProxy(a) {
				break
			}
		}
		h.ServeHTTP(w, r)
	})
}
