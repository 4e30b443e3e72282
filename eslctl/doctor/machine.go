package doctor

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// machine is the one that the doctor runs on.
type machine struct {
	name      string
	addresses []netip.Addr
	proc      fs.FS // of Linux
}

func thisMachine() machine {
	m := machine{proc: os.DirFS("/proc")}
	m.name, _ = os.Hostname()
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			m.addresses = append(m.addresses, p.Addr().Unmap())
		}
	}
	return m
}

func (m machine) has(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(m.addresses, a) }

// local says whether FreeSWITCH runs on this machine: its address is one of
// ours, and it gives its host the same name. The name tells it from one behind
// a forwarded port, such as a container's.
func (x *exam) local(ctx context.Context) (bool, error) {
	if x.same != nil {
		return *x.same, nil
	}
	host, _, err := net.SplitHostPort(x.Switch)
	if err != nil {
		return false, err
	}
	addresses, err := lookUp(ctx, host)
	if err != nil {
		return false, err
	}
	name, err := x.ask(ctx, "hostname", "")
	if err != nil {
		return false, err
	}
	same := name == x.machine.name && slices.ContainsFunc(addresses, x.machine.has)
	x.same = &same
	return same, nil
}

func lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	return addresses, err
}

// listening returns the addresses at which something listens on the TCP port
// (proc_net_tcp of the Linux kernel's documentation).
func (m machine) listening(port uint16) (addresses []netip.Addr, err error) {
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		f, err := m.proc.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			fields := strings.Fields(s.Text())
			const listen = "0A"
			if len(fields) < 4 || fields[3] != listen {
				continue
			}
			if a, err := parseSocket(fields[1]); err == nil && a.Port() == port {
				addresses = append(addresses, a.Addr())
			}
		}
	}
	return addresses, nil
}

// parseSocket reads an address as /proc/net/tcp writes it: words of 32 bits in
// the machine's order, a colon, the port.
func parseSocket(s string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	words, err := hex.DecodeString(address)
	if err != nil || len(words) != 4 && len(words) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", s)
	}
	for i := 0; i < len(words); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:]))
	}
	a, _ := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// kernel returns a setting of net.ipv4.
func (m machine) kernel(name string) (int, error) {
	text, err := fs.ReadFile(m.proc, "sys/net/ipv4/"+name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
