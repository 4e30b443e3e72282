package nodes

import (
	"context"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Tag writes tags of the call.
type Tag struct {
	Tags Values `yaml:"tags,required"`
}

// Check wants names that tags can have.
func (n *Tag) Check(c *flowengine.Check) { n.Tags.check(c, "tags", "a tag", nameSyntax, nameHint) }

// Run writes them, once.
func (n *Tag) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	err := s.Once(ctx, func() error {
		values, err := n.Tags.eval(s)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if err := s.Tag(name, values[name]); err != nil {
				return err
			}
		}
		return nil
	})
	return flowengine.Result{Exit: flowengine.NextExit, Why: n.Tags.names()}, err
}
