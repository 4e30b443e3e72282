package flowtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/flowtest"
	"github.com/hookswitch/hookswitch/flowengine/nodes"
)

// BenchmarkScripts reads and plays 10,000 tests of five nodes on one processor.
func BenchmarkScripts(b *testing.B) {
	const files, each = 100, 100
	dir := b.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	write("main.yaml", mainLine)
	for file := range files {
		var doc strings.Builder
		doc.WriteString("tests:\n")
		for test := range each {
			fmt.Fprintf(&doc, `  - name: test %d
    from: "+1555%07d"
    digits: ["1"]
    targets: {alice: busy, bob: rings, carol: rejects}
    expect:
      path: [welcome 1, sales failed, sorry one, regret next, bye]
      why: {sales: "alice: USER_BUSY, then bob: ALLOTTED_TIMEOUT, then carol: CALL_REJECTED"}
      dialled: [alice, bob, carol]
      ends: NORMAL_CLEARING
`, test, file*each+test)
		}
		write(fmt.Sprintf("%d.test.yaml", file), doc.String())
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b.ReportAllocs()
	for b.Loop() {
		s, problems := flowtest.LoadDir(dir, nodes.Kinds)
		if len(problems) > 0 || len(s.Tests) != files*each {
			b.Fatal(problems)
		}
		coverage := flowtest.NewCoverage(s.Snapshot)
		s.PlayAll(s.Tests, func(_ int, r *flowtest.Result, err error) {
			if err != nil {
				b.Error(err)
			}
			coverage.Add(r)
		})
	}
	b.ReportMetric(files*each*float64(b.N)/b.Elapsed().Seconds(), "tests/s")
}
