package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
	"github.com/hookswitch/hookswitch/webhooks"
)

const (
	askedTargets = 500
	hangingOnes  = 50
	decisions    = 100
	askLimit     = time.Second
	askSlack     = 20 * time.Millisecond
)

// decisionTime is how long a caller waits for the choice among targets that are all
// asked whether somebody is there, some of which never say. It is the only figure of
// time that passes: what is measured is that nobody is waited for.
func decisionTime(context.Context) ([]table.Row, error) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0") // each target has a loopback address of its own
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(answerOrHang)}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	s, problems := flowengine.LoadFile("f.yaml", []byte(askedPlan(listener.Addr().(*net.TCPAddr).Port)), nodes.Kinds)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	client := webhooks.NewClient(&webhooks.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer client.Close()
	took := make([]time.Duration, decisions)
	fewest := askedTargets // that said yes in time
	err = profiled("decision", func() error {
		for i := range took {
			began := time.Now()
			p := flowtest.NewPhone(flowtest.Scenario{Call: call.Call{ID: peerUUID(i), Number: number}, Live: client}, nil)
			r := flowtest.Run(flowtest.NewEngine(s, p.Clock, 1), p)
			took[i] = time.Since(began)
			yes, err := answered(r)
			if err != nil {
				return err
			}
			fewest = min(fewest, yes)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(took)
	p99 := took[decisions*99/100-1]
	what := fmt.Sprintf("decision among %d targets that are asked, %d of which hang: p99 (median %d ms, %d or more answers)", askedTargets, hangingOnes, took[decisions/2].Milliseconds(), fewest)
	return []table.Row{table.AtMost(what, "%.0f ms", milliseconds(p99), milliseconds(askLimit+askSlack))}, nil
}

func answerOrHang(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hang" {
		<-r.Context().Done()
		return
	}
	fmt.Fprint(w, 1)
}

// askedPlan is a plan whose targets are asked at this port.
func askedPlan(port int) string {
	var targets, members strings.Builder
	for i := range askedTargets {
		path := "free"
		if i%(askedTargets/hangingOnes) == 0 {
			path = "hang"
		}
		fmt.Fprintf(&targets, "  t%d: {user: a@pbx.example, availability: {url: \"http://127.0.%d.%d:%d/%s\", timeout: %s}}\n", i, 1+i/250, 1+i%250, port, path, askLimit)
		fmt.Fprintf(&members, "      - t%d\n", i)
	}
	return fmt.Sprintf("numbers: {%q: {campaign: c}}\ncampaigns: {c: {plan: p}}\ntargets:\n%splans:\n  p:\n    members:\n%s", number, &targets, &members)
}

// answered returns how many targets said yes, and fails where the others were not waited
// for: a busy machine may answer too late.
func answered(r *flowtest.Result) (yes int, err error) {
	if h := (*call.HungUp)(nil); !errors.As(r.Err, &h) {
		return 0, fmt.Errorf("a call ended with %w", r.Err)
	}
	late := 0
	for _, e := range r.Events {
		for name, text := range e.Attrs {
			switch asked := strings.HasPrefix(name, "asked."); {
			case asked && strings.HasPrefix(text, "yes 1 in "):
				yes++
			case asked && strings.HasPrefix(text, "no, no answer in "):
				late++
			}
		}
	}
	if yes+late != askedTargets || late < hangingOnes {
		return 0, fmt.Errorf("%d targets said yes, and %d nothing in time, of %d", yes, late, askedTargets)
	}
	return yes, nil
}
