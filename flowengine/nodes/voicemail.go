package nodes

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
		c.Problem("min", "", "min: %s is not between %s and max, which is %s", least, shortest, call.ShortDuration(most))
	}
	if strings.Trim(v.Keys, "0123456789*#") != "" {
		c.Problem("keys", `write them one after the other, as in "#*", or "" for none`, "keys: %q holds more than 0-9, * and #", v.Keys)
	}
	if v.Box != "" && !boxName.MatchString(v.Box) {
		c.Problem("box", "letters, digits, @ . _ -, at most 64", "box: %q is no name", v.Box)
	}
}

// Run records. Once the recording is about to begin, a takeover is no reason to ask
// the caller again: the switch goes on with it, and the leg knows how it ended.
func (v *Voicemail) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	begun := false
	if _, err := s.Resumed(&begun); err != nil {
		return flowengine.Result{}, err
	}
	file, err := s.MessageFile()
	if err != nil {
		return flowengine.Result{}, err
	}
	if !begun {
		if err := v.greet(ctx, s); err != nil {
			return flowengine.Result{}, err
		}
	}
	m, err := s.Message(ctx, call.Message{Path: file, Max: time.Duration(v.Max), Silence: time.Duration(v.Silence), Terminators: v.Keys})
	over := (*call.HungUp)(nil) // most callers end it so
	if err != nil && !errors.As(err, &over) {
		return flowengine.Result{}, err
	}
	if m.Length < time.Duration(v.Min) {
		return flowengine.Result{Exit: empty, Why: fmt.Sprintf("recorded %s, less than %s", m.Length, call.ShortDuration(time.Duration(v.Min)))}, err
	}
	e := call.Event{Type: call.Voicemail, Millis: m.Length.Milliseconds(), Attrs: map[string]string{"path": file}}
	if v.Box != "" {
		e.Attrs["box"] = v.Box
	}
	s.Tell(e)
	return flowengine.Result{Exit: recorded, Why: "recorded " + m.Length.String()}, err
}

func (v *Voicemail) greet(ctx context.Context, s *flowengine.Session) error {
	if err := s.Play(ctx, &v.Greeting); err != nil {
		return err
	}
	if err := s.Play(ctx, &v.Beep); err != nil {
		return err
	}
	return s.Keep(ctx, true)
}
