//go:build freeswitch

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/call"
)

// hears waits for a tone, and for what comes after it.
func hears(hertz ...int) func(c *cast) error {
	return func(c *cast) error {
		for _, h := range hertz {
			if err := c.a.awaitPitch(c.ctx, h, 10); err != nil {
				return err
			}
		}
		return nil
	}
}

// then does one thing after the other.
func then(parts ...func(c *cast) error) func(c *cast) error {
	return func(c *cast) error {
		for _, part := range parts {
			if err := part(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func sound(c *cast) error              { return c.a.awaitSound(c.ctx, 10) }
func ends(c *cast) error               { return c.a.awaitEnd(c.ctx) }
func hangsUp(c *cast) error            { c.a.hangup(); return c.a.awaitEnd(c.ctx) }
func sings(c *cast) error              { c.a.sing(true); return nil }
func calleeHangsUp(c *cast) error      { c.b.hangup(); return c.b.awaitEnd(c.ctx) }
func (c *cast) connected() error       { c.a.sing(true); return c.b.awaitSound(c.ctx, 30) }
func released(c *cast) error           { c.partner.release(c.a); return nil }
func code(n int) func(*cast) error     { return func(c *cast) error { return c.a.awaitCode(c.ctx, n) } }
func left(id string) func(*cast) error { return func(c *cast) error { return c.step(id) } }

// presses keys.
func presses(digits string) func(c *cast) error {
	return func(c *cast) error { return c.a.press(c.ctx, digits) }
}

// dialled waits for the callee and lets it answer.
func dialled(number string) func(c *cast) error {
	return func(c *cast) (err error) {
		if c.b, err = c.phone.awaitIncoming(c.ctx, number, c.a.from); err != nil {
			return err
		}
		c.b.ring()
		c.b.answer()
		return c.connected()
	}
}

// called waits for the callee, who does what its number says.
func called(number string) func(c *cast) error {
	return func(c *cast) (err error) {
		c.b, err = c.phone.awaitIncoming(c.ctx, number, c.a.from)
		return err
	}
}

// asks waits for a request to a path.
func asks(path string, n int) func(c *cast) error {
	return func(c *cast) error {
		return c.partner.await(c.ctx, path, c.a, fmt.Sprint(n, " requests"), func(got []asked) bool { return len(got) >= n })
	}
}

// unanswered checks that the caller was never answered.
func unanswered(t *testing.T, c *cast, _ []call.Event) {
	if codes := c.a.codes(); slices.Contains(codes, 200) || !slices.Contains(codes, 180) || codes[len(codes)-1] != 480 {
		t.Errorf("responses %v, want 180 and 480", codes)
	}
}

// scenes have every kind of node that calls_test.go has not.
var scenes = []scene{
	{name: "say", number: "+15550101", middle: sound, rest: then(sound, ends), exits: "hello/next bye/"},
	{name: "wait in silence", number: "+15550102", middle: left("before"), rest: then(hears(800), ends), exits: "before/next hold/next after/next bye/",
		check: func(t *testing.T, c *cast, _ []call.Event) {
			if other := c.a.heardSoFar() - c.a.heardOf(600) - c.a.heardOf(800); other > 4 {
				t.Errorf("%d packets of something else were heard", other)
			}
		}},
	{name: "wait with a tone", number: "+15550103", middle: hears(1200), rest: then(hears(1200, 800), ends), exits: "hello/next hold/next after/next bye/"},
	{name: "wait with music", number: "+15550104", middle: sound, rest: then(sound, left("hold"), sound, hears(800), ends),
		exits: "hello/next hold/next file/next after/next bye/"},
	{name: "wait before the answer", number: "+15550105", middle: code(180), rest: ends, exits: "hold/next bye/", check: unanswered},
	{name: "gather", number: "+15550106", middle: then(hears(600), presses("12")),
		rest: func(c *cast) error {
			if c.taken {
				return then(hears(600), presses("3456#"), ends)(c) // what was pressed before is gone
			}
			return then(presses("34#"), ends)(c)
		},
		exits: "ask/ok check/else bye/", taken: "ask/ok check/right bye/"},
	{name: "tag, set, emit", number: "+15550110", middle: hears(600), rest: ends, exits: "tag/next set/next tell/next mark/next which/kept bye/",
		check: func(t *testing.T, _ *cast, events []call.Event) {
			tags, told := of(events, call.Tagged), of(events, call.Emitted)
			if len(tags) != 2 || tags[0].Attrs["tag"] != "campaign" || tags[0].Attrs["value"] != "e2e" {
				t.Errorf("tags %v", tags)
			}
			if len(told) != 1 || told[0].Attrs["event"] != "test.told" || told[0].Attrs["key"] == "" {
				t.Errorf("told %v", told)
			}
		}},
	{name: "request that may be repeated", number: "+15550111", middle: then(asks("/held/get/", 1), hears(1200)),
		rest: func(c *cast) error {
			if c.taken {
				if err := then(asks("/held/get/", 2), hears(1200))(c); err != nil {
					return err
				}
			}
			return then(released, ends)(c)
		},
		exits: "hello/next ask/ok which/zoe bye/", check: requested("/held/get/", 2)},
	{name: "request that must not be repeated", number: "+15550112", middle: then(asks("/held/post/", 1), sound), rest: then(released, ends),
		exits: "hello/next ask/ok bye/", taken: "hello/next ask/error sorry/next bye/", check: requested("/held/post/", 1)},
	{name: "request before the answer", number: "+15550113", middle: then(asks("/held/cold/", 1), code(180)), rest: then(released, ends),
		exits: "ask/ok bye/", check: unanswered},
	{name: "request and a hangup", number: "+15550111", middle: then(asks("/held/get/", 1), hears(1200)),
		rest: func(c *cast) error {
			if c.taken {
				if err := asks("/held/get/", 2)(c); err != nil {
					return err
				}
			}
			if err := hangsUp(c); err != nil {
				return err
			}
			return c.partner.await(c.ctx, "/held/get/", c.a, "whoever asked is gone", func(got []asked) bool { return got[len(got)-1].dropped })
		},
		exits: "hello/next ask/"},
	{name: "record", number: "+15550116", middle: hears(600), rest: then(hears(1200), ends),
		exits: "on/next one/next off/next two/next again/next three/next end/next four/next bye/",
		check: func(t *testing.T, c *cast, events []call.Event) {
			tapes := of(events, call.Recordings)
			if len(tapes) != 4 || tapes[0].Attrs["do"] != "start" {
				t.Fatalf("recording:%s", timeline(tapes))
			}
			got := pitchesIn(t, tapes[0].Attrs["path"])
			if got[600] < 40 || got[1200] < 40 || got[800] > 2 || got[400] > 2 {
				t.Errorf("recorded %v: want 600 and 1200 Hz, not 800 which came in the pause, nor 400 which came after it", got)
			}
		}},
	{name: "voicemail", number: "+15550117", middle: begins, rest: then(goesOn, presses("#"), hears(1200), ends),
		exits: "message/recorded thanks/next bye/",
		check: func(t *testing.T, c *cast, events []call.Event) {
			parts := of(events, call.Voicemail)
			if len(parts) != 1 {
				t.Fatalf("messages:%s", timeline(parts))
			}
			for _, e := range parts {
				if got := pitchesIn(t, e.Attrs["path"]); got[1000] < 25 {
					t.Errorf("recorded %v: want more of 1000 Hz", got)
				}
			}
		}},
	{name: "voicemail and a hangup", number: "+15550117", middle: begins, rest: then(goesOn, hangsUp),
		exits: "message/", unwatched: true,
		check: func(t *testing.T, c *cast, events []call.Event) {
			if n := len(of(events, call.Voicemail)); n != 1 {
				t.Errorf("%d messages:%s", n, timeline(events))
			}
		}},
	{name: "voicemail without a word", number: "+15550131", middle: hears(600), rest: then(hears(600), ends), exits: "message/empty bye/",
		check: func(t *testing.T, _ *cast, events []call.Event) {
			if n := len(of(events, call.Voicemail)); n > 0 {
				t.Errorf("%d messages", n)
			}
		}},
	{name: "flow", number: "+15550118", middle: hears(600), rest: then(hears(600), presses("1"), ends), exits: "who/ask/1 who/member bye/"},
	{name: "transfer", number: "+15550119", middle: hears(600), rest: then(hears(1200), ends), exits: "hello/next away/"},
	{name: "transfer and back", number: "+15550120", middle: hears(1200), rest: then(hears(800), ends), exits: "hello/next away/ which/kept mark/next bye/"},
	{name: "hours", number: "+15550128", middle: hears(600), rest: then(hears(600), ends), exits: "open/open mark/next closed/closed holiday/holiday bye/"},
	{name: "geo", number: "+15550129", middle: hears(600), rest: then(hears(600), presses("10001"), ends), exits: "ask/ok where/east bye/"},
	{name: "plan", number: "+15550132", middle: dialled("7010"), rest: then(calleeHangsUp, ends), exits: "sales/completed bye/",
		check: func(t *testing.T, c *cast, events []call.Event) {
			d := of(events, call.Decided)
			if len(d) != 1 || !strings.HasPrefix(d[0].Attrs["not.not-there"], "availability: the answer has no number at name in ") || !strings.HasPrefix(d[0].Attrs["asked.there"], "yes 7 in ") {
				t.Errorf("decided %+v", d)
			}
		}},
	{name: "reroute", number: "+15550122", middle: dialled("7010"), rest: then(calleeHangsUp, dialled("7011"), calleeHangsUp, ends), exits: "sales/completed bye/"},
	{name: "whisper and confirmation", number: "+15550115", middle: called("7004"), rest: then(sings, ends), exits: "sales/completed bye/"},
	{name: "ringback", number: "+15550124", middle: hears(1200), rest: then(hears(1200), ends), exits: "sales/no_answer bye/",
		check: func(t *testing.T, c *cast, _ []call.Event) {
			if codes := c.a.codes(); slices.Contains(codes, 200) || !slices.Contains(codes, 183) {
				t.Errorf("responses %v, want 183 and no answer", codes)
			}
		}},
	{name: "ringback after the answer", number: "+15550125", middle: hears(1200), rest: then(hears(1200), ends), exits: "hello/next sales/no_answer bye/"},
	{name: "ringback from a file", number: "+15550126", middle: sound, rest: then(sound, ends), exits: "sales/no_answer bye/"},
}

// begins a message after the beep, with a tone.
func begins(c *cast) error {
	c.a.sing(false)
	if err := hears(800)(c); err != nil {
		return err
	}
	c.a.sing(true)
	return c.a.awaitSent(c.ctx, 60)
}

// goesOn with the message, which notices nothing of a server that is lost.
func goesOn(c *cast) error { return c.a.awaitSent(c.ctx, 100) }

// requested checks how often the partner was asked: after a takeover at most so
// often, and every time with the same key.
func requested(path string, most int) func(t *testing.T, c *cast, events []call.Event) {
	return func(t *testing.T, c *cast, _ []call.Event) {
		got := c.partner.requests(path, c.a)
		if !c.taken && len(got) != 1 || len(got) > most {
			t.Errorf("asked %d times: %+v", len(got), got)
		}
		for _, r := range got {
			if r.key != got[0].key {
				t.Errorf("keys differ: %+v", got)
			}
		}
	}
}
