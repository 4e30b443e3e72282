package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// switchboard answers the doctor as FreeSWITCH 1.11.1 did: with what
// testdata/shipped.esl has recorded, and what a test has put in its place.
type switchboard struct {
	t        *testing.T
	password string
	replies  map[string]string // by command

	mu    sync.Mutex
	asked []string
}

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	tr, err := esltest.OpenTranscript("testdata/shipped.esl")
	if err != nil {
		t.Fatal(err)
	}
	b := &switchboard{t: t, password: "secret", replies: map[string]string{}}
	command := ""
	for _, r := range tr.Records {
		f, err := r.Frame()
		if err != nil {
			t.Fatal(err)
		}
		if !r.Sent {
			command = strings.TrimSpace(strings.TrimPrefix(f.Command(), "api "))
		} else if f.Get("Content-Type") == "api/response" {
			b.replies[command] = string(f.Body)
		}
	}
	return b
}

// change puts another text into a recorded reply; the old one must be there.
func (b *switchboard) change(command, old, text string) {
	b.t.Helper()
	reply, ok := b.replies[command]
	if !ok || !strings.Contains(reply, old) {
		b.t.Fatalf("the reply to %q has no %q", command, old)
	}
	b.replies[command] = strings.ReplaceAll(reply, old, text)
}

// listen serves one connection and returns where.
func (b *switchboard) listen() string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = b.serve(conn)
		}
		done <- err
	}()
	b.t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	return l.Addr().String()
}

func (b *switchboard) serve(conn net.Conn) error {
	defer conn.Close()
	fmt.Fprint(conn, "Content-Type: auth/request\n\n")
	for r := eslctl.NewReader(conn); ; {
		f, err := r.Read()
		if err != nil {
			return nil // it has left
		}
		verb, command, _ := strings.Cut(strings.TrimSpace(f.Command()), " ")
		switch {
		case verb == "auth" && command == b.password:
			fmt.Fprint(conn, esltest.Reply("+OK accepted"))
		case verb == "auth":
			fmt.Fprint(conn, esltest.Reply("-ERR invalid"))
		case verb != "api":
			return fmt.Errorf("it sent %q", f.Command())
		default:
			b.mu.Lock()
			b.asked = append(b.asked, command)
			b.mu.Unlock()
			reply, ok := b.replies[command]
			if !ok {
				return fmt.Errorf("it asked %q, which was not recorded", command)
			}
			fmt.Fprint(conn, esltest.API(reply))
		}
	}
}

// world is what a test may spoil: the switch, the server's settings, the machine.
type world struct {
	*switchboard
	Settings
	machine
	port string // of the switch, as /proc/net/tcp has it
}

// newWorld is one in which all is well.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{switchboard: newSwitchboard(t)}
	w.Settings = Settings{
		Password: "secret", Listen: "127.0.0.1:8084", Takeover: "127.0.0.1:8085", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		MaxCalls: 2000, Recordings: "/var/lib/freeswitch/recordings", Profile: "external", Engine: "flite", CDR: t.TempDir(),
		LastResort: "hookswitch-last-resort", Numbers: []string{"+15550100"},
		Targets: map[string]call.Address{"alice": {User: "alice@pbx.example"}, "bob": {Number: "+15550142", Gateway: "carrier"}},
	}
	w.change(cdrFile, "/var/log/freeswitch/json_cdr", w.CDR)
	w.replies["user_exists id alice pbx.example"] = "true" // the shipped directory is empty
	w.replies["strepoch"] = fmt.Sprint(time.Now().Unix())
	w.Switch = w.listen()
	_, port, _ := net.SplitHostPort(w.Switch)
	var n int
	fmt.Sscan(port, &n)
	w.port = fmt.Sprintf("%04X", n)
	w.machine = machine{name: "fs1", proc: fstest.MapFS{}}
	w.proc("net/tcp", "  sl  local_address rem_address   st\n   0: 0100007F:"+w.port+" 00000000:0000 0A 00000000:00000000\n")
	w.proc("net/tcp6", "  sl  local_address                         remote_address                        st\n")
	for _, setting := range timeouts {
		w.proc("sys/net/ipv4/"+setting.name, fmt.Sprintf("%d\n", 10*setting.most))
	}
	return w
}

func (w *world) proc(name, text string) {
	w.machine.proc.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(text)}
}

func (w *world) examine() []Finding { return examine(context.Background(), w.Settings, w.machine) }

const (
	socketFile = "xml_locate configuration configuration name event_socket.conf"
	switchFile = "xml_locate configuration configuration name switch.conf"
	cdrFile    = "xml_locate configuration configuration name json_cdr.conf"
	plan       = "xml_locate dialplan"
	gateway    = "sofia xmlstatus gateway"
)

// faults are those that are no fine finding.
func faults(all []Finding) (bad []Finding) {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.Severity == OK })
}

// On the shipped configuration every check finds that all is well, and nothing
// is asked that could change the switch.
func TestNoFaultIsFoundWhereThereIsNone(t *testing.T) {
	w := newWorld(t)
	found := w.examine()
	for _, f := range faults(found) {
		t.Errorf("%+v", f)
	}
	for _, c := range checks {
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Check == c.name && f.Says != "" && f.Switch == w.Switch }) {
			t.Errorf("check %s says nothing", c.name)
		}
	}
	harmless := []string{"module_exists", "version", "uptime", "xml_locate", "hostname", "show", "status", "sofia", "user_exists", "file_exists", "strepoch", "acl", "global_getvar"}
	for _, command := range w.asked {
		verb, _, _ := strings.Cut(command, " ")
		if !slices.Contains(harmless, verb) && command != "fsctl api_expansion" { // which tells, without an argument
			t.Errorf("it asked %q", command)
		}
	}
}

// Every planted fault is named, by its own check and no other.
func TestFaultsAreNamed(t *testing.T) {
	turn := func(w *world, old, text string) {
		w.change(plan, `<action application="`+old, `<action application="`+text)
	}
	for _, fault := range []struct {
		name  string
		plant func(*world)
		want  string // check: severity: part of what it says or writes
	}{
		{"an old version", func(w *world) { w.change("version", "1.11.1", "1.10.12") }, "version: warning: FreeSWITCH 1.10.12"},
		{"the default password", func(w *world) { w.password, w.Password = "ClueCon", "ClueCon" }, `password: error: <param name="password"`},
		{"an open port", func(w *world) { w.proc("net/tcp", "0: 00000000:"+w.port+" 00000000:0000 0A\n") }, "event socket: warning: listens on 0.0.0.0"},
		{"an open port of IPv6", func(w *world) {
			w.proc("net/tcp6", "0: 00000000000000000000000000000000:"+w.port+" 00000000000000000000000000000000:0000 0A\n")
		}, "event socket: warning: listens on 127.0.0.1, ::"},
		{"an open port of a distant switch", func(w *world) {
			w.replies["hostname"] = "fs2"
			w.Allow = append(w.Allow, netip.MustParsePrefix("192.0.2.0/24"))
			w.Listen, w.Takeover = "192.0.2.9:8084", "192.0.2.9:8085"
			w.change(plan, "127.0.0.1:", "192.0.2.9:")
			w.change(socketFile, `name="listen-ip" value="127.0.0.1"`, `name="listen-ip" value="::"`)
		}, "event socket: warning: listens on ::; lost host: skipped: not this one"},
		{"a list that lets everybody in", func(w *world) {
			w.proc("net/tcp", "0: 00000000:"+w.port+" 00000000:0000 0A\n")
			w.change(socketFile, `<param name="nat-map" value="false">`, `<param name="apply-inbound-acl" value="any_v4.auto">`)
		}, "event socket: error: any_v4.auto lets everybody in"},
		{"a module", func(w *world) { w.replies["module_exists mod_sndfile"] = "false" }, `modules: error: <load module="mod_sndfile"/>`},
		{"the CDR module", func(w *world) { w.replies["module_exists mod_json_cdr"] = "false" }, `modules: error: <load module="mod_json_cdr"/>`},
		{"no speech", func(w *world) {
			w.replies["module_exists mod_flite"] = "false"
			w.change("show interfaces", "speech,flite", "speech,other")
		}, `speech: error: <load module="mod_flite"/>`},
		{"few sessions", func(w *world) { w.change("status", "5000 session(s) max", "1000 session(s) max") }, `sessions: warning: <param name="max-sessions" value="4000"/>`},
		{"paused", func(w *world) { w.change("status", "is ready", "is not ready") }, "sessions: error: takes no calls"},
		{"busy processors", func(w *world) { w.change("status", "min idle cpu 0.00/", "min idle cpu 100.01/") }, "sessions: error: refuses calls"},
		{"API expansion", func(w *world) { w.replies["fsctl api_expansion"] = "+OK api_expansion is on \n" }, `api expansion: warning: <param name="api-expansion" value="false"/>`},
		{"log level", func(w *world) {
			w.change(switchFile, `name="loglevel" value="info"`, `name="loglevel" value="debug"`)
			w.change("xml_locate configuration configuration name logfile.conf", `value="info,`, `value="debug,info,`)
		}, `log level: warning: <param name="loglevel" value="info"/>`},
		{"another port", func(w *world) { w.change(plan, "127.0.0.1:8084", "127.0.0.1:8094") }, `dialplan: error: data="hookswitch_nodes=127.0.0.1:8084"`},
		{"no extension", func(w *world) { turn(w, "socket", "park") }, "dialplan: error: no extension"},
		{"a server on loopback, far away", func(w *world) {
			w.replies["hostname"] = "fs2"
			w.Allow = append(w.Allow, netip.MustParsePrefix("192.0.2.2/32"))
		}, "dialplan: error: listen: ADDRESS-OF-THIS-MACHINE:8084; lost host: skipped: not this one"},
		{"everybody allowed", func(w *world) { w.Allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }, "allow: error: lets everybody in"},
		{"loopback not allowed", func(w *world) { w.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, "allow: error: 127.0.0.1 is not in"},
		{"FreeSWITCH not allowed", func(w *world) {
			w.replies["hostname"] = "fs2"
			w.Listen, w.Takeover = "0.0.0.0:8084", "0.0.0.0:8085"
		}, "allow: error: 192.0.2.2 is not in; lost host: skipped: not this one"},
		{"another context", func(w *world) {
			w.change("sofia xmlstatus profile external", "<context>public", "<context>default")
			w.change(gateway, "<context>public", "<context>default")
		}, `context: error: <param name="context" value="public"/>`},
		{"a number that is not taken", func(w *world) { w.Numbers = append(w.Numbers, "sales") }, "numbers: error: does not take sales"},
		{"a number that another extension takes", func(w *world) {
			w.change(plan, `<extension name="hookswitch">`, `<extension name="old"><condition field="destination_number" expression="^\+1555"/></extension><extension name="hookswitch">`)
		}, "numbers: error: extension old of context public takes +15550100"},
		{"no mark", func(w *world) { w.change(plan, `"hookswitch=true"`, `"other=true"`) }, `mark: warning: data="hookswitch=true"`},
		{"not full", func(w *world) { w.change(plan, "async full", "async") }, `control: error: ${hookswitch_socket} async full`},
		{"no socket_resume", func(w *world) { w.change(plan, "socket_resume=true", "other=true") }, "socket_resume: error: before every socket action"},
		{"socket_resume once", func(w *world) {
			line := `<action application="set" data="socket_resume=true"></action>`
			head, tail, _ := strings.Cut(w.replies[plan], line)
			w.replies[plan] = head + line + strings.ReplaceAll(tail, line, "")
		}, "socket_resume: warning: before every socket action"},
		{"one turn", func(w *world) {
			line := `<action application="socket" data="${hookswitch_socket} async full"></action>`
			head, tail, _ := strings.Cut(w.replies[plan], line)
			w.replies[plan] = head + line + strings.ReplaceAll(tail, line, "")
		}, "repetition: error: 1 socket actions"},
		{"short pauses", func(w *world) { w.change(plan, "hookswitch_quiet=500", "hookswitch_quiet=5") }, "repetition: error: 60 socket actions, 300ms"},
		{"digits", func(w *world) { w.change(plan, "sleep_eat_digits=true", "sleep_eat_digits=false") }, "digits: warning: sleep_eat_digits=true"},
		{"another takeover port", func(w *world) { w.change(plan, "127.0.0.1:8085", "127.0.0.1:8095") }, "takeover: error: hookswitch_takeover=127.0.0.1:8085"},
		{"no end", func(w *world) { turn(w, "transfer", "log") }, "last resort: error: nothing comes after"},
		{"no last resort", func(w *world) { w.change(plan, "^hookswitch-last-resort$", "^other$") }, "last resort: error: no extension hookswitch-last-resort"},
		{"another profile", func(w *world) { w.Profile = "internal" }, "profile: error: profile: external"},
		{"no gateway", func(w *world) { w.change(gateway, "<name>carrier", "<name>other") }, `gateways: error: <gateway name="carrier">`},
		{"a gateway that is down", func(w *world) { w.change(gateway, "<status>UP", "<status>DOWN") }, "gateways: warning: carrier is DOWN"},
		{"no user", func(w *world) { w.replies["user_exists id alice pbx.example"] = "false" }, `users: error: <user id="alice">`},
		{"another CDR folder", func(w *world) { w.CDR = filepath.Join(w.CDR, "elsewhere") }, `cdr: error: <param name="log-dir" value="`},
		{"no CDR folder", func(w *world) { w.CDR += "x"; w.change(cdrFile, "/001", "/001x") }, "cdr: error: may not write"},
		{"CDRs by HTTP", func(w *world) {
			w.change(cdrFile, `name="rotate" value="false"`, `name="url" value="http://127.0.0.1/"`)
		}, "cdr: error: log-http-and-disk"},
		{"CDRs of B legs", func(w *world) { w.change(cdrFile, `name="log-b-leg" value="false"`, `name="log-b-leg" value="true"`) }, "cdr: warning: log-b-leg"},
		{"no recordings", func(w *world) { w.Recordings = "/nonexistent" }, "recordings: warning: /nonexistent"},
		{"slow time-outs", func(w *world) { w.change(plan, "127.0.0.1:8084", "127.0.0.1:8084|198.51.100.7:8084") }, "lost host: warning: net.ipv4.tcp_keepalive_time = 30"},
		{"a clock", func(w *world) { w.replies["strepoch"] = fmt.Sprint(time.Now().Add(-time.Hour).Unix()) }, "clock: warning: off"},
		{"a folder that is not valid", func(w *world) { w.Unread = fmt.Errorf("the folder is not valid") },
			"numbers: skipped: not valid; gateways: skipped: not valid; users: skipped: not valid"},
		{"no dialplan", func(w *world) { w.replies[plan] = "can't find anything\n" }, "dialplan: skipped: can't find anything"},
		{"no SIP", func(w *world) {
			w.replies["module_exists mod_sofia"] = "false"
			for command := range w.replies {
				if strings.HasPrefix(command, "sofia ") {
					w.replies[command] = "-ERR sofia Command not found!\n"
				}
			}
		}, "modules: error: mod_sofia; context: skipped: not found; profile: skipped: not found; gateways: skipped: not found"},
		{"a wrong password", func(w *world) { w.password = "another" }, "connection: error: refuses the password"},
		{"no commands", func(w *world) {
			w.replies["module_exists mod_commands"] = "-ERR module_exists Command not found!\n"
		}, `commands: error: <load module="mod_commands"/>`},
	} {
		t.Run(fault.name, func(t *testing.T) {
			w := newWorld(t)
			fault.plant(w)
			bad := faults(w.examine())
			wants := strings.Split(fault.want, "; ")
			for i, f := range bad {
				if i >= len(wants) {
					t.Errorf("also found: %+v", f)
					continue
				}
				part := strings.SplitN(wants[i], ": ", 3)
				if text := f.Says + strings.Join(f.Write, "\n"); f.Check != part[0] || string(f.Severity) != part[1] || !strings.Contains(text, part[2]) {
					t.Errorf("found %+v, want %s", f, wants[i])
				}
				if f.Severity == Error && f.Check != "connection" && (f.Write == nil || f.File == "") {
					t.Errorf("what mends it? %+v", f)
				}
				if strings.Contains(fmt.Sprintf("%+v", f), "secret") {
					t.Errorf("it tells the password: %+v", f)
				}
			}
			if len(bad) < len(wants) {
				t.Errorf("not found: %s", wants[len(bad):])
			}
		})
	}
}

// An engine may be in a module of another name.
func TestSpeechOfAnotherModule(t *testing.T) {
	w := newWorld(t)
	w.Engine = "unimrcp:profile"
	w.replies["module_exists mod_unimrcp"] = "false"
	w.change("show interfaces", "speech,flite", "speech,unimrcp")
	for _, f := range faults(w.examine()) {
		t.Errorf("%+v", f)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	found := Examine(t.Context(), Settings{Switch: l.Addr().String(), Password: "secret"})
	if len(found) != 1 || found[0].Check != "connection" || found[0].Severity != Error || !strings.Contains(found[0].Says, "refused") {
		t.Errorf("found %+v", found)
	}
}

func TestHosts(t *testing.T) {
	for list, want := range map[string]string{
		"":                                "[]",
		"a":                               "[a:8084]",
		"a:1|b|c:2":                       "[a:1 b:1 c:2]",
		"127.0.0.1:8084/path|[::1]:8085|": "[127.0.0.1:8084 ::1:8085]",
	} {
		if got := fmt.Sprint(hosts(list)); got != want {
			t.Errorf("%q: %s, want %s", list, got, want)
		}
	}
}
