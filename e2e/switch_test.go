//go:build freeswitch

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// freeswitch is a FreeSWITCH of our own: the shipped configuration in a folder
// of its own, on loopback and free ports.
type freeswitch struct {
	dir      string
	cmd      *exec.Cmd
	exited   chan struct{}
	sip      string // where calls are sent
	events   string // event socket
	password string
}

// switchOptions are what a test's FreeSWITCH is told beyond the shipped
// configuration.
type switchOptions struct {
	nodes, takeover string // socket lists
	lastResort      string // number, empty: hang up
	callees         string // where the gateway sends its calls
	logLevel        string
	apiExpansion    bool
	extensions      string // XML, of the context that calls come into, before that of Hookswitch
}

// Ports of servers and switches are below the range from which the system takes
// those of clients: a server that is killed must find its port free again.
var (
	nextPort  = atomic.Int32{}
	nextMedia = atomic.Int32{}
)

const (
	firstPort, lastPort   = 10000, 17999
	firstMedia, lastMedia = 18000, 32399
	mediaPorts            = 400 // of one switch
)

// freePorts returns n ports that are free for TCP and UDP on loopback, each
// given out once.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range lastPort - firstPort {
		port := firstPort + int(nextPort.Add(1)+int32(os.Getpid()))%(lastPort-firstPort)
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		l.Close()
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		u.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free ports on loopback")
}

// starting bounds how many switches start at once: each takes a processor for a
// while.
var starting = make(chan struct{}, 2)

// startSwitch copies the configuration in conf, starts FreeSWITCH on it and
// returns when it takes calls.
func startSwitch(ctx context.Context, binary, conf string, o switchOptions) (*freeswitch, error) {
	starting <- struct{}{}
	defer func() { <-starting }()
	dir, err := os.MkdirTemp("", "hookswitch-e2e-")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	f := &freeswitch{dir: dir, exited: make(chan struct{}), password: token(8),
		sip: fmt.Sprintf("127.0.0.1:%d", ports[0]), events: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	if o.logLevel == "" {
		o.logLevel = "info"
	}
	rtp := firstMedia + int(nextMedia.Add(1)-1)*mediaPorts%(lastMedia-firstMedia)
	set := map[string]string{
		"event_socket_password": f.password, "event_socket_port": fmt.Sprint(ports[1]),
		"sip_ip": "127.0.0.1", "sip_port": fmt.Sprint(ports[0]), "rtp_ip": "127.0.0.1",
		"rtp_start_port": fmt.Sprint(rtp), "rtp_end_port": fmt.Sprint(rtp + mediaPorts - 2),
		"carrier_proxy": o.callees, "log_level": o.logLevel, "music_dir": filepath.Join(dir, "music", "hold"),
		"hookswitch_nodes": o.nodes, "hookswitch_takeover": o.takeover, "hookswitch_last_resort_number": o.lastResort,
	}
	if err := copyConf(conf, filepath.Join(dir, "conf"), set, o.apiExpansion); err != nil {
		return nil, err
	}
	if o.extensions != "" {
		path := filepath.Join(dir, "conf", "fragments", "dialplan", "000_e2e.xml")
		if err := os.WriteFile(path, []byte("<include>\n"+o.extensions+"\n</include>\n"), 0o644); err != nil {
			return nil, err
		}
	}
	args := []string{"-nonat", "-nonatmap", "-nf", "-nc", "-np", "-nocal"}
	for _, d := range []string{"conf", "log", "db", "run", "storage", "cache", "temp", "certs", "recordings", "scripts", "htdocs", "grammar", "sounds"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
		args = append(args, "-"+d, filepath.Join(dir, d))
	}
	if err := writeCertificate(filepath.Join(dir, "certs")); err != nil {
		return nil, err
	}
	if err := errors.Join(writeTone(filepath.Join(dir, "music", "tone.wav"), time.Second),
		writeTone(filepath.Join(dir, "music", "hold", "long.wav"), 20*time.Second)); err != nil {
		return nil, err
	}
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	f.cmd = exec.Command(binary, args...)
	f.cmd.Stdout, f.cmd.Stderr = out, out
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { f.cmd.Wait(); close(f.exited) }()

	// It says itself when it is ready: the SIP profile runs, and all modules are
	// loaded (switch_core.c, switch_core_init_and_modload).
	for {
		if profiles, err := f.api(ctx, "sofia status"); err == nil && strings.Contains(profiles, "RUNNING") {
			if status, err := f.api(ctx, "status"); err == nil && strings.Contains(status, "is ready") {
				return f, nil
			}
		}
		select {
		case <-f.exited:
			return nil, fmt.Errorf("FreeSWITCH ended at once, see %s", dir)
		case <-ctx.Done():
			f.stop()
			return nil, fmt.Errorf("FreeSWITCH did not get ready, see %s: %w", dir, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// certificate is one for all switches of the tests. Without one, or with one of
// less than 4096 bits, each makes its own at its start, which takes seconds
// (switch_core_cert.c, switch_core_gen_certs, switch_core_check_dtls_pem).
var certificate = sync.OnceValues(func() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return append(private, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...), nil
})

func writeCertificate(dir string) error {
	text, err := certificate()
	if err != nil {
		return err
	}
	for _, name := range []string{"dtls-srtp.pem", "wss.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeTone writes a sound file of 8000 samples a second.
func writeTone(path string, length time.Duration) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var samples []byte
	for i := range 8 * int(length.Milliseconds()) {
		samples = binary.LittleEndian.AppendUint16(samples, uint16(int16(8000*math.Sin(2*math.Pi*440/8000*float64(i)))))
	}
	size := uint32(len(samples))
	header := binary.LittleEndian.AppendUint32([]byte("RIFF"), 36+size)
	header = append(header, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"...)
	header = binary.LittleEndian.AppendUint32(header, size)
	return os.WriteFile(path, append(header, samples...), 0o644)
}

var preset = regexp.MustCompile(`(<X-PRE-PROCESS cmd=")(?:exec-)?set(" data=")([a-z0-9_]+)=[^"]*(")`)

// copyConf copies the shipped configuration with other values of its settings.
// A setting that no file has is an error: the test would not test what it says.
func copyConf(from, to string, set map[string]string, apiExpansion bool) error {
	used := map[string]bool{}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := preset.ReplaceAllStringFunc(string(b), func(line string) string {
			part := preset.FindStringSubmatch(line)
			value, ok := set[part[3]]
			if !ok {
				return line
			}
			used[part[3]] = true
			return part[1] + "set" + part[2] + part[3] + "=" + value + part[4]
		})
		if apiExpansion {
			text = strings.Replace(text, `name="api-expansion" value="false"`, `name="api-expansion" value="true"`, 1)
		}
		return os.WriteFile(filepath.Join(to, rel), []byte(text), 0o644)
	})
	for name := range set {
		if err == nil && !used[name] {
			err = fmt.Errorf("no file in %s sets %s", from, name)
		}
	}
	return err
}

// stop ends FreeSWITCH and waits for it.
func (f *freeswitch) stop() {
	f.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-f.exited:
	case <-time.After(15 * time.Second):
		f.cmd.Process.Kill()
		<-f.exited
	}
}

// api runs one command on the event socket.
func (f *freeswitch) api(ctx context.Context, command string) (string, error) {
	c, err := f.watch(ctx)
	if err != nil {
		return "", err
	}
	defer c.close()
	return c.api(ctx, command)
}

// watch connects to the event socket.
func (f *freeswitch) watch(ctx context.Context) (*control, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", f.events)
	if err != nil {
		return nil, err
	}
	c := newControl(conn)
	select {
	case <-c.greeted:
	case <-c.gone:
		return nil, errors.New("the event socket was closed")
	case <-ctx.Done():
		c.close()
		return nil, ctx.Err()
	}
	if reply, err := c.command(ctx, "auth "+f.password); err != nil || !strings.HasPrefix(reply, "+OK") {
		c.close()
		return nil, fmt.Errorf("auth: %s %v", reply, err)
	}
	return c, nil
}

// awaitEmpty waits until the switch has no channel left.
func (f *freeswitch) awaitEmpty(ctx context.Context) error {
	for {
		got, err := f.api(ctx, "show channels count")
		if err == nil && strings.HasPrefix(strings.TrimSpace(got), "0 total") {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			all, _ := f.api(context.WithoutCancel(ctx), "show channels")
			return fmt.Errorf("channels are left: %v\n%s", err, all)
		}
	}
}
