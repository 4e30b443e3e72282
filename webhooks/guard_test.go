package webhooks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// special are the ranges of IANA's registries of special-purpose addresses for
// IPv4 and IPv6, and of those for multicast; site-local and IPv4-compatible
// addresses, which are no more (RFC 3879, RFC 4291).
var special = prefixes(
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
	"::/128", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
	"2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32",
	"2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
	"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	"169.254.169.254/32", "fd00:ec2::254/128", "64:ff9b::a9fe:a9fe/128", "2002:7f00:1::/128", // metadata of clouds; 127.0.0.1 by 6to4
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// ends returns the first and the last address of a range.
func ends(p netip.Prefix) []netip.Addr {
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(last)
	return slices.Compact([]netip.Addr{p.Addr(), addr})
}

// spellings returns an IPv4 address as resolvers have been seen to take it,
// each of which is a host in a URL but not four decimal numbers.
func spellings(addr netip.Addr) []string {
	b := addr.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	wide := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r + '０' - '0'
		}
		return '。'
	}, addr.String())
	return []string{
		fmt.Sprint(n), fmt.Sprintf("0x%x", n), fmt.Sprintf("0X%08X", n), fmt.Sprintf("0%o", n),
		fmt.Sprintf("%d.%d", b[0], n&0xffffff), fmt.Sprintf("%d.%d.%d", b[0], b[1], n&0xffff),
		fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", b[0], b[1], b[2], b[3]), fmt.Sprintf("0%o.0%o.0%o.0%o", b[0], b[1], b[2], b[3]),
		fmt.Sprintf("0%o.%d.0x%x.0%o", b[0], b[1], b[2], b[3]), fmt.Sprintf("0x%x.%d", b[0], n&0xffffff),
		addr.String() + ".", wide, "::ffff:" + addr.String(), fmt.Sprintf("::ffff:%x:%x", n>>16, n&0xffff),
		fmt.Sprintf("0:0:0:0:0:ffff:%x:%x", n>>16, n&0xffff),
	}
}

func TestSpecialAddressesAreRefused(t *testing.T) {
	for _, p := range special {
		allowed := Guard{Allow: []netip.Prefix{p}}
		for _, addr := range ends(p) {
			to := netip.AddrPortFrom(addr, 443)
			var blocked *BlockedError // by the URL with its host, by the dial without
			if err := new(Guard).check(to); !errors.As(err, &blocked) || blocked.Addr != addr {
				t.Errorf("%s of %s: %v", addr, p, err)
			}
			if _, err := new(Guard).parse("https://" + to.String() + "/"); err == nil || errors.As(err, &blocked) && blocked.Host != addr.String() {
				t.Errorf("URL with %s of %s: %v", addr, p, err)
			}
			if err := allowed.check(to); err != nil && !nat64.Contains(addr) {
				t.Errorf("%s, allowed: %v", addr, err)
			}
		}
	}
}

func TestPublicAddressesPass(t *testing.T) {
	for _, text := range []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "2001:200::", "2001:db7::1", "2001:db9::", "2003::", "2606:4700::1111", "3ffe::1", "3fff:1000::",
	} {
		addr := netip.MustParseAddr(text)
		for _, port := range []uint16{80, 443, 8080, 65535} {
			to := netip.AddrPortFrom(addr, port)
			if err := new(Guard).check(to); err != nil {
				t.Error(err)
			}
			if _, err := new(Guard).parse("http://" + to.String()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestAllowedNetworks(t *testing.T) {
	g := Guard{Allow: prefixes("127.0.0.0/8", "10.1.0.0/16", "64:ff9b::/96"), Closed: []uint16{8021}}
	for text, want := range map[string]string{
		"127.0.0.1:80":                 "",
		"127.0.0.1:8021":               "port 8021, of an event socket or of this server",
		"8.8.8.8:8021":                 "",
		"10.1.2.3:3000":                "",
		"10.2.0.1:3000":                "an address of a private network: refused; if requests may go there",
		"[::1]:80":                     "an address of this machine",
		"[fe80::1]:80":                 "a link-local address",
		"[fe80::1%lo]:80":              "with a zone",
		"224.0.0.1:80":                 "a multicast address",
		"192.0.2.1:80":                 "not a public address",
		"[64:ff9b::8.8.8.8]:80":        "", // through the translator
		"[64:ff9b::10.1.0.1]:80":       "",
		"[64:ff9b::10.2.0.1]:80":       "10.2.0.1, an address of a private network",
		"[64:ff9b::127.0.0.1]:8021":    "port 8021",
		"[64:ff9b:1::8.8.8.8]:80":      "not a public address",
		"[::ffff:10.1.2.3]:80":         "an address of a private network",
		"[2606:4700::1111%1]:80":       "with a zone",
		"[64:ff9b::169.254.169.254]:1": "a link-local address",
	} {
		err := g.check(netip.MustParseAddrPort(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestOwnPublicAddressesAreRefused(t *testing.T) {
	ours, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ours {
		p := netip.MustParsePrefix(a.String())
		if err := new(Guard).check(netip.AddrPortFrom(p.Addr(), 80)); err == nil {
			t.Errorf("%s passes", p.Addr())
		}
	}
}

func TestURLsAreChecked(t *testing.T) {
	for raw, want := range map[string]string{
		"https://crm.example/s3cret?q=1":         "",
		"http://crm.example:8080":                "",
		"https://[2606:4700::1111]/":             "",
		"https://xn--bcher-kva.example/":         "",
		"https://2.crm.example/":                 "",
		"":                                       "must begin with https://",
		"crm.example/s3cret":                     "must begin with https://",
		"ftp://crm.example/s3cret":               "must begin with https://",
		"file:///etc/s3cret":                     "must begin with https://",
		"https:s3cret":                           "no host",
		"https:///s3cret":                        "no host",
		"https://:443/s3cret":                    "no host",
		"https://crm.example:0/s3cret":           "1 to 65535",
		"https://crm.example:65536/s3cret":       "1 to 65535",
		"https://crm.example:s3cret/":            "cannot be read",
		"https://u:s3cret@crm.example/":          "Authorization",
		"https://s3cret@crm.example/":            "Authorization",
		"https://crm.example/\r\ns3cret":         "cannot be read",
		"https://crm.example/%s3cret":            "cannot be read",
		"https://crm.example s3cret/":            "cannot be read",
		"https://%31%32%37.0.0.1/s3cret":         "cannot be read",
		"https://bücher.example/s3cret":          "xn--",
		"https://127.0.0.1/s3cret":               "127.0.0.1, an address of this machine: refused; if requests may go there, add its network to the server's setting http_allow",
		"https://[::1]/s3cret":                   "::1, an address of this machine",
		"https://[fe80::1%25eth0]/s3cret":        "with a zone",
		"https://[::ffff:8.8.8.8]/s3cret":        "write 8.8.8.8",
		"https://0/s3cret":                       "four decimal numbers",
		"https://1.2.3.4.5/s3cret":               "four decimal numbers",
		"https://crm.0x/s3cret":                  "four decimal numbers",
		"https://crm.example/" + long("s3cret"):  "at most 8192",
		"HTTPS://10.0.0.1/s3cret":                "10.0.0.1, an address of a private network",
		"https://crm.example@127.0.0.1/s3cret":   "Authorization",
		"https://127.0.0.1#@crm.example/s3cret":  "127.0.0.1",
		"https://crm.example\\@127.0.0.1/s3cret": "cannot be read",
	} {
		_, err := new(Guard).parse(raw)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.50q: %v", raw, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.50q: %v, want %s", raw, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%.50q: the error tells too much: %v", raw, err)
		}
	}
	for _, host := range spellings(netip.MustParseAddr("127.0.0.1")) {
		if _, err := new(Guard).parse("http://" + net.JoinHostPort(host, "80")); err == nil {
			t.Errorf("%s passes", host)
		}
	}
}

func long(s string) string { return s + strings.Repeat("x", maxURL) }

func TestOnlyTCP(t *testing.T) {
	if err := new(Guard).control("udp4", "8.8.8.8:53", nil); err == nil {
		t.Error("UDP passes")
	}
	if err := new(Guard).control("unix", "/run/socket", nil); err == nil {
		t.Error("a Unix socket passes")
	}
}
