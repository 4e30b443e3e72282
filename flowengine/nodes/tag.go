package nodes

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/flowengine"
)

// Tag writes tags of the call.
type Tag struct {
	Tags Values `yaml:"tags,required"`
}

// Check wants names that tags can have, and values that fit them.
func (n *Tag) Check(c *flowengine.Check) {
	n.Tags.check(c, "tags", "a tag", nameSyntax, nameHint)
	for _, name := range slices.Sorted(maps.Keys(n.Tags)) {
		value := n.Tags[name]
		c.Writes("tags/"+name, name, &value)
	}
}

// Run writes them, once. Why tells of those that were refused.
func (n *Tag) Run(ctx context.Context, s *flowengine.Session) (flowengine.Result, error) {
	why := n.Tags.names()
	err := s.Once(ctx, func() error {
		values, err := n.Tags.eval(s)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			err := s.Tag(name, values[name])
			if refused, ok := errors.AsType[*flowengine.TagRefusedError](err); ok {
				why += ", " + refused.Error()
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	return flowengine.Result{Exit: flowengine.NextExit, Why: why}, err
}
