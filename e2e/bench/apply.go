package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/e2e/table"
	"github.com/hookswitch/hookswitch/store/storetest"
)

const (
	applyNumbers = 10_000
	applyFlows   = 1_000
	applyLimit   = 5 * time.Second
)

// applyAll measures hookswitch apply of a folder of 10,000 numbers and 1,000 flows into an
// empty database, from the start of the program to its end.
func applyAll(context.Context) (rows []table.Row, err error) {
	dir, err := diskDir()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "hookswitch")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/hookswitch").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	for _, folder := range []struct {
		name  string
		files int
	}{{"in 11 files", 10}, {"in 1001 files", applyFlows}} {
		conf := filepath.Join(dir, fmt.Sprint(folder.files))
		if err := writeLarge(conf, folder.files); err != nil {
			return nil, err
		}
		for _, engine := range []string{"SQLite", "PostgreSQL"} {
			var used []float64
			var took time.Duration
			for i := range *rounds {
				var cpu time.Duration
				took, cpu, err = applyOnce(program, conf, filepath.Join(dir, fmt.Sprint(engine, folder.files, i)), engine)
				if errors.Is(err, storetest.ErrNoPostgres) {
					fmt.Fprintf(os.Stderr, "%v: not measured on PostgreSQL\n", err)
					break
				} else if err != nil {
					return nil, err
				}
				used = append(used, cpu.Seconds())
			}
			if len(used) == 0 {
				continue
			}
			t := median(used)
			what := fmt.Sprintf("apply of %d numbers and %d flows %s, %s: CPU (%.2f s passed)", applyNumbers, applyFlows, folder.name, engine, took.Seconds())
			rows = append(rows, table.AtMost(what, "%.2f s", t, applyLimit.Seconds()))
		}
	}
	return rows, nil
}

// applyOnce applies a folder to an empty database.
func applyOnce(program, conf, data, engine string) (took, used time.Duration, err error) {
	args := []string{"apply", conf, "--data", data, "--config", os.DevNull}
	if engine == "PostgreSQL" {
		pg, err := storetest.StartPostgres()
		if err != nil {
			return 0, 0, err
		}
		defer func() { err = errors.Join(err, pg.Remove()) }()
		args = append(args, "--database", pg.URL("hookswitch"))
	}
	cmd := exec.Command(program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, 0, fmt.Errorf("apply: %w\n%s", err, &out)
	}
	took = time.Since(begun)
	if want := fmt.Sprintf("revision 1: %d added", applyNumbers+applyFlows+2); !strings.Contains(out.String(), want) {
		return 0, 0, fmt.Errorf("apply said %s", &out)
	}
	return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// writeLarge writes the flows that validation measures, into so many files, and numbers for
// them into another.
func writeLarge(dir string, files int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var text strings.Builder
	text.WriteString("targets: {alice: {user: alice@pbx.example}, bob: {user: bob@pbx.example}}\nnumbers:\n")
	for i := range applyNumbers {
		fmt.Fprintf(&text, "  \"+1%010d\": {flow: line-%d}\n", i, i%applyFlows)
	}
	if err := os.WriteFile(filepath.Join(dir, "numbers.yaml"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	for file := range files {
		text.Reset()
		for i := file; i < applyFlows; i += files {
			fmt.Fprintf(&text, "---"+typical, i)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("flows-%d.yaml", file)), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
