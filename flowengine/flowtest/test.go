package flowtest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// Test is one simulated call and what is expected of it.
type Test struct {
	File string // where it is written
	Line int

	Name         string                       `yaml:"name,required"`
	From         *string                      `yaml:"from"` // caller's number, empty when withheld; default +15550100
	CallerName   string                       `yaml:"caller_name"`
	To           string                       `yaml:"to"`       // number that is dialled; default: the first of the folder
	Org          string                       `yaml:"org"`      // whose call it is; default: as the number says
	Flow         string                       `yaml:"flow"`     // begins in this flow, whatever the number's is
	At           Time                         `yaml:"at"`       // default: Epoch
	Answered     bool                         `yaml:"answered"` // before the flow begins
	Headers      map[string]string            `yaml:"headers"`
	Tags         map[string]flowengine.Scalar `yaml:"tags"`         // written before the flow begins
	Data         []Data                       `yaml:"data"`         // that come from outside for the call, in order
	Digits       []string                     `yaml:"digits"`       // what the caller presses each time it is asked
	Says         []flowengine.Duration        `yaml:"says"`         // how long the caller speaks each time it is recorded
	HangsUp      flowengine.Duration          `yaml:"hangs_up"`     // so long after its beginning
	Targets      map[string]Callee            `yaml:"targets"`      // see ParseCallee
	Requests     map[string]Answer            `yaml:"requests"`     // by node, see ParseAnswer
	Availability map[string]Answer            `yaml:"availability"` // by target, see ParseAnswer
	Full         map[string]call.Rule         `yaml:"full"`         // targets of which others have taken all that a rule allows
	Without      []string                     `yaml:"without"`      // targets that were removed after the flow was loaded
	Lose         []int                        `yaml:"lose"`         // see Run
	Seed         int                          `yaml:"seed"`         // of what is left to chance
	Expect       Expect                       `yaml:"expect,required"`
}

// Expect is what becomes of a call. What is left out is not checked.
type Expect struct {
	Path     []string          `yaml:"path"`  // "node exit"
	Exits    map[string]string `yaml:"exits"` // by node, of its last step
	Why      map[string]string `yaml:"why"`   // by node, of its last step
	Tags     map[string]string `yaml:"tags"`
	Dialled  []string          `yaml:"dialled"`   // targets that rang, in order
	NotTried map[string]string `yaml:"not_tried"` // by target, the rule or "rule: value" that kept it from being tried last; empty: none did
	Events   []string          `yaml:"events"`    // names of emitted events, in order
	Verbs    []string          `yaml:"verbs"`     // what was done on the caller's leg
	Ends     string            `yaml:"ends"`      // cause, or "transferred EXTENSION"
}

// nothing says that any call at all would do.
func (x *Expect) nothing() bool {
	return x.Path == nil && x.Dialled == nil && x.Events == nil && x.Verbs == nil && x.Ends == "" &&
		len(x.Exits)+len(x.Why)+len(x.Tags)+len(x.NotTried) == 0
}

// Time is a setting for a moment, see ParseTime.
type Time struct{ time.Time }

// UnmarshalText reads the moment.
func (t *Time) UnmarshalText(text []byte) (err error) {
	t.Time, err = ParseTime(string(text))
	return err
}

// ParseTime reads a moment: "2026-07-01 12:00", with a time zone behind it or in
// UTC.
func ParseTime(text string) (time.Time, error) {
	day, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	clock, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
	var zone hours.Zone
	if err := zone.UnmarshalText([]byte(cmp.Or(strings.TrimSpace(name), "UTC"))); err != nil {
		return time.Time{}, err
	}
	layout := "2006-01-02 15:04"
	if strings.Count(clock, ":") == 2 {
		layout += ":05"
	}
	at, err := time.ParseInLocation(layout, day+" "+clock, zone.Location())
	if err != nil {
		return time.Time{}, wrong("write it like 2026-07-01 12:00 America/New_York", "%q is no time", text)
	}
	return at, nil
}

// wrong is what is wrong with a text, and what would be right.
func wrong(hint, format string, args ...any) error {
	return &flowengine.SettingError{Message: fmt.Sprintf(format, args...), Hint: hint}
}

const (
	defaultCaller = "+15550100"
	defaultNumber = "1000"
)

// Scenario returns the call as it is to be placed.
func (s *Script) Scenario(t Test) Scenario {
	out := Scenario{At: t.At.Time, Org: t.Org, Flow: t.Flow, Data: t.Data, Press: t.Digits, HangsUp: time.Duration(t.HangsUp), Callees: t.Targets, Answers: t.Requests, Available: t.Availability, Live: s.Live}
	out.Call = call.Call{Number: t.To, Caller: call.Caller{Number: defaultCaller, Name: t.CallerName}, Answered: t.Answered, Headers: t.Headers, Switch: "fs1"}
	if s.Live != nil { // whoever is asked must not take it for a call that was there before
		out.Call.ID = call.LegUUID(rand.Text(), 0, 0)
	}
	if t.From != nil {
		out.Call.Caller.Number = *t.From
	}
	if t.To == "" {
		out.Call.Number = s.numberOf(t.Org)
	}
	if t.To == "" && t.Flow == "" {
		out.Flow = s.flow
	}
	for _, d := range t.Says {
		out.Says = append(out.Says, time.Duration(d))
	}
	if len(t.Tags) > 0 {
		out.Tags = make(map[string]any, len(t.Tags))
	}
	for name, v := range t.Tags {
		out.Tags[name] = v.Value
	}
	return out
}

// Play places one call of the script on a fresh engine and compares what became of
// it. It fails with a *Failure, which holds all differences.
func (s *Script) Play(t Test) (*Result, error) {
	r := s.Simulate(t)
	if d := r.differences(&t); len(d) > 0 {
		return r, &Failure{t, d}
	}
	return r, nil
}

// PlayAll plays tests on all processors. It calls done for each, from several
// goroutines at once and in no order; i is its position among the tests.
func (s *Script) PlayAll(tests []Test, done func(i int, r *Result, err error)) {
	var next atomic.Int64
	var playing sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		playing.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tests); i = int(next.Add(1)) - 1 {
				began := time.Now()
				r, err := s.Play(tests[i])
				r.Took = time.Since(began)
				done(i, r, err)
			}
		})
	}
	playing.Wait()
}

// Simulate places one call on a fresh engine.
func (s *Script) Simulate(t Test) *Result {
	snapshot := s.Snapshot
	if len(t.Without) > 0 {
		snapshot = snapshot.Without(t.Without...)
	}
	p := NewPhone(s.Scenario(t), nil)
	e := NewEngine(snapshot, p.Clock, uint64(t.Seed))
	if len(t.Full) > 0 {
		e.Capacity = &full{rules: t.Full}
	}
	return Run(e, p, t.Lose...)
}
