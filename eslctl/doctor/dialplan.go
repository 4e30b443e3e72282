package doctor

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dialContext is a context of the XML dialplan.
type dialContext struct {
	Name       string      `xml:"name,attr"`
	Extensions []extension `xml:"extension"`
}

type extension struct {
	Name       string      `xml:"name,attr"`
	Continue   string      `xml:"continue,attr"`
	Conditions []condition `xml:"condition"`
}

type condition struct {
	Field      string      `xml:"field,attr"`
	Expression string      `xml:"expression,attr"`
	Actions    []action    `xml:"action"`
	Conditions []condition `xml:"condition"`
}

type action struct {
	Application string `xml:"application,attr"`
	Data        string `xml:"data,attr"`
	Text        string `xml:",chardata"`
	Loop        string `xml:"loop,attr"`
}

// handover is an extension that hands calls over, read as FreeSWITCH runs it
// while no server answers: turns of a socket action and a pause.
type handover struct {
	context string
	extension
	vars  map[string]string // as set before the first turn
	turns []turn
	after []string // applications behind the last turn
}

// turn is one socket action and what comes before the next one.
type turn struct {
	to     string   // hosts as they are written, variables put in
	flags  []string // async, full
	resume bool     // socket_resume is true
	anew   bool     // and was set for this turn
	quiet  time.Duration
}

// dialplan reads the contexts of the dialplan, once.
func (x *exam) dialplan(ctx context.Context) ([]dialContext, error) {
	if x.contexts != nil {
		return x.contexts, nil
	}
	var section struct {
		Contexts []dialContext `xml:"context"`
	}
	if err := x.locate(ctx, "dialplan", &section); err != nil {
		return nil, err
	}
	x.contexts = section.Contexts
	return x.contexts, nil
}

// walk calls do with the actions of an extension in the order of its file.
func (e extension) walk(do func(action)) {
	var walk func([]condition)
	walk = func(conditions []condition) {
		for _, c := range conditions {
			for _, a := range c.Actions {
				if text := strings.TrimSpace(a.Text); text != "" { // it comes first (mod_dialplan_xml.c, parse_exten)
					a.Data = text
				}
				times, err := strconv.Atoi(a.Loop)
				if err != nil {
					times = 1
				}
				for range times {
					do(a)
				}
			}
			walk(c.Conditions)
		}
	}
	walk(e.Conditions)
}

// takes says whether the conditions of an extension on the number let it in,
// with or without a + in front; asks says whether there is one. Patterns that Go
// does not know let every number in.
func (e extension) takes(number string) (takes, asks bool) {
	takes = true
	for _, c := range e.Conditions {
		if c.Field != "destination_number" || c.Expression == "" {
			continue
		}
		asks = true
		if re, err := regexp.Compile(c.Expression); err == nil && !re.MatchString(number) && !re.MatchString("+"+number) {
			takes = false
		}
	}
	return takes, asks
}

var variable = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)\}`)

// read follows the actions of an extension. It returns nil where none of them is
// a socket.
func read(context string, e extension) *handover {
	h := &handover{context: context, extension: e}
	vars := map[string]string{}
	anew := false
	e.walk(func(a action) {
		data := variable.ReplaceAllStringFunc(a.Data, func(v string) string {
			if value, ok := vars[v[2:len(v)-1]]; ok {
				return value
			}
			return v
		})
		switch a.Application {
		case "set", "export":
			name, value, _ := strings.Cut(data, "=")
			vars[name] = value
			anew = anew || name == "socket_resume"
		case "unset":
			delete(vars, data)
		case "socket":
			if h.turns == nil {
				h.vars = maps.Clone(vars)
			}
			to, flags, _ := strings.Cut(data, " ")
			resume := vars["socket_resume"] == "true"
			h.turns = append(h.turns, turn{to: to, flags: strings.Fields(strings.ToLower(flags)), resume: resume, anew: anew})
			h.after, anew = nil, false
		case "sleep":
			if ms, err := strconv.Atoi(data); err == nil && h.turns != nil {
				h.turns[len(h.turns)-1].quiet += time.Duration(ms) * time.Millisecond
			}
		default:
			h.after = append(h.after, a.Application)
		}
	})
	if h.turns == nil {
		return nil
	}
	return h
}

// host is one that a socket action connects to.
type host struct {
	name string
	port uint64
}

func (h host) String() string { return fmt.Sprintf("%s:%d", h.name, h.port) }

// hosts reads the list of a socket action: host:port separated by |. A host
// without a port has that of the host before it (mod_event_socket.c,
// socket_function).
func hosts(list string) (all []host) {
	port := uint64(8084)
	for entry := range strings.SplitSeq(list, "|") {
		entry, _, _ = strings.Cut(entry, "/")
		if i := strings.LastIndexByte(entry, ':'); i >= 0 {
			n, _ := strconv.ParseUint(entry[i+1:], 10, 16)
			entry, port = entry[:i], n
		}
		if entry = strings.Trim(entry, "[]"); entry != "" {
			all = append(all, host{entry, port})
		}
	}
	return all
}

// find returns the extensions that hand calls to this server: those that name
// its address; where there is none, those of Hookswitch that name another one.
// That the dialplan cannot be read is said once.
func (x *exam) find(ctx context.Context) ([]*handover, error) {
	if x.sought {
		return x.handovers, nil
	}
	x.sought = true
	contexts, err := x.dialplan(ctx)
	if err != nil {
		return nil, err
	}
	var ours, like []*handover
	for _, c := range contexts {
		for _, e := range c.Extensions {
			h := read(c.Name, e)
			switch {
			case h == nil:
			case x.named(ctx, h.turns[0].to, x.Listen):
				ours = append(ours, h)
			case h.vars["hookswitch"] == "true":
				like = append(like, h)
			}
		}
	}
	x.handovers = ours
	if ours == nil {
		x.handovers = like
	}
	return x.handovers, nil
}

// file says where an extension of a context belongs.
func (h *handover) file() string { return fmt.Sprintf("%s, context %s", fragment, h.context) }

func (h *handover) says(format string, args ...any) string {
	return fmt.Sprintf("extension %s: ", h.Name) + fmt.Sprintf(format, args...)
}

// lists are the hosts that calls are handed to.
func (h *handover) lists() []host {
	return slices.Concat(hosts(h.turns[0].to), hosts(h.vars["hookswitch_takeover"]))
}
