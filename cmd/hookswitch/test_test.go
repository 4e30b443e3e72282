package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testingPage is docs/testing.md: its blocks of YAML and of what commands print.
func testingPage(t *testing.T) (flows, tests, tree, report string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	yamls := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	texts := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(yamls) != 2 || len(texts) != 2 {
		t.Fatalf("docs/testing.md has %d examples and %d outputs", len(yamls), len(texts))
	}
	return yamls[0][1], yamls[1][1], texts[0][1], texts[1][1]
}

// conf writes the folder conf with the flows and the tests of docs/testing.md, and goes where it is.
func conf(t *testing.T) {
	t.Helper()
	flows, tests, _, _ := testingPage(t)
	t.Chdir(t.TempDir())
	files(t, map[string]string{"conf/main.yaml": flows, "conf/main.test.yaml": tests})
}

func files(t *testing.T, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// same compares what was printed with what has to be.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDocumentedTests(t *testing.T) {
	_, _, _, report := testingPage(t)
	conf(t)
	out, _, err := command(t, "test", "conf")
	same(t, out, report)
	if err == nil || err.Error() != "1 of 3 tests failed" {
		t.Error(err)
	}
}

func TestTestsThatPassAreNamedOnDemand(t *testing.T) {
	conf(t)
	out, _, err := command(t, "test", "conf", "-v", "--run", "second|free", "--cover")
	if err != nil {
		t.Error(err)
	}
	same(t, out, `ok conf/main.test.yaml:2: the second one answers
ok conf/main.test.yaml:8: nobody is free
main-line: 8 of 9 nodes and exits; never reached are
  welcome → else
88.9 % of nodes and exits reached
1 flow, 2 tests, 2 passed, 0 failed
`)
}

func TestTestsFail(t *testing.T) {
	conf(t)
	files(t, map[string]string{
		"none/main.yaml":    "flow: f\nstart: a\nnodes: {a: {hangup: {}}}\n",
		"wrong/main.yaml":   "flow: f\nstart: b\nnodes: {a: {hangup: {}}}\n",
		"wrong/a.test.yaml": "tests: [{name: a, expects: {}}]\n",
		"right/main.yaml":   "flow: f\nstart: a\nnodes: {a: {hangup: {}}}\n",
		"right/a.test.yaml": "tests: [{name: a, expect: {path: [a]}}]\n",
	})
	for _, c := range []struct{ args, want string }{
		{"right", ""},
		{"right --cover-min 100", ""},
		{"none", "none has no tests; write some into a file NAME.test.yaml beside the flows"},
		{"right none", "none has no tests"},
		{"missing", "missing: the folder cannot be read: no such file or directory"},
		{"wrong", "wrong/main.yaml:2:8: start: there is no node \"b\"; there is only a"},
		{"wrong", "wrong/a.test.yaml:1:19: tests[0] has no setting \"expects\"; did you mean \"expect\"?"},
		{"right --run nothing", "no test has a name that matches nothing"},
		{"right --run [", "--run: error parsing regexp"},
		{"conf --run second --cover-min 60", "the calls reach 55.6 % of nodes and exits, less than 60 %"},
		{"conf right", "1 of 4 tests failed"},
		{"right --junit missing/report.xml", "JUnit: open missing/report.xml"},
	} {
		_, _, err := command(t, append([]string{"test"}, strings.Fields(c.args)...)...)
		if got := ""; err != nil {
			if got = err.Error(); c.want == "" || !strings.Contains(got, c.want) {
				t.Errorf("%s: %s, want %s", c.args, got, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%s: passed, want %s", c.args, c.want)
		}
	}
}

func TestTestsAsJSON(t *testing.T) {
	conf(t)
	out, _, err := command(t, "test", "conf", "-o", "json", "--cover")
	if err == nil {
		t.Error("a test fails, the command does not")
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	same(t, lines[2], `{"folder":"conf","file":"conf/main.test.yaml","line":15,"name":"a wrong key","passed":false,`+
		`"path":["welcome no_input","bye"],"ends":"NORMAL_CLEARING","ms":8000,"differences":[{"what":"path",`+
		`"expected":["welcome invalid","sales completed","bye"],"got":["welcome no_input","bye"],"why":["pressed nothing","NORMAL_CLEARING"]}]}`)
	same(t, lines[3], `{"coverage":[{"flow":"main-line","parts":9,"reached":9}],"folder":"conf"}`)
	var one outcome
	if err := json.Unmarshal([]byte(lines[0]), &one); err != nil || !one.Passed || one.Millis != 45_000 {
		t.Error(err, one)
	}
}

func TestJUnitReport(t *testing.T) {
	conf(t)
	files(t, map[string]string{"conf/odd.test.yaml": "tests: [{name: \"<&>\\u0001\\\"\", expect: {ends: USER_BUSY}}]\n"})
	if _, _, err := command(t, "test", "conf", "--junit", "report.xml"); err == nil {
		t.Error("two tests fail, the command does not")
	}
	text, err := os.ReadFile("report.xml")
	if err != nil {
		t.Fatal(err)
	}
	same(t, regexp.MustCompile(`time="[0-9]+\.[0-9]{6}"`).ReplaceAllString(string(text), `time="…"`), `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="2" time="…">
  <testsuite name="conf/main.test.yaml" tests="3" failures="1" errors="0" skipped="0" time="…">
    <testcase name="the second one answers" classname="conf/main" file="conf/main.test.yaml" line="2" time="…"></testcase>
    <testcase name="nobody is free" classname="conf/main" file="conf/main.test.yaml" line="8" time="…"></testcase>
    <testcase name="a wrong key" classname="conf/main" file="conf/main.test.yaml" line="15" time="…">
      <failure message="not as expected: path">conf/main.test.yaml:15: a wrong key&#xA;  path: - expected, + got&#xA;    - welcome invalid&#xA;    - sales completed&#xA;    + welcome no_input         pressed nothing&#xA;      bye</failure>
    </testcase>
  </testsuite>
  <testsuite name="conf/odd.test.yaml" tests="1" failures="1" errors="0" skipped="0" time="…">
    <testcase name="&lt;&amp;&gt;�&#34;" classname="conf/odd" file="conf/odd.test.yaml" line="1" time="…">
      <failure message="not as expected: ends">conf/odd.test.yaml:1: &lt;&amp;&gt;�&#34;&#xA;  ends: got NORMAL_CLEARING, expected USER_BUSY</failure>
    </testcase>
  </testsuite>
</testsuites>
`)
	var read struct {
		Tests  int `xml:"tests,attr"`
		Suites []struct {
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	failure := read.Suites[0].Cases[2].Failure
	if read.Tests != 4 || failure == nil || !strings.Contains(*failure, "\n    + welcome no_input         pressed nothing\n") {
		t.Errorf("read back: %+v", read)
	}
}
