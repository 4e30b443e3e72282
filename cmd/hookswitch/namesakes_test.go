package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hookswitch/hookswitch/store"
)

type fakeJournals []store.Journal

func (f *fakeJournals) Journals(context.Context, string) ([]store.Journal, error) { return *f, nil }

func TestAnotherServerOfTheSameNameIsToldAloud(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	const another, gone, unfinished = "another server has the name of this node", "no other server has the name", "this node had another journal"
	for name, test := range map[string]struct {
		new   bool // the journal of this server
		looks [][]store.Journal
		says  []string
	}{
		"nobody else":                   {true, [][]store.Journal{{{ID: "own", Until: at(1)}}, {{ID: "own", Until: at(6)}}}, nil},
		"an old journal that is closed": {true, [][]store.Journal{{{ID: "old", Until: at(1), Closed: true}}, {{ID: "old", Until: at(1), Closed: true}}}, nil},
		"an old journal that is lost":   {true, [][]store.Journal{{{ID: "old", Until: at(1)}}, {{ID: "old", Until: at(1)}}}, []string{unfinished}},
		"… and was told of before":      {false, [][]store.Journal{{{ID: "old", Until: at(1)}}, {{ID: "old", Until: at(1)}}}, nil},
		"one that goes on, whatever its clock": {false, [][]store.Journal{{{ID: "b", Until: at(-9)}}, {{ID: "b", Until: at(-4)}}, {{ID: "b", Until: at(1)}}},
			[]string{another}},
		"one that comes later and ends": {false, [][]store.Journal{nil, {{ID: "b", Until: at(1)}}, {{ID: "b", Until: at(2), Closed: true}}}, []string{another, gone}},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			var f fakeJournals
			n := &namesakes{node: "n1", own: "own", new: test.new, log: zerolog.New(&said), db: &f}
			for _, f = range test.looks {
				if err := n.look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			lines := strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
			if said.Len() == 0 {
				lines = nil
			}
			if len(lines) != len(test.says) {
				t.Fatalf("said %q", lines)
			}
			for i, line := range lines {
				if !strings.Contains(line, test.says[i]) {
					t.Errorf("said %s, want %s", line, test.says[i])
				}
			}
		})
	}
}
