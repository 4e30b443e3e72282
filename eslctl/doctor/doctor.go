// Package doctor examines a FreeSWITCH that is to hand its calls to
// Hookswitch, and names what is wrong with the line that mends it.
//
// It asks over the inbound event socket, and looks at the machine where that is
// FreeSWITCH's too. It changes nothing. The table checks is all that is looked
// at; each of its functions stands in the file of its subject.
package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl"
)

// Severity says how bad a finding is.
type Severity string

const (
	OK      Severity = "ok"
	Skipped Severity = "skipped" // it could not be looked at
	Warning Severity = "warning" // calls run, but not as well or as safely as they could
	Error   Severity = "error"   // calls fail, are lost, or are open to strangers
)

// Finding is what one check has found.
type Finding struct {
	Switch   string   `json:"switch,omitempty"` // address of the event socket
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Says     string   `json:"says"`            // what is so
	Why      string   `json:"why,omitempty"`   // why it matters
	Write    []string `json:"write,omitempty"` // the lines that mend it
	File     string   `json:"file,omitempty"`  // where they belong
}

// Settings are those of the server that the switch has to fit.
type Settings struct {
	Switch     string // address of the event socket
	Password   string
	Listen     string // of the server, for new calls
	Takeover   string // of the server, for calls that another one had
	Allow      []netip.Prefix
	MaxCalls   int
	Recordings string // folder on the switch
	Profile    string // Sofia profile that dials SIP addresses
	Engine     string // text to speech
	CDR        string // folder; empty: none
	LastResort string // dialplan extension to which the server gives calls that it cannot run

	Numbers []string                // that the server has a flow for
	Targets map[string]call.Address // by name
	Unread  error                   // why numbers and targets are not known
}

// timeLimit bounds the whole examination; a reply takes about a millisecond.
const timeLimit = time.Minute

// check looks at one thing. An error says why it could not.
type check struct {
	name string
	look func(context.Context, *exam) ([]Finding, error)
}

// checks are all that is looked at, in this order. Without the first one nothing
// else can be asked.
var checks = []check{
	{"commands", commands},
	{"version", version},
	{"sessions", sessions},
	{"password", password},
	{"event socket", eventSocket},
	{"modules", modules},
	{"speech", speech},
	{"api expansion", apiExpansion},
	{"log level", logLevel},
	{"dialplan", reaches},
	{"allow", allowed},
	{"context", inContext},
	{"numbers", takesNumbers},
	{"mark", marked},
	{"control", controlled},
	{"socket_resume", resumes},
	{"repetition", repeats},
	{"digits", eatsDigits},
	{"takeover", takesOver},
	{"last resort", resorts},
	{"profile", profileRuns},
	{"gateways", gateways},
	{"users", users},
	{"cdr", records},
	{"recordings", recordings},
	{"lost host", lostHost},
	{"clock", clock},
}

// Examine runs every check against the switch.
func Examine(ctx context.Context, s Settings) []Finding { return examine(ctx, s, thisMachine()) }

func examine(ctx context.Context, s Settings, m machine) (all []Finding) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	add := func(name string, found ...Finding) (broken bool) {
		for _, f := range found {
			f.Switch, f.Check = s.Switch, name
			all = append(all, f)
			broken = broken || f.Severity == Error
		}
		return broken
	}
	c, err := eslctl.Dial(ctx, s.Switch, s.Password, func(eslctl.Event) {})
	if err != nil {
		add("connection", unreachable(err))
		return all
	}
	defer c.Close()
	x := &exam{Settings: s, client: c, machine: m}
	for i, check := range checks {
		found, err := check.look(ctx, x)
		if err != nil {
			found = append(found, Finding{Severity: Skipped, Says: fmt.Sprintf("not checked: %v", err)})
		}
		if broken := add(check.name, found...); broken && i == 0 {
			break
		}
	}
	return all
}

func fine(format string, args ...any) []Finding {
	return []Finding{{Severity: OK, Says: fmt.Sprintf(format, args...)}}
}

func skipped(format string, args ...any) []Finding {
	return []Finding{{Severity: Skipped, Says: "not checked: " + fmt.Sprintf(format, args...)}}
}
