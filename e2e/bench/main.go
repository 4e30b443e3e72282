// Command bench measures Hookswitch against bare loops and peers in one run and
// prints the ratios. Each peer of a measurement is a process of its own, so that
// only the CPU time of what is measured counts. The machine's speed cancels out
// of a ratio; compare nothing else.
//
// With -profile DIR every measurement of ours leaves a CPU profile there.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// A row of the table: what was measured, the figure, what it may be at most (or
// at least), and whether it is.
type row struct {
	what, figure, limit string
	ok                  bool
}

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
	sections := []struct {
		name string
		run  func() ([]row, error)
	}{
		{"esl cycle", eslCycle},
		{"idle call", idleCall},
		{"calls in memory", callsInMemory},
		{"calls over the wire", callsOverTheWire},
		{"journal", journalCost},
		{"lookup", lookup},
		{"flows", validation},
		{"scripts", testScripts},
		{"apply", applyAll},
		{"decision", decisionTime},
		{"store", storeCost},
		{"call log", callLog},
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURED\tFIGURE\tLIMIT\t")
	failed := false
	for _, s := range sections {
		if !strings.Contains(s.name, *only) {
			continue
		}
		rows, err := s.run()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", s.name, err)
			os.Exit(1)
		}
		for _, r := range rows {
			mark := ""
			if !r.ok {
				mark, failed = "MISSED", true
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.what, r.figure, r.limit, mark)
		}
		table.Flush()
	}
	if failed {
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
