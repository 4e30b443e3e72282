// Command bench measures Hookswitch against bare loops and peers in one run and
// prints the ratios. Each peer of a measurement is a process of its own, so that
// only the CPU time of what is measured counts. The machine's speed cancels out
// of a ratio; compare nothing else.
//
// With -profile DIR every measurement of ours leaves a CPU profile there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/hookswitch/hookswitch/e2e/table"
)

var (
	profiles = flag.String("profile", "", "folder for CPU profiles")
	only     = flag.String("only", "", "measure only the sections whose name contains this")
	rounds   = flag.Int("rounds", 3, "rounds of every measurement; the median counts")
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case peerArg:
			peer(os.Args[2:])
			return
		case idleArg:
			idleServer(os.Args[2:])
			return
		}
	}
	flag.Parse()
	kept, err := table.Print(context.Background(), os.Stdout, []table.Section{
		{Name: "esl cycle", Measure: eslCycle},
		{Name: "idle call", Measure: idleCall},
		{Name: "calls in memory", Measure: callsInMemory},
		{Name: "calls over the wire", Measure: callsOverTheWire},
		{Name: "journal", Measure: journalCost},
		{Name: "lookup", Measure: lookup},
		{Name: "flows", Measure: validation},
		{Name: "scripts", Measure: testScripts},
		{Name: "apply", Measure: applyAll},
		{Name: "decision", Measure: decisionTime},
		{Name: "store", Measure: storeCost},
		{Name: "call log", Measure: callLog},
	}, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !kept {
		os.Exit(2)
	}
}

// cpu returns the CPU time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// profiled runs f and keeps its CPU profile under the name.
func profiled(name string, f func() error) error {
	if *profiles == "" {
		return f()
	}
	if err := os.MkdirAll(*profiles, 0o755); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(*profiles, name+".prof"))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
