package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// fragment is the shipped dialplan; its file goes to the folder of the context
// that trunks call into.
const fragment = "dialplan/00_hookswitch.xml"

// Lines of the shipped dialplan.
const (
	resumeLine = `<action application="set" data="socket_resume=true"/>`
	socketLine = `<action application="socket" data="${hookswitch_socket} async full"/>`
	sleepLine  = `<action application="sleep" data="${hookswitch_quiet}"/>`
)

// named says whether a list of hosts has the address at which the server
// listens. Where that is every address of its machine, the port decides.
func (x *exam) named(ctx context.Context, list, address string) bool {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	everywhere := name == ""
	want, err := lookUp(ctx, name)
	if !everywhere && err == nil {
		everywhere = slices.ContainsFunc(want, netip.Addr.IsUnspecified)
	}
	return slices.ContainsFunc(hosts(list), func(h host) bool {
		if fmt.Sprint(h.port) != port {
			return false
		}
		if everywhere || h.name == name {
			return true
		}
		have, err := lookUp(ctx, h.name)
		return err == nil && slices.ContainsFunc(have, func(a netip.Addr) bool { return slices.Contains(want, a) })
	})
}

// reachable is how a dialplan names the address at which the server listens.
func reachable(address string) string {
	host, port, _ := net.SplitHostPort(address)
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		return "ADDRESS-OF-THIS-MACHINE:" + port
	}
	return address
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// each runs a look at every extension that hands calls over; where there is none,
// the check dialplan says so.
func (x *exam) each(ctx context.Context, look func(*handover) []Finding) (all []Finding, err error) {
	found, err := x.find(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range found {
		all = append(all, look(h)...)
	}
	return all, nil
}

// reaches says whether the dialplan hands calls to this server.
func reaches(ctx context.Context, x *exam) ([]Finding, error) {
	found, err := x.find(ctx)
	if err != nil {
		return nil, err
	}
	local, err := x.local(ctx)
	if err != nil {
		return nil, err
	}
	if host, port, _ := net.SplitHostPort(x.Listen); !local && loopback(host) {
		return []Finding{{Severity: Error, Says: "this server listens on loopback (setting listen), FreeSWITCH is on another machine",
			Why: "no call gets to this server", Write: []string{fmt.Sprintf("listen: ADDRESS-OF-THIS-MACHINE:%s", port)}, File: settingsFile}}, nil
	}
	line := []string{fmt.Sprintf(`<X-PRE-PROCESS cmd="set" data="hookswitch_nodes=%s"/>`, reachable(x.Listen))}
	if len(found) == 0 {
		return []Finding{{Severity: Error, Says: "no extension of the dialplan hands calls to " + x.Listen + " (setting listen)",
			Why: "no call gets to this server", Write: append(line, "and the rest of freeswitch-conf/fragments/dialplan/00_hookswitch.xml"), File: fragment}}, nil
	}
	return x.each(ctx, func(h *handover) []Finding {
		if x.named(ctx, h.turns[0].to, x.Listen) {
			return fine("%s", h.says("calls of context %s are handed to %s", h.context, h.turns[0].to))
		}
		return []Finding{{Severity: Error, Says: h.says("calls are handed to %s, this server listens on %s (setting listen)", h.turns[0].to, x.Listen),
			Why: "no call gets to this server", Write: line, File: h.file()}}
	})
}

// allowed says whether the server takes the connections of this FreeSWITCH, and
// of nobody else.
func allowed(ctx context.Context, x *exam) ([]Finding, error) {
	local, err := x.local(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range x.Allow {
		if p.Bits() == 0 {
			return []Finding{{Severity: Error, Says: fmt.Sprintf("the setting allow lets everybody in (%s)", p),
				Why:   "whoever connects can pretend to be a FreeSWITCH: the outbound event socket has no password",
				Write: []string{"allow: [ADDRESS-OF-EACH-FREESWITCH]"}, File: settingsFile}}, nil
		}
	}
	from, err := x.comesFrom(ctx, local)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(x.Allow, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return fine("the setting allow has FreeSWITCH's address %s", from), nil
	}
	return []Finding{{Severity: Error, Says: fmt.Sprintf("FreeSWITCH's address %s is not in the setting allow", from),
		Why:   "its connections are closed at once, and it does not try its next server: they counted as taken",
		Write: []string{fmt.Sprintf("allow: […, %s]", from)}, File: settingsFile}}, nil
}

// comesFrom is the address from which FreeSWITCH connects: on one machine that
// to which it connects.
func (x *exam) comesFrom(ctx context.Context, local bool) (netip.Addr, error) {
	if !local {
		text, err := x.ask(ctx, "global_getvar", "local_ip_v4")
		if err != nil {
			return netip.Addr{}, err
		}
		return netip.ParseAddr(text)
	}
	at, err := netip.ParseAddrPort(x.Listen)
	if err != nil || at.Addr().IsUnspecified() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	return at.Addr(), nil
}

// settingsFile is where the server's settings are.
const settingsFile = "/etc/hookswitch/hookswitch.yaml"

// inContext says whether any SIP profile or gateway sends its calls to the
// context of the extension.
func inContext(ctx context.Context, x *exam) ([]Finding, error) {
	contexts, err := x.sipContexts(ctx)
	if err != nil {
		return nil, err
	}
	return x.each(ctx, func(h *handover) []Finding {
		var of, others []string
		for _, c := range contexts {
			if c.context == h.context {
				of = append(of, c.who)
			} else {
				others = append(others, c.who+": "+c.context)
			}
		}
		if of != nil {
			return fine("%s send their calls to context %s", strings.Join(of, ", "), h.context)
		}
		return []Finding{{Severity: Error, Says: h.says("no SIP profile or gateway sends its calls to context %s (%s)", h.context, strings.Join(others, ", ")),
			Why: "no call gets to the extension", Write: []string{fmt.Sprintf(`<param name="context" value="%s"/>`, h.context)},
			File: "the SIP profile that trunks call, such as sip_profiles/external.xml"}}
	})
}

// takesNumbers says whether the extension gets the calls to the numbers of the
// folder.
func takesNumbers(ctx context.Context, x *exam) (found []Finding, err error) {
	if x.Unread != nil {
		return nil, x.Unread
	}
	handovers, err := x.find(ctx)
	if err != nil || len(handovers) == 0 {
		return nil, err
	}
	var missed []string
	for _, number := range x.Numbers {
		plain := call.PlainNumber(number)
		i := slices.IndexFunc(handovers, func(h *handover) bool { takes, _ := h.takes(plain); return takes })
		if i < 0 {
			missed = append(missed, number)
			continue
		}
		h := handovers[i]
		if other := x.before(h, plain); other != "" {
			found = append(found, Finding{Severity: Error, Says: fmt.Sprintf("extension %s of context %s takes %s before %s can", other, h.context, number, h.Name),
				Why: "no call to this number gets to its flow", Write: []string{"the file of " + h.Name + " under a name that sorts before the others"}, File: h.file()})
		}
	}
	if missed != nil {
		h := handovers[0]
		found = append(found, Finding{Severity: Error, Says: h.says("it does not take %s", strings.Join(missed, ", ")),
			Why: "these numbers have a flow, but no call gets to it", Write: []string{`<condition field="destination_number" expression="…">: a pattern that takes them`}, File: h.file()})
	}
	if found == nil {
		found = fine("calls to the numbers of the folder (%d) are handed over", len(x.Numbers))
	}
	return found, nil
}

// before returns the extension that takes a number, whatever else is known of
// the call, before ours is looked at.
func (x *exam) before(ours *handover, number string) string {
	for _, c := range x.contexts {
		if c.Name != ours.context {
			continue
		}
		for _, e := range c.Extensions {
			if e.Name == ours.Name {
				break
			}
			takes, asks := e.takes(number)
			if takes && asks && e.Continue != "true" && !slices.ContainsFunc(e.Conditions, func(c condition) bool { return c.Field != "destination_number" }) {
				return e.Name
			}
		}
	}
	return ""
}

// marked says whether the CDRs of these calls can be told from others.
func marked(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		if h.vars["hookswitch"] == "true" {
			return fine("%s", h.says("calls are marked as Hookswitch's"))
		}
		return []Finding{{Severity: Warning, Says: h.says("calls are not marked as Hookswitch's"),
			Why:   "the CDR of a call that no server got to know is left unread: it is in no journal",
			Write: []string{`<action application="set" data="hookswitch=true"/>`}, File: h.file()}}
	})
}

// controlled says whether the connection gives control of the call.
func controlled(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		for _, t := range h.turns {
			if !slices.Contains(t.flags, "async") || !slices.Contains(t.flags, "full") {
				return []Finding{{Severity: Error, Says: h.says("a socket action is not async and full: %q", strings.Join(t.flags, " ")),
					Why:   "without full most commands are refused, without async nothing can be sent while an application runs",
					Write: []string{socketLine}, File: h.file()}}
			}
		}
		return fine("%s", h.says("every socket action is async and full"))
	})
}

// resumes says whether a call outlives its server in every turn.
func resumes(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		bad := Finding{Write: []string{"before every socket action: " + resumeLine}, File: h.file()}
		switch {
		case !h.turns[0].resume:
			bad.Severity, bad.Says = Error, h.says("socket_resume is not true before the first socket action")
			bad.Why = "a call whose server accepts it and dies stays parked for ever, silent"
		case slices.ContainsFunc(h.turns, func(t turn) bool { return !t.anew || !t.resume }):
			bad.Severity, bad.Says = Warning, h.says("socket_resume is not set again before every socket action")
			bad.Why = "it is false after a bridge that nobody watched: should the next server die too, the call stays parked for ever"
		default:
			return fine("%s", h.says("socket_resume is set in every turn"))
		}
		return []Finding{bad}
	})
}

// patience is how long a dialplan should try before it gives up: a server is
// restarted meanwhile.
const patience = 10 * time.Second

// repeats says for how long the dialplan tries.
func repeats(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		var quiet time.Duration
		for _, t := range h.turns {
			quiet += t.quiet
		}
		says := h.says("%d socket actions, %v of quiet between them", len(h.turns), quiet)
		if len(h.turns) > 1 && quiet >= patience {
			return fine("%s", says)
		}
		return []Finding{{Severity: Error, Says: says,
			Why:   "refused actions are used up within milliseconds: when the server is restarted, its calls go to the last resort instead of coming back",
			Write: []string{"60 times: " + resumeLine + socketLine + sleepLine}, File: h.file()}}
	})
}

// eatsDigits says whether the pauses between the turns last as long as they should.
func eatsDigits(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		if h.vars["sleep_eat_digits"] == "true" {
			return fine("%s", h.says("digits do not shorten the pauses"))
		}
		return []Finding{{Severity: Warning, Says: h.says("sleep_eat_digits is not set"),
			Why:   "every key that a caller presses ends a pause: the turns are used up sooner",
			Write: []string{`<action application="set" data="sleep_eat_digits=true"/>`}, File: h.file()}}
	})
}

// takesOver says whether calls that a server had find their way to another one,
// or back.
func takesOver(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		list := h.vars["hookswitch_takeover"]
		if x.named(ctx, list, x.Takeover) {
			return fine("%s", h.says("calls that are taken over go to %s", list))
		}
		says := h.says("hookswitch_takeover is %s, this server listens on %s (setting listen_takeover)", list, x.Takeover)
		if list == "" {
			says = h.says("hookswitch_takeover is not set")
		}
		return []Finding{{Severity: Error, Says: says, Why: "this server cannot take over calls, and not get its own ones back after a restart",
			Write: []string{fmt.Sprintf(`<X-PRE-PROCESS cmd="set" data="hookswitch_takeover=%s"/>`, reachable(x.Takeover)),
				`<action application="set" data="hookswitch_takeover=$${hookswitch_takeover}"/>`}, File: h.file()}}
	})
}

// resorts says whether a call that no server takes, or can run, goes on.
func resorts(ctx context.Context, x *exam) ([]Finding, error) {
	return x.each(ctx, func(h *handover) []Finding {
		end := fmt.Sprintf(`<action application="transfer" data="%s"/>`, x.LastResort)
		ends := func(app string) bool {
			return slices.Contains([]string{"transfer", "execute_extension", "bridge", "hangup", "respond", "redirect", "deflect", "playback", "voicemail", "fifo", "callcenter"}, app)
		}
		if !slices.ContainsFunc(h.after, ends) {
			return []Finding{{Severity: Error, Says: h.says("nothing comes after the last socket action"),
				Why: "a call that no server takes is ended as if all had gone well", Write: []string{end}, File: h.file()}}
		}
		for _, c := range x.contexts {
			if c.Name == h.context && slices.ContainsFunc(c.Extensions, func(e extension) bool {
				takes, asks := e.takes(x.LastResort)
				return takes && asks
			}) {
				return fine("%s", h.says("then %s", strings.Join(h.after, ", ")))
			}
		}
		return []Finding{{Severity: Error, Says: fmt.Sprintf("context %s has no extension %s", h.context, x.LastResort),
			Why:   "a call that the server cannot run is ended without a word",
			Write: []string{fmt.Sprintf(`<extension name="%s"> of freeswitch-conf/fragments/dialplan/00_hookswitch.xml`, x.LastResort)}, File: h.file()}}
	})
}
