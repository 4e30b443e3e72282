//go:build freeswitch

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// secret asks for eight digits as a node would.
func secret(h *held) call.Gather {
	return call.Gather{Prompt: h.prompt("tone:%(3000,0,440)"), Min: 8, Max: 8, Timeout: 5 * time.Second, Between: 3 * time.Second,
		Terminators: "#", Secret: true}
}

// Of the switch's events two hold the digits, and must: the end of what gathered
// them, and the beginning of the command that wipes them out.
func mayHold(e event) bool {
	return e.name() == "CHANNEL_EXECUTE_COMPLETE" && e.get("Application") == "play_and_get_digits" ||
		e.name() == "CHANNEL_EXECUTE" && e.get("Application") == "unset"
}

// traces returns where the digits are found besides: events of the switch, and
// files of its log and its records.
func (v *verbs) traces(t *testing.T, all *control, digits string) (found []string) {
	t.Helper()
	all.mu.Lock()
	for _, e := range all.events {
		for name, value := range e.header {
			if strings.Contains(value, digits) && !mayHold(e) {
				found = append(found, fmt.Sprintf("%s %s: %s", e.name(), e.get("Application"), name))
			}
		}
		if e.name() == "DTMF" {
			found = append(found, "DTMF "+e.get("DTMF-Digit"))
		}
	}
	all.mu.Unlock()
	err := filepath.WalkDir(filepath.Join(v.sw.dir, "log"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.SplitSeq(string(text), "\n") {
			if strings.Contains(line, digits) || strings.Contains(line, "DTMF") {
				found = append(found, filepath.Base(path)+": "+line[:min(len(line), 200)])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFactsOfSecrets(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "") // as it is shipped
	for _, fact := range []struct {
		name, digits string
		f            func(t *testing.T, h *held, digits string)
		held         bool // the digits were gathered, so that two events hold them
	}{
		{"gathered", "98765432", func(t *testing.T, h *held, digits string) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, digits) }()
			d, err := h.leg.Gather(h.ctx, secret(h))
			h.check(err)
			if d.Value != digits {
				t.Errorf("gathered %q", d.Value)
			}
			h.check(h.a.press(h.ctx, "#")) // what comes after it is no business of the log either
			h.check(h.leg.Play(h.ctx, h.prompt("tone:%(500,0,440)")))
		}, true},
		{"the caller hangs up just then", "87654321", func(t *testing.T, h *held, digits string) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, digits); h.a.hangup() }()
			h.leg.Gather(h.ctx, secret(h))
		}, true},
		{"the caller hangs up in the middle", "76543219", func(t *testing.T, h *held, digits string) {
			go func() { h.a.awaitSound(h.ctx, 10); h.a.press(h.ctx, digits[:7]); h.a.hangup() }()
			_, err := h.leg.Gather(h.ctx, secret(h))
			h.hungUp(err)
		}, true},
		{"we die before the last one", "65432198", func(t *testing.T, h *held, digits string) {
			go func() {
				ctx := within(t, time.Minute)
				h.a.awaitSound(ctx, 10)
				h.a.press(ctx, digits[:7])
				h.leg.HandOver()
				h.a.press(ctx, digits[7:])
			}()
			h.leg.Gather(h.ctx, secret(h))
			h.done()
			next := h.verbs.next(t, h.a)
			next.check(next.leg.Play(next.ctx, next.prompt("tone:%(500,0,440)")))
		}, false},
	} {
		t.Run(fact.name, func(t *testing.T) {
			ctx := within(t, 2*time.Minute)
			all, err := v.sw.watch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer all.close()
			if _, err := all.command(ctx, "event plain ALL"); err != nil {
				t.Fatal(err)
			}
			h := v.place(t, true)
			id := h.leg.Call().ID
			fact.f(t, h, fact.digits)
			h.a.hangup()
			ended, err := all.await(ctx, "the end", func(e event) bool { return e.name() == "CHANNEL_HANGUP_COMPLETE" && e.get("Unique-ID") == id })
			if err != nil {
				t.Fatal(err)
			}
			s := &stand{sw: v.sw}
			s.cdr(&one{T: t, ctx: ctx, c: &control{vars: ended}})
			canary := fact.digits[:6]
			for _, where := range v.traces(t, all, canary) {
				t.Error(where)
			}
			all.mu.Lock()
			holds := slices.ContainsFunc(all.events, func(e event) bool { return strings.Contains(e.value("hookswitch_digits"), canary) })
			all.mu.Unlock()
			if fact.held && !holds {
				t.Error("no event held the digits: were they pressed?")
			}
		})
	}
}
