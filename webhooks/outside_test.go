package webhooks

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// watch is a server at every address of the machine that notes at which of them
// somebody connected. It answers a request for ?to=URL with a redirect there.
type watch struct {
	port uint16
	mu   sync.Mutex
	seen []netip.Addr
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{port: uint16(ln.Addr().(*net.TCPAddr).Port)}
	server := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if to := r.URL.Query().Get("to"); to != "" {
				rw.Header().Set("Location", to)
				rw.WriteHeader(http.StatusFound)
			}
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			addr := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, addr.Unmap().WithZone(""))
			return ctx
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server.SetKeepAlivesEnabled(false)
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return w
}

func (w *watch) at(host string) string { return net.JoinHostPort(host, strconv.Itoa(int(w.port))) }

// connects returns where somebody connected since it was last asked. Connections
// are accepted in the order in which they were made: one of its own, made last
// and answered, says that all of them have been.
func (w *watch) connects(t *testing.T) []netip.Addr {
	t.Helper()
	conn, err := net.Dial("tcp", w.at("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen[:len(w.seen)-1]
	w.seen = nil
	return seen
}

// nameServer is a resolver whose server, on loopback, gives every name the
// addresses that answer returns; n counts the look-ups, from 1.
func nameServer(t *testing.T, answer func(n int) []netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		counts := map[uint16]int{}
		for buf := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			end := 12 // RFC 1035, section 4: a header of 12 bytes, then labels until an empty one, type and class
			for buf[end] != 0 {
				end += 1 + int(buf[end])
			}
			end += 5
			kind := binary.BigEndian.Uint16(buf[end-4:])
			counts[kind]++
			reply := append(slices.Clone(buf[:min(end, n)]), make([]byte, 0, 512)...)
			copy(reply[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
			for _, addr := range answer(counts[kind]) {
				if addr.Is4() == (kind == 1) && (kind == 1 || kind == 28) { // A, AAAA
					reply[7]++
					reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(addr.BitLen()/8))
					reply = append(reply, addr.AsSlice()...)
				}
			}
			server.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func get(url string) call.Request {
	return call.Request{Method: "GET", URL: url, Timeout: time.Minute}
}

// tryAll attempts to reach a host in every way there is: as the host of a URL, as
// the address to dial without a look at its spelling, and, for an address, as the
// answer to a name.
func tryAll(t *testing.T, w *watch, host string) {
	t.Helper()
	client := NewClient(new(Guard))
	if _, err := client.Request(t.Context(), get("http://"+w.at(host)+"/")); err == nil {
		t.Errorf("a request to %s was answered", host)
	}
	if conn, err := new(Guard).DialContext(t.Context(), "tcp", w.at(host)); err == nil {
		conn.Close()
		t.Errorf("%s was dialled", host)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return
	}
	named := &Guard{resolver: nameServer(t, func(int) []netip.Addr { return []netip.Addr{addr} })}
	_, err = NewClient(named).Request(t.Context(), get("http://"+w.at("crm.example")+"/"))
	var blocked *BlockedError
	if !errors.As(err, &blocked) || blocked.Host != "crm.example" || blocked.Addr != addr.Unmap() {
		t.Errorf("a name of %s: %v", host, err)
	}
}

// The addresses at which something listens here: loopback, and all of our own.
func TestNothingReachesThisMachine(t *testing.T) {
	w := newWatch(t)
	hosts := []string{"127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "::1", "::", "localhost", "LOCALHOST."}
	hosts = append(hosts, spellings(netip.MustParseAddr("127.0.0.1"))...)
	hosts = append(hosts, spellings(netip.MustParseAddr("0.0.0.0"))...)
	ours, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range ours {
		hosts = append(hosts, netip.MustParsePrefix(a.String()).Addr().String())
	}
	for _, host := range hosts {
		tryAll(t, w, host)
	}
	if seen := w.connects(t); len(seen) > 0 {
		t.Errorf("connections to %v", seen)
	}
	open := Guard{Allow: prefixes("127.0.0.2/32")}
	if _, err := NewClient(&open).Request(t.Context(), get("http://"+w.at("127.0.0.2")+"/")); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if seen := w.connects(t); !slices.Equal(seen, []netip.Addr{netip.MustParseAddr("127.0.0.2")}) {
		t.Errorf("allowed, but connections to %v", seen)
	}
}

func TestRedirectIsAnAnswer(t *testing.T) {
	w := newWatch(t)
	client := NewClient(&Guard{Allow: prefixes("127.0.0.2/32")})
	for _, to := range []string{"http://" + w.at("127.0.0.1") + "/", "http://" + w.at("127.0.0.2") + "/", "/x", "gopher://127.0.0.1/", "http://[broken", ":"} {
		r := get("http://" + w.at("127.0.0.2") + "/?to=" + to)
		r.Retry = true
		answer, err := client.Request(t.Context(), r)
		if err != nil || answer.Status != http.StatusFound || answer.Tries != 1 {
			t.Errorf("%s: %+v, %v", to, answer, err)
		}
		if seen := w.connects(t); len(seen) != 1 {
			t.Errorf("%s was followed: connections to %v", to, seen)
		}
	}
}

// The name is public when somebody looks, and is not when it is dialled.
func TestNameThatChangesItsAnswer(t *testing.T) {
	w := newWatch(t)
	ok, bad := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	guard := &Guard{Allow: prefixes("127.0.0.2/32"), resolver: nameServer(t, func(n int) []netip.Addr {
		if n == 1 {
			return []netip.Addr{ok}
		}
		return []netip.Addr{bad}
	})}
	rebinds(t, w, guard, ok, bad)
}

func rebinds(t *testing.T, w *watch, guard *Guard, ok, bad netip.Addr) {
	t.Helper()
	client := NewClient(guard)
	if _, err := client.Request(t.Context(), get("http://"+w.at("crm.example")+"/")); err != nil {
		t.Error(err)
	}
	r := get("http://" + w.at("crm.example") + "/")
	r.Retry = true
	answer, err := client.Request(t.Context(), r)
	var blocked *BlockedError
	if !errors.As(err, &blocked) || blocked.Addr != bad || answer.Tries != 1 {
		t.Errorf("after the change: %d tries, %v", answer.Tries, err)
	}
	if seen := w.connects(t); !slices.Equal(seen, []netip.Addr{ok}) {
		t.Errorf("connections to %v", seen)
	}
}

func TestNameWithMixedAddresses(t *testing.T) {
	w := newWatch(t)
	ok, bad := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	for _, addrs := range [][]netip.Addr{{bad, ok}, {ok, bad}, {bad, netip.IPv6Loopback(), ok}} {
		guard := &Guard{Allow: prefixes("127.0.0.2/32"), resolver: nameServer(t, func(int) []netip.Addr { return addrs })}
		if _, err := NewClient(guard).Request(t.Context(), get("http://"+w.at("crm.example")+"/")); err != nil {
			t.Errorf("%v: %v", addrs, err)
		}
		if seen := w.connects(t); !slices.Equal(seen, []netip.Addr{ok}) {
			t.Errorf("%v: connections to %v", addrs, seen)
		}
	}
}

// TestMain names a proxy, which net/http would read once, with the first request.
func TestMain(m *testing.M) {
	os.Setenv("HTTP_PROXY", "http://127.0.0.3:1")
	m.Run()
}

func TestUnknownNameIsNotTriedAgain(t *testing.T) {
	c := NewClient(&Guard{resolver: nameServer(t, func(int) []netip.Addr { return nil })})
	r := get("http://crm.example/")
	r.Retry = true
	answer, err := c.Request(t.Context(), r)
	var unknown *net.DNSError
	if !errors.As(err, &unknown) || !unknown.IsNotFound || answer.Tries != 1 {
		t.Errorf("%d tries, %v", answer.Tries, err)
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	w := newWatch(t)
	ok := netip.MustParseAddr("127.0.0.2")
	guard := &Guard{Allow: prefixes("127.0.0.0/8"), resolver: nameServer(t, func(int) []netip.Addr { return []netip.Addr{ok} })}
	if _, err := NewClient(guard).Request(t.Context(), get("http://"+w.at("crm.example")+"/")); err != nil {
		t.Error(err)
	}
	if seen := w.connects(t); !slices.Equal(seen, []netip.Addr{ok}) {
		t.Errorf("connections to %v", seen)
	}
}

// everywhere makes every address one of this machine, in a network of its own:
// whatever is dialled there arrives. 8.8.4.4 stands on an interface besides.
const everywhere = `
ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
ip addr add 8.8.4.4/32 dev lo
`

// Every special address in every spelling, seen from outside of the process: in
// a network where any connection to any address is accepted, none comes.
func TestNothingReachesSpecialAddresses(t *testing.T) {
	if os.Getenv("HOOKSWITCH_TEST_EVERYWHERE") != "" {
		insideEverywhere(t)
		return
	}
	unshare := func(script string, args ...string) *exec.Cmd {
		flags := []string{"--net", "sh", "-ec", everywhere + script}
		if os.Getuid() != 0 {
			flags = append([]string{"--map-root-user"}, flags...)
		}
		cmd := exec.Command("unshare", append(flags, args...)...)
		cmd.Env = append(os.Environ(), "HOOKSWITCH_TEST_EVERYWHERE=1", "GODEBUG=netdns=cgo")
		return cmd
	}
	if out, err := unshare("").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, connections to special addresses were not watched from outside: a network of its own with unshare and ip: %v %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := unshare(`exec "$0" -test.v -test.run "^$1\$"`, self, t.Name()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "SKIPPED") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

func insideEverywhere(t *testing.T) {
	w := newWatch(t)
	var hosts []string
	for _, p := range special {
		for _, addr := range ends(p) {
			hosts = append(hosts, addr.String())
			if addr.Is4() {
				hosts = append(hosts, spellings(addr)...)
			} else {
				hosts = append(hosts, addr.StringExpanded(), addr.String()+"%lo")
			}
		}
	}

	t.Run("refused", func(t *testing.T) {
		for _, host := range hosts {
			tryAll(t, w, host)
		}
		if seen := w.connects(t); len(seen) > 0 {
			t.Errorf("connections to %v", seen)
		}
	})
	t.Run("redirect", func(t *testing.T) {
		client := NewClient(new(Guard))
		for _, host := range hosts {
			answer, err := client.Request(t.Context(), get("http://"+w.at("8.8.8.8")+"/?to=http://"+strings.ReplaceAll(w.at(host), "%", "%2525")))
			if err != nil || answer.Status != http.StatusFound {
				t.Fatalf("%s: %+v, %v", host, answer, err)
			}
		}
		seen := w.connects(t)
		if len(seen) != len(hosts) || slices.ContainsFunc(seen, func(a netip.Addr) bool { return a.String() != "8.8.8.8" }) {
			t.Errorf("%d connections for %d redirects, to %v", len(seen), len(hosts), slices.Compact(seen))
		}
	})
	t.Run("name that changes", func(t *testing.T) {
		ok := netip.MustParseAddr("8.8.8.8")
		for _, bad := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254"} {
			addr := netip.MustParseAddr(bad)
			rebinds(t, w, &Guard{resolver: nameServer(t, func(n int) []netip.Addr {
				return [][]netip.Addr{{ok}, {addr}}[min(n, 2)-1]
			})}, ok, addr)
		}
	})
	t.Run("own public address", func(t *testing.T) {
		tryAll(t, w, "8.8.4.4")
		if seen := w.connects(t); len(seen) > 0 {
			t.Errorf("connections to %v", seen)
		}
	})
	// The same hosts without the guard, and with one that allows all: the watch
	// sees them, so it would have seen the others.
	t.Run("control", func(t *testing.T) {
		open := &Guard{Allow: prefixes("0.0.0.0/0", "::/0")}
		var silent []string
		unread := 0
		for _, host := range hosts {
			conn, err := net.Dial("tcp", w.at(host))
			addr, invalid := netip.ParseAddr(host)
			switch {
			case err == nil:
				conn.Close()
				if seen := w.connects(t); len(seen) != 1 {
					t.Errorf("%s: connections to %v", host, seen)
				}
				if addr.Zone() != "" {
					continue
				}
				if conn, err = open.DialContext(t.Context(), "tcp", w.at(host)); err != nil {
					t.Errorf("%s, allowed: %v", host, err)
					continue
				}
				conn.Close()
				if seen := w.connects(t); len(seen) != 1 {
					t.Errorf("%s, allowed: connections to %v", host, seen)
				}
			case invalid != nil:
				unread++
			default:
				silent = append(silent, host)
			}
		}
		t.Logf("of %d hosts the resolver does not read %d, and the kernel has no TCP to %v", len(hosts), unread, silent)
		if len(silent) > len(hosts)/4 {
			t.Error("too many hosts cannot be reached even without the guard")
		}
		if unread > len(hosts)/4 {
			t.Log("SKIPPED: spellings that only the system's resolver reads were not dialled; this test was built without cgo")
		}
	})
}
