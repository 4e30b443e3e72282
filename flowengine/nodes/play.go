package nodes

import (
	"context"
	"fmt"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Play plays prompts, one after the other.
type Play struct {
	Prompt  flowengine.Prompt   `yaml:"prompt"`
	Prompts []flowengine.Prompt `yaml:"prompts"`
}

// Check wants one of both settings.
func (p *Play) Check(c *flowengine.Check) {
	switch {
	case p.Prompt.Empty() && len(p.Prompts) == 0:
		c.Problem("", `write play: {prompt: "say:…"}`, "play has nothing to play")
	case !p.Prompt.Empty() && len(p.Prompts) > 0:
		c.Problem("prompts", "put all of them into prompts", "play has both prompt and prompts")
	case len(p.Prompts) > maxPrompts:
		c.Problem("prompts", "", "play has %d prompts, at most %d are played", len(p.Prompts), maxPrompts)
	}
	finite(c, "prompt", &p.Prompt)
	for i := range p.Prompts {
		finite(c, fmt.Sprintf("prompts/%d", i), &p.Prompts[i])
	}
}

const maxPrompts = 50

// Run plays. After a takeover it starts over.
func (p *Play) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	prompts := p.Prompts
	if len(prompts) == 0 {
		prompts = []flowengine.Prompt{p.Prompt}
	}
	for i := range prompts {
		if err := s.Play(ctx, &prompts[i]); err != nil {
			return flowengine.Result{}, err
		}
	}
	return flowengine.Result{Exit: flowengine.NextExit}, nil
}
