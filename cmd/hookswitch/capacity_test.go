package main

import (
	"net"
	"testing"

	"github.com/hookswitch/hookswitch/eslctl"
	"github.com/hookswitch/hookswitch/eslctl/esltest"
)

// A channel is asked for at the switch of its name, as long as that one is connected.
func TestChannelIsAskedForAtItsSwitch(t *testing.T) {
	sw := esltest.NewSwitch()
	defer sw.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- sw.Serve(l) }()
	defer func() { l.Close(); <-served }()
	c, err := eslctl.Dial(t.Context(), l.Addr().String(), sw.Password, func(eslctl.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := newTestReconciler(t, "a", "")
	want := func(name string, alive, known bool) {
		t.Helper()
		if a, k := r.existsAt(t.Context(), name, someCall); a != alive || k != known {
			t.Errorf("at %s: alive %v, known %v", name, a, k)
		}
	}
	want(sw.Name, false, false)
	r.connected(t.Context(), "there", c)
	want(sw.Name, false, true)
	want("another", false, false)
	r.disconnected("there")
	want(sw.Name, false, false)
}
