package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// A panic is logged in words, also one of the runtime.
func TestPanicIsLogged(t *testing.T) {
	log := new(bytes.Buffer)
	c := newController(&settings{}, zerolog.New(log), nil, newMetrics(readBuildInfo()))
	func() {
		defer func() { c.engine.Panicked("the-call", recover(), []byte("where")) }()
		var empty []int
		_ = empty[len(log.Bytes())]
	}()
	for _, want := range []string{"the-call", "index out of range", "where"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in %s", want, log)
		}
	}
}
