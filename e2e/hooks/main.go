// Command hooks measures the delivery of webhooks: real HTTP to receivers on this machine,
// from PostgreSQL, beside River (riverqueue.com) with the same client and requests.
//
// The receivers, the database and what delivers share the machine's processors. River's
// program is the one named by -river, see e2e/river; without it nothing is compared.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"text/tabwriter"
	"time"
)

// A row of the table: what was measured, the figure, what it may be at most (or at least),
// and whether it is.
type row struct {
	what, figure, limit string
	ok                  bool
}

var (
	only    = flag.String("only", "", "measure only the sections whose name contains this")
	river   = flag.String("river", "", "program that delivers with River")
	rounds  = flag.Int("rounds", 3, "rounds of the comparison; the median counts")
	span    = flag.Duration("for", time.Minute, "how long a rate is held")
	profile = flag.String("profile", "", "file for a CPU profile")
	pending = flag.Int("pending", 1_000_000, "rows that wait while claims are measured")
	events  = flag.Int("events", 1_000_000, "events whose order is looked at while attempts fail")
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == receiversArg {
		fmt.Fprintln(os.Stderr, "receivers:", serveReceivers())
		os.Exit(1)
	}
	flag.Parse()
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	sections := []struct {
		name string
		run  func(context.Context) ([]row, error)
	}{
		{"held", held},
		{"river", compare},
		{"faults", faults},
		{"pending", claims},
		{"idle", idle},
		{"order", order},
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURED\tFIGURE\tLIMIT\t")
	failed := false
	for _, s := range sections {
		if !strings.Contains(s.name, *only) {
			continue
		}
		rows, err := s.run(context.Background())
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
	pprof.StopCPUProfile()
	if failed {
		os.Exit(2)
	}
}

// atMost is a row of a figure that has an upper limit.
func atMost(what string, figure, limit float64, unit string) row {
	return row{what, fmt.Sprintf("%.1f%s", figure, unit), fmt.Sprintf("≤ %.1f%s", limit, unit), figure <= limit}
}

// atLeast is one of a figure that has a lower limit.
func atLeast(what string, figure, limit float64, unit string) row {
	return row{what, fmt.Sprintf("%.1f%s", figure, unit), fmt.Sprintf("≥ %.1f%s", limit, unit), figure >= limit}
}
