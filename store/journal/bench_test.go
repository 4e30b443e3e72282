package journal

import (
	"fmt"
	"testing"

	"github.com/hookswitch/hookswitch/call"
)

// BenchmarkAppend is the cost to the path of a call, with and without a disk
// behind it, and how many events share one fsync.
func BenchmarkAppend(b *testing.B) {
	for name, fs := range map[string]FS{"disk": nil, "no disk": NoDisk} {
		b.Run(name, func(b *testing.B) {
			j := open(b, b.TempDir(), Options{FS: fs})
			r := j.Recorder(full.Call, 1, "n1", nil)
			b.ReportAllocs()
			for b.Loop() {
				r.Record(full)
			}
			report(b, j)
		})
	}
}

// BenchmarkAppendAndFlush is how many events a second are made durable when
// many wait for theirs.
func BenchmarkAppendAndFlush(b *testing.B) {
	for _, waiters := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("%d waiters", waiters), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{})
			b.SetParallelism((waiters + 1) / 2) // times GOMAXPROCS; measured on two processors
			b.RunParallel(func(pb *testing.PB) {
				r := j.Recorder(full.Call, 1, "n1", nil)
				for pb.Next() {
					r.Record(full)
					if err := j.Flush(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
			report(b, j)
		})
	}
}

func report(b *testing.B, j *Journal) {
	b.Helper()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	s := j.Stats()
	b.ReportMetric(float64(s.Events)/float64(max(s.Groups, 1)), "events/fsync")
	b.ReportMetric(float64(s.Dropped)/float64(s.Events), "dropped/event")
}

func BenchmarkAppendEvent(b *testing.B) {
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], full)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeEvent(b *testing.B) {
	text := AppendEvent(nil, full)
	text = text[:len(text)-1]
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := DecodeEvent(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is what a start costs for each event that is kept.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	j := open(b, dir, Options{})
	const calls, steps = 10_000, 8
	for i := range calls {
		r := j.Recorder(call.LegUUID("call", i, 0), 1, "n1", nil)
		for range steps {
			r.Record(full)
		}
		r.Record(call.Event{Type: call.Ended})
		if i%1000 == 0 {
			flush(b, j)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := open(b, dir, Options{}).Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*calls*(steps+1)), "ns/event")
}
