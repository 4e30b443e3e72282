package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/eslctl"
)

const socketConf = "autoload_configs/event_socket.conf.xml"

// unreachable is a switch that let us not in.
func unreachable(err error) Finding {
	f := Finding{Severity: Error, Says: err.Error(), File: socketConf,
		Why: "Hookswitch learns by it how calls ended that nobody watched; nothing else could be checked"}
	var refused *eslctl.ReplyError
	switch {
	case errors.As(err, &refused):
		f.Says = "FreeSWITCH refuses the password"
		f.Write = []string{`<param name="password" value="…"/>: the same as in the setting freeswitch_password or its file`}
	case strings.Contains(err.Error(), "access list"):
		f.Write = []string{`<param name="apply-inbound-acl" value="LIST"/>: a list of acl.conf.xml that has the address of this machine`}
	default:
		f.Write = []string{`<param name="listen-ip" value="ADDRESS"/> and <param name="listen-port" value="PORT"/>: the setting freeswitch, and mod_event_socket loaded`}
	}
	return f
}

// commands says whether FreeSWITCH can be asked at all.
func commands(ctx context.Context, x *exam) ([]Finding, error) {
	_, err := x.ask(ctx, "module_exists", "mod_commands")
	var refused *eslctl.ReplyError
	switch {
	case err == nil:
		return fine("connected, the password is accepted"), nil
	case !errors.As(err, &refused):
		return nil, err
	}
	return []Finding{{Severity: Error, Says: "FreeSWITCH has no API commands: " + refused.Reply,
		Why:   "Hookswitch cannot set variables, hang up or ask for calls; nothing else could be checked",
		Write: []string{`<load module="mod_commands"/>`}, File: modulesConf}}, nil
}

// password finds the one that everybody knows (mod_event_socket.c, config).
func password(_ context.Context, x *exam) ([]Finding, error) {
	if x.Password != "ClueCon" {
		return fine("the password is one of your own"), nil
	}
	return []Finding{{Severity: Error, Says: "the password of the event socket is FreeSWITCH's default",
		Why:   "everybody knows it, and whoever connects can do all that FreeSWITCH can",
		Write: []string{`<param name="password" value="A-LONG-RANDOM-WORD"/>`}, File: socketConf}}, nil
}

// strangers are addresses that belong to nobody (RFC 5737, RFC 3849): a list
// that has one of them has everybody.
var strangers = []string{"192.0.2.1", "2001:db8::1"}

// eventSocket finds out who can connect to the event socket.
func eventSocket(ctx context.Context, x *exam) ([]Finding, error) {
	conf, err := x.params(ctx, "event_socket.conf")
	if err != nil {
		return nil, err
	}
	at, err := x.listeners(ctx, conf)
	if err != nil {
		return nil, err
	}
	where := strings.Join(at, ", ")
	if !slices.ContainsFunc(at, func(a string) bool { return !loopback(a) }) {
		return fine("the event socket listens on loopback only (%s)", where), nil
	}
	lists := conf.all("apply-inbound-acl")
	if len(lists) == 0 {
		return []Finding{{Severity: Warning, Says: fmt.Sprintf("the event socket listens on %s and has no access list", where),
			Why: "its port is open to the network; nothing but FreeSWITCH's built-in list, loopback.auto, keeps strangers from trying passwords",
			Write: []string{`<param name="listen-ip" value="127.0.0.1"/>`,
				`or, for servers on other machines: <param name="apply-inbound-acl" value="LIST"/>, with their addresses in acl.conf.xml`}, File: socketConf}}, nil
	}
	for _, stranger := range strangers {
		if in, err := x.admits(ctx, stranger, lists); err != nil {
			return nil, err
		} else if in {
			return []Finding{{Severity: Error, Says: fmt.Sprintf("the event socket listens on %s, and its access list %s lets everybody in", where, strings.Join(lists, ", ")),
				Why:   "whoever connects and finds the password can do all that FreeSWITCH can",
				Write: []string{`<param name="apply-inbound-acl" value="LIST"/>: one with default="deny" and the addresses of your servers`}, File: socketConf}}, nil
		}
	}
	return fine("the event socket listens on %s behind the access list %s", where, strings.Join(lists, ", ")), nil
}

// listeners returns where the event socket listens: what the kernel says counts
// more than a file that may have changed since.
func (x *exam) listeners(ctx context.Context, conf params) ([]string, error) {
	local, err := x.local(ctx)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(x.Switch)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && local {
		if at, err := x.machine.listening(uint16(n)); err == nil && len(at) > 0 {
			var names []string
			for _, a := range at {
				names = append(names, a.String())
			}
			return names, nil
		}
	}
	return []string{conf.get("listen-ip", "127.0.0.1")}, nil
}

// admits says whether all of the lists have the address: each can refuse it
// (mod_event_socket.c, listener_run).
func (x *exam) admits(ctx context.Context, address string, lists []string) (bool, error) {
	for _, list := range lists {
		if in, err := x.ask(ctx, "acl", address+" "+list); err != nil || in != "true" {
			return false, err
		}
	}
	return true, nil
}
