package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/store"
)

const privateFlag = "private"

// addPrivateFlag lets a command show the values of private tags.
func addPrivateFlag(cmd *cobra.Command) {
	cmd.Flags().Bool(privateFlag, false, "show the values of tags whose privacy is private")
}

// discreet is a call log that shows no values of tags that the configuration says are private.
type discreet struct {
	callLog
	load func() (*flowengine.Snapshot, error)
	warn func(error)

	loaded   bool
	snapshot *flowengine.Snapshot // nil: it cannot be read
}

// discreetly is the log without the values of private tags, unless --private asks for them.
func discreetly(cmd *cobra.Command, s *settings, log callLog) (callLog, error) {
	if open, err := cmd.Flags().GetBool(privateFlag); err != nil || open {
		return log, err
	}
	return &discreet{callLog: log, load: func() (*flowengine.Snapshot, error) { return loadServers(cmd.Context(), s) }, warn: func(err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "hookswitch: the configuration does not say which tags are private, so that all are masked; --%s shows them: %v\n", privateFlag, err)
	}}, nil
}

// Call returns one without what is private.
func (d *discreet) Call(ctx context.Context, org, id string) (*store.Call, error) {
	c, err := d.callLog.Call(ctx, org, id)
	if err == nil {
		d.hide(c)
	}
	return c, err
}

// Calls yields them without what is private.
func (d *discreet) Calls(ctx context.Context, org string, q store.Query, whole bool) iter.Seq2[*store.Call, error] {
	return func(yield func(*store.Call, error) bool) {
		for c, err := range d.callLog.Calls(ctx, org, q, whole) {
			if err == nil {
				d.hide(c)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// hide masks the values of the private tags of a call. The configuration is read for the
// first one that has tags: most lists have none.
func (d *discreet) hide(c *store.Call) {
	c.Hide(func(tag string) bool {
		if !d.loaded {
			var err error
			if d.snapshot, err = d.load(); err != nil {
				d.warn(err)
			}
			d.loaded = true
		}
		if d.snapshot == nil {
			return true
		}
		o, there := d.snapshot.Organization(c.Org)
		return !there || o.Private(tag)
	})
}
