package esltest

import (
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Callee is how whoever is dialled behaves. The zero Callee answers at once
// and talks until the other side hangs up.
type Callee struct {
	Ring   time.Duration // from the INVITE to the answer or refusal
	Quiet  bool          // sends no 180 meanwhile
	Refuse int           // SIP status instead of an answer, such as 486
	Never  bool          // neither answers nor refuses
	Early  bool          // 183 with media instead of 180
	Absent bool          // a user that is known but not registered

	Press      string        // digits pressed after the answer
	PressAfter time.Duration // how long after the answer, and between digits
	Talk       time.Duration // from being connected to hanging up; 0: never; negative: at once after the answer
	Leave      time.Duration // from the answer to hanging up, connected or not; 0: never
}

// Answers is a callee that rings, answers and hangs up after talking; with
// talk 0 it stays until the caller hangs up.
func Answers(ring, talk time.Duration) Callee { return Callee{Ring: ring, Talk: talk} }

// AnswersAndLeaves is a callee that hangs up as soon as it has answered.
func AnswersAndLeaves(ring time.Duration) Callee { return Callee{Ring: ring, Talk: -1} }

// Busy is a callee that refuses with 486.
func Busy() Callee { return Refuses(486) }

// Rejects is a callee that refuses with 603.
func Rejects() Callee { return Refuses(603) }

// Refuses is a callee that refuses with a SIP status.
func Refuses(status int) Callee { return Callee{Refuse: status, Quiet: true} }

// RingsForever is a callee that never answers.
func RingsForever() Callee { return Callee{Never: true} }

// Pressing returns the callee pressing digits after it has answered.
func (c Callee) Pressing(digits string, after time.Duration) Callee {
	c.Press, c.PressAfter = digits, after
	return c
}

// WithEarlyMedia returns the callee sending media before it answers.
func (c Callee) WithEarlyMedia() Callee {
	c.Early = true
	return c
}

// Caller is somebody who calls.
type Caller struct {
	UUID     string            // of the A leg; "": any
	From     string            // number
	Name     string            // display name
	To       string            // number dialled
	Headers  map[string]string // of the INVITE: X-…, Diversion, P-Asserted-Identity, Privacy
	CallID   string            // of the INVITE; "": any
	Script   []Act             // what the caller does, one after the other
	Patience time.Duration     // hangs up after it, whatever happens; 0: never
}

// State is what a caller can notice of its call.
type State int

// The states a caller can wait for.
const (
	Ringing  State = iota + 1 // somebody is being dialled and rings
	Answered                  // its own call is answered
	Bridged                   // it talks to somebody
	Released                  // it talked to somebody, who is gone
)

// Act is one thing a caller does: when, after which delay, what.
type Act struct {
	digits string
	speech time.Duration
	hangup bool
	delay  time.Duration
	state  State
	heard  string
}

// Press presses digits, a tenth of a second apart.
func Press(digits string) Act { return Act{digits: digits} }

// Speak begins to speak, for so long. The script goes on meanwhile.
func Speak(d time.Duration) Act { return Act{speech: d} }

// HangUp hangs up; before the answer that is a cancel.
func HangUp() Act { return Act{hangup: true} }

// After returns the act delayed: from the previous act, or from the moment its
// condition came true.
func (a Act) After(d time.Duration) Act { a.delay = d; return a }

// When returns the act waiting for a state of the call.
func (a Act) When(s State) Act { a.state = s; return a }

// WhenPlaying returns the act waiting until the caller hears something whose
// argument contains the text.
func (a Act) WhenPlaying(text string) Act { a.heard = text; return a }

// Result is what became of a call.
type Result struct {
	UUID     string
	Cause    call.Cause // "" while the call lasts
	Status   int        // final SIP status of an unanswered call, 200 of an answered one
	By       string     // who ended it: caller, switch
	Answered bool
	Started  time.Time
	Ended    time.Time
	Heard    []Heard
	Talked   []Talk
	Sockets  []string // addresses that took control, in order
}

// Talk is one time that the caller was connected to somebody.
type Talk struct {
	UUID string // of the B leg
	To   string // destination, as SetCallee knows it
	At   time.Time
	For  time.Duration // 0 while it lasts
}

// Call is a call in progress.
type Call struct {
	UUID  string
	c     *channel
	done  chan struct{}
	wake  chan struct{} // for the script
	res   Result        // guarded by the channel's lock
	ring  bool          // a B leg rings
	plays string        // what is being heard
}

// Done is closed when the call is over: hung up and reported.
func (k *Call) Done() <-chan struct{} { return k.done }

// Result returns what is known of the call by now.
func (k *Call) Result() Result {
	k.c.lock()
	defer k.c.unlock()
	r := k.res
	r.Heard = append([]Heard(nil), r.Heard...)
	r.Talked = append([]Talk(nil), r.Talked...)
	r.Sockets = append([]string(nil), r.Sockets...)
	return r
}

// HangUp hangs up now, as the caller.
func (k *Call) HangUp() {
	k.c.lock()
	defer k.c.unlock()
	k.c.bye()
}

// Press presses digits now.
func (k *Call) Press(digits string) {
	k.c.lock()
	defer k.c.unlock()
	k.c.press(digits)
}

// Speak begins to speak now, for so long.
func (k *Call) Speak(d time.Duration) {
	k.c.lock()
	defer k.c.unlock()
	k.c.speak(d)
}

// Variable returns a channel variable of the caller's leg.
func (k *Call) Variable(name string) string {
	k.c.lock()
	defer k.c.unlock()
	return k.c.vars.get(name)
}

// Call places a call. It returns nil when the switch is closed or the UUID is
// in use.
func (s *Switch) Call(who Caller) *Call {
	c := s.incoming(who)
	if !s.add(c) {
		return nil
	}
	k := c.call
	if !s.start(c.session) {
		s.remove(c)
		return nil
	}
	if len(who.Script) > 0 || who.Patience > 0 {
		s.start(func() { k.act(who) })
	}
	return k
}
