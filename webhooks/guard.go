package webhooks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Guard lets requests out to the public internet only, to any port there, and
// to what the operator allows. The zero Guard allows nothing beyond the public.
type Guard struct {
	Allow  []netip.Prefix // networks that may be reached although they are not public (setting http_allow)
	Closed []uint16       // ports that stay closed in them: those of the event sockets, and our own

	resolver *net.Resolver // nil: the usual one
}

// BlockedError says that the guard refused an address. Nothing was sent to it.
type BlockedError struct {
	Host string // as it stands in the URL
	Addr netip.Addr
	Why  string // what kind of address it is, and what would permit it
}

func (e *BlockedError) Error() string {
	address := e.Addr.String()
	if e.Host != "" && e.Host != address {
		address = e.Host + " is " + address
	}
	return address + ", " + e.Why
}

// public refuses what is in IANA's registries of special addresses, multicast,
// and in IPv6 whatever is outside of 2000::/3.
var public = ssrf.New(ssrf.WithAnyPort())

// nat64 is the prefix behind which a translator reaches IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// dialLimit bounds the time to connect to a host, all of its addresses together.
const dialLimit = 5 * time.Second

// DialContext connects to a host if the guard lets it. What is checked is the
// address that is about to be dialled, after the name was looked up, so that
// neither the spelling nor a name that changes its answer matters. Of a name
// with several addresses those that are refused are passed over.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialLimit, Resolver: g.resolver, Control: g.control}
	conn, err := dialer.DialContext(ctx, network, address)
	var blocked *BlockedError
	if errors.As(err, &blocked) {
		if blocked.Host, _, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
		return nil, blocked
	}
	return conn, err
}

// control runs between the making of a socket and its connect (net.Dialer.Control).
func (g *Guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("requests go over TCP, not %s", network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return g.check(to)
}

// check returns a *BlockedError without its Host for an address that must not
// be dialled.
func (g *Guard) check(to netip.AddrPort) error {
	addr := to.Addr()
	refuse := func(why string) error { return &BlockedError{Addr: addr, Why: why} }
	if addr.Zone() != "" {
		return refuse("an address with a zone: refused")
	}
	if slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		if slices.Contains(g.Closed, to.Port()) {
			return refuse(fmt.Sprintf("port %d, of an event socket or of this server: refused also in the networks of http_allow", to.Port()))
		}
		if nat64.Contains(addr) { // whoever needs the translator allows all of its prefix
			v6 := addr.As16()
			return g.check(netip.AddrPortFrom(netip.AddrFrom4([4]byte(v6[12:])), to.Port()))
		}
		return nil
	}
	if public.SafeAddr(addr) != nil {
		return refuse(kind(addr) + permit)
	}
	// A public address of our own leads past the firewall to whatever listens here.
	ours, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("addresses of this machine: %w", err)
	}
	for _, a := range ours {
		if p, ok := a.(*net.IPNet); ok && p.IP.Equal(addr.AsSlice()) {
			return refuse("an address of this machine" + permit)
		}
	}
	return nil
}

const permit = ": refused; if requests may go there, add its network to the server's setting http_allow"

func kind(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "an address of this machine"
	case addr.IsPrivate():
		return "an address of a private network"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	case addr.IsMulticast():
		return "a multicast address"
	}
	return "not a public address"
}

// maxURL bounds a URL in bytes.
const maxURL = 8192

// number is what the system's resolver may take for the last part of an IPv4
// address (inet_aton: decimal, octal or hexadecimal, and fewer parts than four).
var number = regexp.MustCompile(`^([0-9]+|0[xX][0-9A-Fa-f]*)$`)

// parse reads a URL, and says what is wrong with it, as far as that shows without
// looking up a name: a literal address that would be refused is a *BlockedError. No
// error repeats more of the URL than its host.
func (g *Guard) parse(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, fmt.Errorf("URL of %d bytes: at most %d", len(raw), maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil { // which repeats the URL
		return nil, errors.New("URL cannot be read; write it like https://crm.example/path, and what is special in it as %XX")
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("URL must begin with https:// or http://")
	case host == "":
		return nil, errors.New("URL has no host; write it like https://crm.example/path")
	case u.User != nil:
		return nil, errors.New("URL holds a user or password; send it in the header Authorization")
	case strings.ContainsFunc(host, func(r rune) bool { return r > 126 }):
		return nil, fmt.Errorf("host %q: write a name with other letters than a to z in its xn-- form", host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("port %s of host %q: 1 to 65535", port, host)
	}
	return u, g.checkLiteral(host, uint16(n))
}

// checkLiteral checks a host that is an address, or would be one to some resolver.
func (g *Guard) checkLiteral(host string, port uint16) error {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		name := strings.TrimSuffix(host, ".")
		if number.MatchString(name[strings.LastIndexByte(name, '.')+1:]) {
			return fmt.Errorf("host %q is neither a name nor an IPv4 address of four decimal numbers", host)
		}
		return nil
	}
	if addr.Is4In6() {
		return fmt.Errorf("host %q is an IPv4 address written as IPv6; write %s", host, addr.Unmap())
	}
	err = g.check(netip.AddrPortFrom(addr, port))
	var blocked *BlockedError
	if errors.As(err, &blocked) {
		blocked.Host = host
	}
	return err
}
