package routing

import "github.com/hookswitch/hookswitch/call"

// Choice is the way from all candidates of a call to the order in which they are
// tried: some are refused, each for one reason, and the rest is put in order.
type Choice struct {
	members []Member
	refused []*call.Refusal // by position; nil: still left
}

// Among returns the choice among members, of whom all are left.
func Among(members []Member) *Choice {
	return &Choice{members, make([]*call.Refusal, len(members))}
}

// Refuse excludes a position, unless it is excluded already or r is nil: the first
// reason counts.
func (c *Choice) Refuse(i int, r *call.Refusal) {
	if c.refused[i] == nil {
		c.refused[i] = r
	}
}

// Left returns the positions that are left.
func (c *Choice) Left() []int {
	out := make([]int, 0, len(c.refused))
	for i, r := range c.refused {
		if r == nil {
			out = append(out, i)
		}
	}
	return out
}

// Refused returns why a position is excluded; nil for one that is left.
func (c *Choice) Refused(i int) *call.Refusal { return c.refused[i] }

// Attempts returns the order in which those are tried that are left, as Attempts does.
// Those for whom there is no place are excluded by it.
func (c *Choice) Attempts(s Strategy, from Source) [][]int {
	left := c.Left()
	if len(left) == len(c.members) && len(left) <= MaxTried {
		return Attempts(s, c.members, from)
	}
	members := make([]Member, len(left))
	for i, at := range left {
		members[i] = c.members[at]
	}
	out := Attempts(s, members, from)
	placed := make([]bool, len(c.members))
	for _, attempt := range out {
		for j, i := range attempt {
			attempt[j] = left[i]
			placed[left[i]] = true
		}
	}
	for i := range placed {
		if !placed[i] {
			c.Refuse(i, &call.Refusal{Rule: call.NotReached, Value: beyond})
		}
	}
	return out
}
