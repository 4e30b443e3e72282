package drain_test

import (
	"context"
	"testing"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
	"github.com/hookswitch/hookswitch/store/drain"
	"github.com/hookswitch/hookswitch/store/journal"
)

// counting takes in everything, keeps nothing, and says when it has enough.
type counting struct {
	missing int
	enough  func()
}

func (c *counting) Append(_ context.Context, b store.Batch) error {
	if c.missing -= len(b.Lines); c.missing <= 0 {
		c.enough()
	}
	return nil
}

// BenchmarkDrain is what an event costs from the disk to the door of the store.
func BenchmarkDrain(b *testing.B) {
	j, err := journal.Open(b.TempDir(), journal.Options{Drain: true, Buffer: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	r := j.Recorder("0b9a1a4e-5d7e-4c8a-9d5f-3f8a1f0c0001", 1, "n1", nil)
	e := call.Event{Type: call.Connected, Step: "welcome", Kind: "menu", Exit: "1", Why: "pressed 1", Millis: 1834,
		Attrs: map[string]string{"from": "+15551234567", "to": "+15557654321", "flow": "main-line"}}
	for range b.N {
		r.Record(e)
	}
	if err := j.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	b.ReportAllocs()
	b.ResetTimer()
	(&drain.Drain{Journal: j, Log: &counting{b.N, cancel}}).Run(ctx)
}
