package ratelimit_test

import (
	"context"
	"testing"

	"github.com/hookswitch/hookswitch/ratelimit"
)

// One name takes its share and no more, and all together what there is.
func TestRoom(t *testing.T) {
	r := ratelimit.NewRoom(3, 2)
	over, cancel := context.WithCancel(t.Context())
	cancel() // who finds no place does not wait
	var leave []func()
	for _, c := range []struct {
		name string
		room bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
		l := r.Enter(over, c.name)
		if (l != nil) != c.room {
			t.Errorf("%s: a place %v, want %v", c.name, l != nil, c.room)
		}
		if l != nil {
			leave = append(leave, l)
		}
	}
	waited := make(chan func())
	go func() { waited <- r.Enter(t.Context(), "c") }()
	leave[0]()
	(<-waited)()
	leave[1]()
	leave[2]()
	for range 3 {
		l := r.Enter(over, "a")
		if l == nil {
			t.Fatal("what was left is not there for others")
		}
		l()
	}
}
