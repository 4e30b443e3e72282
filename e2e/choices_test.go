//go:build freeswitch

package e2e

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// testCallers has calls whose way follows from who calls.
func (l *lane) testCallers(t *testing.T) {
	ctx := within(t, time.Minute)
	way := func(number, from string) string {
		a := l.placeFrom(t, l.switches[0], from, "", number)
		return exits(l.finish(t, ctx, a))
	}
	for from, want := range map[string]string{"+12125550001": "where/east bye/", "+14155550001": "where/west bye/", "+442079460001": "where/else bye/"} {
		if got := way("+15550130", from); got != want {
			t.Errorf("a caller of %s goes through %q, want %q", from, got, want)
		}
	}
	// Who calls again goes the same way, and not everybody goes the same.
	ways := map[string]int{}
	for i := range 12 {
		caller := fmt.Sprintf("1646555%04d", i)
		first := way("+15550109", caller)
		if again := way("+15550109", "+"+caller); again != first {
			t.Errorf("caller %s goes through %q, then through %q", caller, first, again)
		}
		ways[first]++
	}
	if len(ways) != 2 {
		t.Errorf("all go one way: %v", ways)
	}
}

// testDigits has callers press what fits and what does not.
func (l *lane) testDigits(t *testing.T) {
	ctx := within(t, time.Minute)
	var wg sync.WaitGroup
	for keys, want := range map[string]string{"123456": "ok", "1234#": "ok", "12#": "invalid", "12": "invalid", "0123#": "invalid", "1*34#": "invalid",
		"#": "invalid", "": "no_input", "9A99#": "invalid"} {
		a := l.call(t, "+15550107")
		wg.Go(func() {
			if err := a.awaitPitch(ctx, 600, 10); err != nil {
				t.Error(err)
			}
			if err := a.press(ctx, keys); keys != "" && err != nil {
				t.Error(err)
			}
			if err := a.awaitEnd(ctx); err != nil {
				t.Error(err)
			}
			if _, err := l.awaitEvent(ctx, a, "exit "+want+" of "+keys, func(e call.Event) bool { return e.Step == "ask" && e.Exit == want }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// testLeastRecent has whoever waits for longest called first.
func (l *lane) testLeastRecent(t *testing.T) {
	ctx := within(t, time.Minute)
	var first []string
	for range 4 {
		a := l.call(t, "+15550123")
		a.sing(true)
		first = append(first, of(l.finish(t, ctx, a), call.TargetDialed)[0].Target)
	}
	if want := []string{"t7006", "t7004", "t7006", "t7004"}; !slices.Equal(first, want) {
		t.Errorf("dialled first: %v, want %v", first, want)
	}
}

// testTimeout has a partner that does not answer in time.
func (l *lane) testTimeout(t *testing.T, p *partner) {
	ctx := within(t, time.Minute)
	a := l.call(t, "+15550114")
	wantExits(t, l.finish(t, ctx, a), "ask/timeout bye/")
	if err := p.await(ctx, "/held/late/", a, "whoever asked is gone", func(got []asked) bool { return len(got) == 1 && got[0].dropped }); err != nil {
		t.Error(err)
	}
}
