package nodes

import (
	"context"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Say speaks a text.
type Say struct {
	Text Spoken `yaml:"text,required"`
}

// FromText is a Say that is nothing but its text.
func (n *Say) FromText(text string) error { return n.Text.UnmarshalText([]byte(text)) }

// Spoken is a prompt that is written as the text alone, without say: in front.
type Spoken struct{ flowengine.Prompt }

// UnmarshalText compiles the text's templates; it fails with a *flowengine.SettingError.
func (t *Spoken) UnmarshalText(text []byte) (err error) {
	t.Prompt, err = flowengine.Say(string(text))
	return err
}

// Run speaks. After a takeover it starts over.
func (n *Say) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	if err := s.Play(ctx, &n.Text.Prompt); err != nil {
		return flowengine.Result{}, err
	}
	return flowengine.Result{Exit: flowengine.NextExit}, nil
}
