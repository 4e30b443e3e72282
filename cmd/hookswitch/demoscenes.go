package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

const (
	demoPace  = 4               // how much faster than in life prompts, ringing and talk are
	demoPause = 3 * time.Second // between calls
)

// scene is a call, and how everybody behaves meanwhile.
type scene struct {
	title  string
	to     string
	from   string // "": somebody who has not called yet
	back   int    // instead: whoever called so many calls before
	script []esltest.Act
	people map[string]esltest.Callee // by target
	others []esltest.Callee          // who takes the other targets, in turn
	free   int                       // people of whoever is asked for availability
	form   map[string]string         // what the caller has told a form, when the calls are a check
}

// talks lets the first mark pass: so fast, five seconds are twenty.
var talks = esltest.Answers(3*time.Second, 24*time.Second)

// visitor is the number of whoever has perhaps filled in the form.
const visitor = "+12125550177"

// exampleScenes are those of the example with campaigns.
func exampleScenes() []scene {
	press := func(digit string) []esltest.Act {
		return []esltest.Act{esltest.Press(digit).WhenPlaying("Press 1").After(2 * time.Second)}
	}
	all := []scene{
		{title: "A roofing lead from Google. Whoever is asked first takes it.", to: "+15550110"},
		{title: "A visitor of our page calls, and hangs up when asked what the form has asked already.", to: "+15550120", from: visitor,
			script: []esltest.Act{esltest.HangUp().WhenPlaying("Press 1").After(time.Second)}, form: map[string]string{"rooms": "2"}},
		{title: "A tiles lead of several rooms. Tile Co is asked, and has nobody free.", to: "+15550120", script: press("2")},
		{title: "That roofing lead again. Roof Co takes nobody twice within a month.", to: "+15550110", back: 3},
		{title: "A roofing lead from the radio, of which Roof Co has the first choice. Its line is busy.", to: "+15550111",
			people: map[string]esltest.Callee{"roofco-day": esltest.Busy()}},
		{title: "A tiles lead of several rooms. Tile Co has two people free.", to: "+15550120", script: press("2"), free: 2},
		{title: "We try things out: for our own number the plan is another one.", to: "+15550110", from: "+15550190"},
		{title: "A roofing lead. Nobody takes it, and the caller gives up.", to: "+15550110", script: []esltest.Act{esltest.HangUp().After(12 * time.Second)},
			people: map[string]esltest.Callee{"roofco-day": esltest.Busy(), "roofco-small": esltest.Rejects(), "own-desk": esltest.RingsForever()}},
		{title: "A tiles lead of a single room, which stays with us.", to: "+15550120", script: press("1")},
	}
	for i := range all {
		all[i].others = []esltest.Callee{talks}
	}
	return all
}

// scenes are the calls that are placed, one after the other.
func (d *demo) scenes() (all []scene) {
	if d.settings.ConfigDir == "" {
		for _, s := range exampleScenes() {
			if _, ok := d.config.current().Lookup(s.to); ok {
				all = append(all, s)
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	press := func(digits string) esltest.Act {
		return esltest.Press(digits).WhenPlaying("Press 1").After(2 * time.Second)
	}
	for _, s := range []scene{
		{script: []esltest.Act{press("1")}, others: []esltest.Callee{esltest.Busy(), talks}},
		{script: []esltest.Act{press("2")}, others: []esltest.Callee{talks}},
		{script: []esltest.Act{press("9"), press("1")}, others: []esltest.Callee{talks}},
		{others: []esltest.Callee{esltest.RingsForever(), esltest.Rejects()}},
		{script: []esltest.Act{press("1"), esltest.HangUp().After(8 * time.Second)}, others: []esltest.Callee{esltest.RingsForever()}},
	} {
		for _, r := range d.config.current().Numbers() {
			s.to, s.title = r.Number, "A call to "+r.Number+", which runs "+runs(r)+"."
			all = append(all, s)
		}
	}
	return all
}

// onePerCampaign returns the first scene of each campaign, and of the numbers without
// one.
func (d *demo) onePerCampaign() (some []scene) {
	seen := map[string]bool{}
	for _, s := range d.scenes() {
		r, _ := d.config.current().Lookup(s.to)
		of := r.Org.Name + "/"
		if r.Campaign != nil {
			of += r.Campaign.Name
		}
		if !seen[of] {
			seen[of] = true
			some = append(some, s)
		}
	}
	return some
}

// play places the call of a scene and returns its id when its timeline is complete. n
// makes up who calls. When ctx ends, the caller hangs up.
func (d *demo) play(ctx context.Context, s scene, n int) (id string) {
	d.free.Store(int64(s.free))
	for i, t := range d.config.current().Targets() {
		callee, named := s.people[t.Name]
		if !named {
			callee = s.others[i%len(s.others)]
		}
		d.sw.SetCallee(cmp.Or(t.Address.Number, t.Address.URI, t.Address.User), callee)
	}
	from := cmp.Or(s.from, fmt.Sprintf("+1212556%04d", (n-s.back)%10_000))
	k := d.sw.Call(esltest.Caller{From: from, Name: "Ada Example", To: s.to, Script: s.script})
	defer context.AfterFunc(ctx, k.HangUp)()
	select {
	case <-d.end(k.UUID):
	case <-d.over:
	}
	return k.UUID
}

// callers calls until ctx ends, one scene after the other.
func (d *demo) callers(ctx context.Context) {
	fmt.Fprintf(d.out, "\nCalls are %d times as fast as in life. Interrupt to stop, or kill -9 %d and start again: nothing is missing.\n", demoPace, os.Getpid())
	for _, s := range d.scenes() {
		if d.form != nil && s.form != nil {
			fmt.Fprintf(d.out, "\nCopy this: %s, who calls every half minute, has told the form of rooms, and is not asked.\n  %s\n", s.from, d.form.curl(s.from, s.form))
		}
	}
	var live sync.WaitGroup
	defer live.Wait()
	for n := d.before; ; {
		for _, s := range d.scenes() {
			fmt.Fprintf(d.out, "\n%s\n", s.title)
			live.Go(func() { d.play(ctx, s, n) })
			n++
			select {
			case <-ctx.Done():
				return
			case <-d.over:
				return
			case <-time.After(demoPause):
			}
		}
	}
}

// desk is whoever the configuration asks on this machine: it says how many people are free.
type desk struct{ atomic.Int64 }

func (d *desk) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"agents": {"free": %d}}`, d.Load())
}

// services are whoever the configuration leads to on this machine, by address: those who
// are asked whether they are free, and the endpoints that are told.
func (d *demo) services() map[string]http.Handler {
	all := map[string]http.Handler{}
	for _, t := range d.config.current().Targets() {
		if t.Availability != nil {
			serve(all, t.Availability.URL.Head(), &d.free)
		}
	}
	for _, o := range d.config.current().Organizations() {
		for _, e := range o.Endpoints() {
			serve(all, e.URL.Head(), d.heard)
		}
	}
	return all
}

// serve adds who answers at an address, if it is one of this machine.
func serve(all map[string]http.Handler, address string, with http.Handler) {
	u, err := url.Parse(address)
	if err != nil {
		return // there is a template in its host
	}
	if a, err := netip.ParseAddrPort(u.Host); err == nil && a.Addr().IsLoopback() && all[u.Host] == nil {
		all[u.Host] = with
	}
}
