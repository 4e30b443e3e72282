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
	"time"

	"github.com/hookswitch/hookswitch/e2e/table"
)

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
	kept, err := table.Print(context.Background(), os.Stdout, []table.Section{
		{Name: "held", Measure: held},
		{Name: "river", Measure: compare},
		{Name: "faults", Measure: faults},
		{Name: "pending", Measure: claims},
		{Name: "idle", Measure: idle},
		{Name: "order", Measure: order},
	}, *only)
	pprof.StopCPUProfile()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !kept {
		os.Exit(2)
	}
}
