// Package table runs the sections of a benchmark and prints what they measured.
package table

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Row is a line of the table.
type Row struct {
	What   string // was measured
	Figure string
	Limit  string // that the figure is held to; "": none
	Missed bool   // the figure does not keep it
}

// Seen is the row of a figure that has no limit.
func Seen(what, figure string) Row { return Row{What: what, Figure: figure} }

// AtMost is the row of a figure that has an upper limit; both are printed in the format,
// such as "%.2f ×".
func AtMost(what, format string, figure, limit float64) Row {
	return Row{what, fmt.Sprintf(format, figure), "≤ " + fmt.Sprintf(format, limit), figure > limit}
}

// AtLeast is the row of one that has a lower limit.
func AtLeast(what, format string, figure, limit float64) Row {
	return Row{what, fmt.Sprintf(format, figure), "≥ " + fmt.Sprintf(format, limit), figure < limit}
}

// Section is a part of a benchmark.
type Section struct {
	Name    string
	Measure func(ctx context.Context) ([]Row, error)
}

// Print runs the sections whose names contain a text, and prints the rows of each as soon
// as it is over. It says whether all limits were kept.
func Print(ctx context.Context, w io.Writer, sections []Section, only string) (kept bool, err error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURED\tFIGURE\tLIMIT\t")
	kept = true
	for _, s := range sections {
		if !strings.Contains(s.Name, only) {
			continue
		}
		rows, err := s.Measure(ctx)
		if err != nil {
			return false, fmt.Errorf("%s: %w", s.Name, err)
		}
		for _, r := range rows {
			mark := ""
			if r.Missed {
				mark, kept = "MISSED", false
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.What, r.Figure, r.Limit, mark)
		}
		if err := table.Flush(); err != nil {
			return false, err
		}
	}
	return kept, nil
}
