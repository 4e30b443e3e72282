package flowtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// described names a verb and what is heard in it.
func described(verb string, p call.Prompt) string { return strings.TrimSpace(verb + " " + p.String()) }

func (c *controller) Wait(_ context.Context, d time.Duration, music call.Prompt) error {
	return c.do(described("wait "+d.String(), music), func() error {
		c.tell(c.Clock.at, "waits "+described(d.String(), music))
		return c.pass(d)
	})
}

func (c *controller) While(ctx context.Context, music call.Prompt, f func(context.Context)) error {
	return c.do(described("while", music), func() error {
		if music.Kind != call.Silence {
			c.tell(c.Clock.at, "hears "+music.String())
		}
		q := &inquiry{}
		f(context.WithValue(context.WithValue(ctx, phoneKey{}, c.Phone), inquiryKey{}, q))
		c.end(q)
		if c.Over != nil {
			return c.Over
		}
		return nil
	})
}

// Message goes on without us once it is begun. Whoever takes the call over finds how
// it ended, until a checkpoint behind it is saved.
func (c *controller) Message(_ context.Context, m call.Message) (r call.MessageResult, err error) {
	if on := c.left; on.path == m.Path {
		c.told = true
		return on.result, nil
	}
	err = c.do("message "+m.Path, func() error {
		if c.said < len(c.Says) {
			r.Length = min(c.Says[c.said], m.Max)
		}
		c.said++
		if r.Length == 0 {
			c.tell(c.Clock.at, "says nothing")
		} else {
			c.tell(c.Clock.at, "speaks for "+r.Length.String())
		}
		lost := c.point()
		began := c.Clock.at
		over := c.pass(min(r.Length+m.Silence, m.Max))
		r.Length = min(r.Length, c.Clock.at.Sub(began)) // whoever hangs up says no more
		c.left = message{m.Path, r}
		if lost != nil {
			return lost
		}
		return over
	})
	c.told = true
	return r, err
}

func (c *controller) Recording(_ context.Context, do call.Recording, path string) error {
	return c.do(fmt.Sprintf("%s recording %s", do, path), func() error { return nil })
}

func (c *controller) Transfer(_ context.Context, to call.Extension) error {
	return c.do("transfer "+to.String(), func() error { return nil })
}

func (c *controller) Hangup(_ context.Context, cause call.Cause) error {
	return c.do("hangup "+string(cause), func() error {
		c.Over = &call.HungUp{Cause: cause}
		return nil
	})
}

func (c *controller) Save(_ context.Context, checkpoint string) error {
	return c.do("save", func() error {
		if len(checkpoint) > call.MaxCheckpoint || call.EpochOf(checkpoint) == 0 {
			panic("no checkpoint: " + checkpoint)
		}
		if c.told {
			c.left, c.told = message{}, false
		}
		c.leave(checkpoint)
		return nil
	})
}

func (c *controller) LastResort(_ context.Context, why string) error {
	return c.do("last resort", func() error {
		c.Resorted = why
		return nil
	})
}

func (c *controller) LastBridge() (call.BridgeResult, bool) {
	if c.taken == nil {
		return call.BridgeResult{}, false
	}
	return *c.taken, true
}
