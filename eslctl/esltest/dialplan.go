package esltest

import (
	"slices"
	"strings"

	"github.com/hookswitch/hookswitch/call"
)

// Action is one action of a dialplan.
type Action struct{ App, Data string }

// LastResort is the name of the extension that takes calls nobody can run.
const LastResort = "hookswitch-last-resort"

// Dialplan is the extension "hookswitch" of freeswitch-conf: nodes and takeover
// are host lists as the socket action takes them, and the list is tried so many
// times (60 there), half a second apart, before the last resort.
func Dialplan(nodes, takeover string, tries int) []Action {
	plan := []Action{
		{"set", "hookswitch=true"},
		{"set", "hookswitch_nodes=" + nodes},
		{"set", "hookswitch_takeover=" + takeover},
		{"set", "hookswitch_last_resort="},
		{"set", "hookswitch_socket=" + nodes},
		{"set", "sleep_eat_digits=true"},
		{"set", "hookswitch_quiet=500"},
	}
	for i := range tries {
		plan = append(plan, Action{"set", "socket_resume=true"}, Action{"socket", "${hookswitch_socket} async full"})
		if i == 0 {
			plan = append(plan, Action{"ring_ready", ""})
		}
		plan = append(plan, Action{"sleep", "${hookswitch_quiet}"}, Action{"set", "hookswitch_quiet=500"})
	}
	return append(plan, Action{"transfer", LastResort})
}

// extension returns what a call that is transferred there executes; the last
// resort is there also without being set, and numbers lead where new calls go.
func (s *Switch) extension(name string) []Action {
	if a, ok := s.Extensions[name]; ok {
		return slices.Clone(a)
	}
	if name == LastResort {
		return []Action{{"hangup", "NORMAL_TEMPORARY_FAILURE"}}
	}
	if call.ValidNumber(name) {
		return slices.Clone(s.Dialplan)
	}
	return []Action{{"hangup", "NO_ROUTE_DESTINATION"}}
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// addresses reads the host list of the socket action (mod_event_socket.c,
// socket_function): a host without a port has that of the host before it.
func addresses(list string) []string {
	var out []string
	port := "8084"
	for host := range strings.SplitSeq(list, "|") {
		if host == "" {
			continue
		}
		if i := strings.LastIndexByte(host, ':'); i >= 0 {
			port, _, _ = strings.Cut(host[i+1:], "/")
			host = host[:i]
		} else {
			host, _, _ = strings.Cut(host, "/")
		}
		out = append(out, host+":"+port)
	}
	return out
}
