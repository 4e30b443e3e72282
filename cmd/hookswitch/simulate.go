package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/confdir"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// simulateOptions are a call as the command line tells it.
type simulateOptions struct {
	dir                                          string
	headers, tags, data, says, answers, requests []string
	availability, full                           []string
	at                                           string
	hangsUp                                      time.Duration
	live                                         bool
	test                                         flowtest.Test // what needs no reading
	format                                       *output
}

func newSimulate() *cobra.Command {
	var o simulateOptions
	cmd := &cobra.Command{
		Use:   "simulate FLOW",
		Short: "Places a call in a flow, in virtual time, and prints which way it takes and why",
		Long: "Places a call in a flow, in virtual time, and prints which way it takes and why. FLOW is a flow, or a number, whose\n" +
			"campaign then says what takes the call.\n" +
			"Nothing is dialled, and without --live-requests no request is made to the outside. Where nothing is said,\n" +
			"targets answer after a second, requests fail, and availability URLs are not asked: their targets count as available.",
		Example: `  hookswitch simulate main-line --digits 1 --answer alice=busy --answer "bob=answers after 3s talks 40s"
  hookswitch simulate +15550100 --at "2026-12-24 18:30 America/New_York" --request 'lookup=200:{"vip": true}'`,
		Args: takes(1, 1, "a flow or a number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := loadFolder(cmd, o.dir)
			if err != nil {
				return err
			}
			t, err := o.read(s, args[0])
			if err != nil {
				return &usageError{err}
			}
			script := flowtest.NewScript(s)
			if o.live {
				settings, err := loadSettings(cmd)
				if err != nil {
					return err
				}
				client := newRequests(settings)
				defer client.Close()
				script.Live = client
			}
			return runSimulate(cmd.OutOrStdout(), script, t, *o.format)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "config-dir", "", "folder with numbers, targets and flows (default: the server's)")
	o.test.From = f.String("from", "+15550100", "number of the caller; empty when it is withheld")
	f.StringVar(&o.test.CallerName, "name", "", "name of the caller")
	f.StringVar(&o.test.Org, "org", "", "organization of the flow, where the folder has several")
	f.StringVar(&o.test.To, "to", "", "number that is dialled (default: the first that leads to the flow, or of the folder)")
	f.StringArrayVar(&o.headers, "header", nil, "SIP header of the call, NAME=VALUE; repeatable")
	f.StringArrayVar(&o.tags, "tag", nil, "tag that the call begins with, NAME=VALUE; repeatable")
	f.StringArrayVar(&o.data, "data", nil, "tag from outside that waits for the caller, NAME=VALUE; repeatable")
	f.StringArrayVar(&o.test.Digits, "digits", nil, "what the caller presses each time it is asked; repeatable")
	f.StringArrayVar(&o.says, "says", nil, "how long the caller speaks each time it is recorded, such as 5s; repeatable")
	f.StringVar(&o.at, "at", "", "when, such as \"2026-07-01 12:00 America/New_York\" (the default, in UTC)")
	f.BoolVar(&o.test.Answered, "answered", false, "the call is answered before the flow begins")
	f.DurationVar(&o.hangsUp, "hangs-up", 0, "when the caller hangs up, from the beginning of the call")
	f.StringArrayVar(&o.answers, "answer", nil, "what a target does, TARGET=busy, =rings, =rejects, \"=answers after 3s talks 40s\", or a cause; repeatable")
	f.StringArrayVar(&o.requests, "request", nil, "what the request of a node gets, NODE=200:{…}, \"=200 after 2s\", =timeout or =fails; repeatable")
	f.StringArrayVar(&o.availability, "availability", nil, "what a target says when it is asked whether somebody is there, TARGET=200:3, =timeout or =fails; repeatable")
	f.StringArrayVar(&o.full, "full", nil, "of a target others have taken all that a rule allows, TARGET=concurrency, =cap_day, …; repeatable")
	f.BoolVar(&o.live, "live-requests", false, "make the requests for which there is no --request or --availability, where the server may (setting http_allow)")
	f.IntVar(&o.test.Seed, "seed", 0, "of what is left to chance")
	o.format = outputFlag(cmd)
	completeSimulate(cmd, &o)
	return cmd
}

// loadServers loads the configuration that a server with these settings has: from its
// folder, or what is in force in the database.
func loadServers(ctx context.Context, s *settings) (_ *flowengine.Snapshot, err error) {
	dir := s.ConfigDir
	var snapshot *flowengine.Snapshot
	var problems []flowengine.Problem
	if dir != "" {
		snapshot, problems = flowengine.LoadDir(dir, nodes.Kinds)
	} else {
		dir = "the configuration in the database"
		db, err := askStore(ctx, s, false)
		if err != nil {
			return nil, err
		}
		orgs, err := exported(ctx, db, "", 0)
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, err
		}
		snapshot, problems = flowengine.LoadFiles(confdir.Join(orgs), nodes.Kinds)
	}
	if len(problems) > 0 {
		return nil, &invalidConfig{dir: dir, problems: problems}
	}
	return snapshot, nil
}

// loadFolder loads a folder, or what the server has where dir is empty.
func loadFolder(cmd *cobra.Command, dir string) (*flowengine.Snapshot, error) {
	if dir == "" {
		s, err := loadSettings(cmd)
		if err != nil {
			return nil, err
		}
		return loadServers(cmd.Context(), s)
	}
	s, problems := flowengine.LoadDir(dir, nodes.Kinds)
	if len(problems) > 0 {
		return nil, &invalidConfig{dir: dir, problems: problems}
	}
	return s, nil
}

// read makes the call of what the command line says.
func (o *simulateOptions) read(s *flowengine.Snapshot, flow string) (flowtest.Test, error) {
	t := o.test
	switch number := call.ValidNumber(flow); { // no flow has such a name
	case number && t.To != "":
		return t, fmt.Errorf("--to: %s is dialled already", flow)
	case number:
		t.To = flow
	default:
		t.Flow = flow
		if err := dialled(s, &t); err != nil {
			return t, err
		}
	}
	t.HangsUp = flowengine.Duration(o.hangsUp)
	t.Headers, t.Tags = map[string]string{}, map[string]flowengine.Scalar{}
	t.Targets, t.Requests = map[string]flowtest.Callee{}, map[string]flowtest.Answer{}
	t.Availability, t.Full = map[string]flowtest.Answer{}, map[string]call.Rule{}
	err := errors.Join(
		pairs("header", "X-NAME=VALUE", o.headers, func(k, v string) error { t.Headers[k] = v; return nil }),
		pairs("tag", "NAME=VALUE", o.tags, func(k, v string) error { t.Tags[k] = flowengine.ParseScalar(v); return nil }),
		pairs("data", "NAME=VALUE", o.data, func(k, v string) error {
			t.Data = append(t.Data, flowtest.Data{Tags: map[string]flowengine.Scalar{k: flowengine.ParseScalar(v)}})
			return nil
		}),
		pairs("answer", "TARGET=busy, or another behaviour", o.answers, func(k, v string) (err error) { t.Targets[k], err = flowtest.ParseCallee(v); return err }),
		pairs("request", "NODE=200, or another answer", o.requests, func(k, v string) (err error) { t.Requests[k], err = flowtest.ParseAnswer(v); return err }),
		pairs("availability", "TARGET=200:3, or another answer", o.availability, func(k, v string) (err error) { t.Availability[k], err = flowtest.ParseAnswer(v); return err }),
		pairs("full", "TARGET=concurrency, or another rule", o.full, func(k, v string) error { t.Full[k] = call.Rule(v); return nil }),
	)
	for _, text := range o.says {
		var d flowengine.Duration
		err = errors.Join(err, named("says", text, d.UnmarshalText([]byte(text))))
		t.Says = append(t.Says, d)
	}
	if o.at != "" {
		err = errors.Join(err, named("at", o.at, t.At.UnmarshalText([]byte(o.at))))
	}
	if err != nil {
		return t, err
	}
	o.typeTags(s, &t)
	for _, f := range flowtest.NewScript(s).Check(&t) {
		field, _ := f.At[0].(string)
		switch field {
		case "expect": // nothing is expected here
			continue
		case "targets":
			field = "--answer"
		case "requests":
			field = "--request"
		case "flow":
			field = "FLOW"
		case "to":
			field = "--to"
			if t.To == flow {
				field = "FLOW"
			}
		case "headers":
			field = "--header"
		case "tags":
			field = "--tag"
		default:
			field = "--" + field
		}
		err = errors.Join(err, fmt.Errorf("%s: %w", field, f))
	}
	return t, err
}

// typeTags makes what was given for tags that are defined what their definitions say: on a
// command line a text has no quotes.
func (o *simulateOptions) typeTags(s *flowengine.Snapshot, t *flowtest.Test) {
	org, ok := s.Organization(t.Org)
	if r, known := s.Lookup(t.To); known && t.Org == "" {
		org, ok = r.Org, true
	}
	if !ok {
		return
	}
	for _, pair := range o.tags {
		name, text, _ := strings.Cut(pair, "=")
		if _, defined := org.Tag(name); defined {
			t.Tags[name] = flowengine.Scalar{Value: org.TagValue(name, text)}
		}
	}
}

// dialled finds what is dialled by a call to a flow: a number that leads to it, in the only
// organization that has it, where the call does not say.
func dialled(s *flowengine.Snapshot, t *flowtest.Test) error {
	var have, flows, numbers []string
	for _, r := range s.Numbers() {
		if r.Campaign != nil && r.Campaign.Name == t.Flow && (t.Org == "" || t.Org == r.Org.Name) {
			numbers = append(numbers, r.Number)
		}
	}
	for _, o := range s.Organizations() {
		if t.Org != "" && t.Org != o.Name {
			continue
		}
		if _, ok := o.Flow(t.Flow); ok {
			have = append(have, o.Name)
		}
		for _, f := range o.Flows() {
			if f.Plan() == "" {
				flows = append(flows, f.Name)
			}
		}
	}
	switch {
	case len(have) == 0 && len(flows) == 0, t.To != "": // there may be no such organization
		return nil
	case len(have) == 0 && len(numbers) > 0:
		return fmt.Errorf("FLOW: %s is a campaign; simulate one of its numbers: %s", t.Flow, strings.Join(numbers[:min(len(numbers), 5)], ", "))
	case len(have) == 0:
		return fmt.Errorf("FLOW: there is no flow %q; %s", t.Flow, flowengine.Nearest(t.Flow, flows))
	case len(have) > 1:
		return fmt.Errorf("FLOW: several organizations have a flow %q; --org names the one that is meant: %s", t.Flow, strings.Join(have[:min(len(have), 10)], ", "))
	}
	t.Org = have[0]
	for _, r := range s.Numbers() {
		if r.Org.Name == t.Org && r.Flow.Name == t.Flow {
			t.To = r.Number
			break
		}
	}
	return nil
}

// pairs reads the values NAME=VALUE of a flag, whose form is for people.
func pairs(flag, form string, texts []string, set func(name, value string) error) error {
	var errs []error
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			errs = append(errs, fmt.Errorf("--%s %s: write %s", flag, text, form))
			continue
		}
		errs = append(errs, named(flag, text, set(name, value)))
	}
	return errors.Join(errs...)
}

// named says which flag an error is about.
func named(flag, text string, err error) error {
	if wrong := (*flowengine.SettingError)(nil); errors.As(err, &wrong) && wrong.Hint != "" {
		return fmt.Errorf("--%s %s: %w; %s", flag, text, err, wrong.Hint)
	} else if err != nil {
		return fmt.Errorf("--%s %s: %w", flag, text, err)
	}
	return nil
}

// runSimulate places the call. It fails when a node does.
func runSimulate(out io.Writer, s *flowtest.Script, t flowtest.Test, format output) error {
	r := s.Simulate(t)
	var err error
	if format == outputJSON {
		err = json.NewEncoder(out).Encode(newSimulated(r))
	} else {
		err = (&callTree{w: out, paint: painterFor(out)}).call(r)
	}
	switch end, ordinary := r.End(); {
	case err != nil:
		return err
	case len(r.Faults()) > 0:
		return fmt.Errorf("the call met an error: %s", strings.Join(r.Faults(), "; "))
	case !ordinary:
		return fmt.Errorf("the call did not end: %s", end)
	}
	return nil
}

// simulated is a call as JSON.
type simulated struct {
	From       string            `json:"from"`
	To         string            `json:"to"`
	Path       []string          `json:"path"` // "node exit"
	Dialled    []string          `json:"dialled,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Emitted    []string          `json:"emitted,omitempty"`
	Unscripted []string          `json:"unscripted,omitempty"` // nodes whose requests nobody answered
	Errors     []string          `json:"errors,omitempty"`
	Ends       string            `json:"ends"`
	Millis     int64             `json:"ms"`
	Acts       []simulatedAct    `json:"acts"` // what was heard, pressed and asked for
	Events     []call.Event      `json:"events"`
}

type simulatedAct struct {
	Millis int64  `json:"ms"` // since the beginning
	Text   string `json:"text"`
}

func newSimulated(r *flowtest.Result) *simulated {
	end, _ := r.End()
	out := &simulated{From: r.Call.Caller.Number, To: r.Call.Number, Path: r.Path(), Dialled: r.Targets(), Tags: r.Tags(), Emitted: r.Emitted(),
		Unscripted: r.Unscripted, Errors: r.Faults(), Ends: end, Millis: r.Lasted().Milliseconds(), Acts: []simulatedAct{}, Events: r.Events}
	for _, a := range r.Acts {
		out.Acts = append(out.Acts, simulatedAct{a.At.Sub(r.Call.Started).Milliseconds(), a.Text})
	}
	return out
}
