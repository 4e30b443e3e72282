package nodes

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
)

// Voicemail greets the caller and records a message.
type Voicemail struct {
	Greeting flowengine.Prompt   `yaml:"greeting,required"`
	Beep     flowengine.Prompt   `yaml:"beep"`
	Max      flowengine.Duration `yaml:"max"`
	Silence  flowengine.Duration `yaml:"silence"` // 0: does not end the message
	Min      flowengine.Duration `yaml:"min"`
	Keys     string              `yaml:"keys"`
	Box      string              `yaml:"box"`
}

const (
	recorded = "recorded"
	empty    = "empty"
	beep     = "tone:%(400,0,800)"
	shortest = 100 * time.Millisecond
)

var boxName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$`)

func newVoicemail() flowengine.Node {
	v := &Voicemail{Max: flowengine.Duration(2 * time.Minute), Silence: flowengine.Duration(5 * time.Second),
		Min: flowengine.Duration(time.Second), Keys: "#"}
	if err := v.Beep.UnmarshalText([]byte(beep)); err != nil {
		panic(err)
	}
	return v
}

// Check holds the settings within what the switch can do.
func (v *Voicemail) Check(c *flowengine.Check) {
	if v.Greeting.Empty() {
		c.Problem("greeting", `write greeting: "say:Please leave a message."`, "the caller must hear that a message is recorded")
	}
	finite(c, "greeting", &v.Greeting)
	finite(c, "beep", &v.Beep)
	wholeSeconds(c, "max", v.Max, time.Hour)
	wholeSeconds(c, "silence", v.Silence, time.Minute)
	if least, most := time.Duration(v.Min), time.Duration(v.Max); least < shortest || least > most {
		c.Problem("min", "", "min: %s is not between %s and max, which is %s", least, shortest, round(most))
	}
	if strings.Trim(v.Keys, "0123456789*#") != "" {
		c.Problem("keys", `write them one after the other, as in "#*", or "" for none`, "keys: %q holds more than 0-9, * and #", v.Keys)
	}
	if v.Box != "" && !boxName.MatchString(v.Box) {
		c.Problem("box", "letters, digits, @ . _ -, at most 64", "box: %q is no name", v.Box)
	}
}

// Run records. After a takeover the part that was begun stays, and the caller
// goes on in the next one: its number is the state.
func (v *Voicemail) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	var part int
	resumed, err := s.Resumed(&part)
	if err != nil {
		return flowengine.Result{}, err
	}
	begun, err := s.MessageFile(part)
	if err != nil {
		return flowengine.Result{}, err
	}
	if resumed {
		v.tell(s, begun, part, 0)
	} else if err := s.Play(ctx, &v.Greeting); err != nil {
		return flowengine.Result{}, err
	}
	said, err := v.record(ctx, s, part+1)
	if err != nil {
		return flowengine.Result{}, err
	}
	r := flowengine.Result{Exit: recorded, Why: "recorded " + said.String()}
	if least := time.Duration(v.Min); said < least {
		r.Why += ", less than " + round(least)
		if !resumed {
			r.Exit = empty
		}
	}
	return r, nil
}

// record beeps and records one part. Most callers end it by hanging up.
func (v *Voicemail) record(ctx context.Context, s *flowengine.Session, part int) (time.Duration, error) {
	file, err := s.MessageFile(part)
	if err != nil {
		return 0, err
	}
	if err := s.Play(ctx, &v.Beep); err != nil {
		return 0, err
	}
	if err := s.Keep(ctx, part); err != nil {
		return 0, err
	}
	m, err := s.Message(ctx, call.Message{Path: file, Max: time.Duration(v.Max), Silence: time.Duration(v.Silence), Terminators: v.Keys})
	over := (*call.HungUp)(nil)
	if (err == nil || errors.As(err, &over)) && m.Length >= time.Duration(v.Min) {
		v.tell(s, file, part, m.Length)
	}
	return m.Length, err
}

// tell tells of a part. How long one is that was recorded when the server was lost,
// nobody saw: 0.
func (v *Voicemail) tell(s *flowengine.Session, file string, part int, length time.Duration) {
	e := call.Event{Type: call.Voicemail, Millis: length.Milliseconds(), Attrs: map[string]string{"path": file, "part": strconv.Itoa(part)}}
	if v.Box != "" {
		e.Attrs["box"] = v.Box
	}
	if length == 0 {
		e.Attrs["late"] = "true"
	}
	s.Tell(e)
}
