//go:build freeswitch

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

func TestFactsOfRecording(t *testing.T) {
	t.Parallel()
	v := newVerbs(t, "info")
	for _, fact := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"a message ended by a key", func(t *testing.T) {
			h := v.place(t, true)
			path, length := h.file("messages/key.wav")
			h.a.sing(true)
			go func() { h.a.pressAfter(h.ctx, "1", 100); h.a.pressAfter(h.ctx, "#", 50) }()
			r, err := h.leg.Message(h.ctx, call.Message{Path: path, Max: 20 * time.Second, Silence: 5 * time.Second, Terminators: "#"})
			h.check(err)
			if r.Terminator != "#" {
				t.Errorf("terminator %q", r.Terminator)
			}
			between(t, "length", r.Length, 2*time.Second, 4500*time.Millisecond)
			between(t, "file", length(), r.Length-100*time.Millisecond, r.Length+100*time.Millisecond)
		}},
		{"a message ended by silence, one of nothing else, one by its limit", func(t *testing.T) {
			h := v.place(t, true)
			path, _ := h.file("silent.wav")
			r, err := h.leg.Message(h.ctx, call.Message{Path: path, Max: 20 * time.Second, Silence: 2 * time.Second})
			h.check(err)
			if r.Length > 0 {
				t.Errorf("an empty message has length %v", r.Length)
			}
			h.a.sing(true)
			time.AfterFunc(2*time.Second, func() { h.a.sing(false) })
			r, err = h.leg.Message(h.ctx, call.Message{Path: path, Max: 20 * time.Second, Silence: 2 * time.Second})
			h.check(err)
			between(t, "length", r.Length, 1200*time.Millisecond, 2500*time.Millisecond)
			h.a.sing(true)
			r, err = h.leg.Message(h.ctx, call.Message{Path: path, Max: 2 * time.Second})
			h.check(err)
			between(t, "length", r.Length, 1800*time.Millisecond, 4*time.Second)
			h.a.press(h.ctx, "#") // no terminator any more, if it was one
			h.check(h.leg.Play(h.ctx, h.prompt("tone:%(300,0,440)")))
		}},
		{"a message ended by the hangup has a length", func(t *testing.T) {
			h := v.place(t, true)
			path, _ := h.file("hangup.wav")
			h.a.sing(true)
			time.AfterFunc(3*time.Second, h.a.hangup)
			r, err := h.leg.Message(h.ctx, call.Message{Path: path, Max: 20 * time.Second, Silence: 5 * time.Second, Terminators: "#"})
			h.hungUp(err)
			between(t, "length", r.Length, 2*time.Second, 3500*time.Millisecond)
		}},
		{"what can not be written is an error, and the call goes on", func(t *testing.T) {
			h := v.place(t, true)
			file := filepath.Join(v.sw.dir, "afile")
			h.check(os.WriteFile(file, nil, 0o600))
			_, err := h.leg.Message(h.ctx, call.Message{Path: file + "/m.wav", Max: 2 * time.Second})
			if err == nil {
				t.Error("recorded into a folder that is a file")
			}
			err = h.leg.Recording(h.ctx, call.StartRecording, file+"/c.wav")
			if err == nil {
				t.Error("recorded into a folder that is a file")
			}
			h.check(h.leg.Play(h.ctx, h.prompt("tone:%(100,0,440)")))
		}},
		{"the switch finishes a message alone", func(t *testing.T) {
			h := v.place(t, true)
			path, length := h.file("alone.wav")
			h.a.sing(true)
			m := call.Message{Path: path, Max: 20 * time.Second, Terminators: "#"}
			ended := make(chan error, 1)
			go func() {
				_, err := h.leg.Message(h.ctx, m)
				ended <- err
			}()
			h.check(h.a.pressAfter(h.ctx, "1", 100))
			go h.a.pressAfter(within(t, time.Minute), "#", 100)
			h = h.lose()
			if err := <-ended; !errors.Is(err, call.ErrLost) {
				t.Errorf("ended with %v", err)
			}
			r, err := h.leg.Message(h.ctx, m)
			h.check(err)
			between(t, "length", r.Length, 3*time.Second, 5500*time.Millisecond)
			between(t, "file", length(), r.Length-100*time.Millisecond, r.Length+100*time.Millisecond)
			go h.a.pressAfter(h.ctx, "#", 50)
			r, err = h.leg.Message(h.ctx, m) // a new one
			h.check(err)
			between(t, "length of the next", r.Length, 700*time.Millisecond, 2*time.Second)
		}},
		{"a recording of the call: twice, paused, stopped, started again", func(t *testing.T) {
			h := v.place(t, true)
			path, length := h.file("calls/a.wav")
			do := func(d call.Recording) { t.Helper(); h.check(h.leg.Recording(h.ctx, d, path)) }
			do(call.StopRecording)
			do(call.StartRecording)
			do(call.StartRecording)
			h.check(h.leg.Wait(h.ctx, time.Second, call.Prompt{}))
			do(call.PauseRecording)
			h.check(h.leg.Wait(h.ctx, time.Second, h.prompt("tone:%(200,0,440)")))
			do(call.ResumeRecording)
			h.check(h.leg.Wait(h.ctx, time.Second, h.prompt("tone:%(200,0,440)")))
			do(call.StopRecording)
			first := length()
			between(t, "first part", first, 2500*time.Millisecond, 4*time.Second)
			between(t, "of it with sound", loud(t, path), 700*time.Millisecond, 1300*time.Millisecond)
			do(call.StartRecording)
			h.check(h.leg.Wait(h.ctx, time.Second, call.Prompt{}))
			do(call.StopRecording)
			between(t, "both parts", length(), first+700*time.Millisecond, first+2*time.Second)
		}},
		{"a recording goes on over takeovers and bridges", func(t *testing.T) {
			h := v.place(t, true)
			path, length := h.file("calls/b.wav")
			h.check(h.leg.Recording(h.ctx, call.StartRecording, path))
			h.check(h.leg.Wait(h.ctx, time.Second, call.Prompt{}))
			h = h.lose()
			h.check(h.leg.Wait(h.ctx, time.Second, h.prompt("tone:%(200,0,440)")))
			h.a.sing(true)
			b := call.Bridge{Ring: 10 * time.Second, Legs: []call.BridgeLeg{{UUID: call.LegUUID(h.leg.Call().ID, 1, 0), Target: "t",
				Address: call.Address{Number: "7006", Gateway: "carrier"}}}}
			b.Record, _ = h.file("calls/b-1.wav")
			_, err := h.leg.Bridge(h.ctx, b, call.Checkpoint{Epoch: h.leg.Epoch(), Node: "n1"}.String())
			h.check(err)
			h.check(h.leg.Wait(h.ctx, time.Second, call.Prompt{}))
			h.check(h.leg.Recording(h.ctx, call.StopRecording, path))
			_, dialled := h.file("calls/b-1.wav")
			between(t, "whole call", length(), 3500*time.Millisecond, 8*time.Second)
			between(t, "dial", dialled(), 600*time.Millisecond, 2*time.Second)
		}},
	} {
		t.Run(fact.name, fact.f)
	}
}

// loud is how long something is heard in a file of 8000 samples a second.
func loud(t *testing.T, path string) time.Duration {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var n time.Duration
	for i := 44; i+320 <= len(data); i += 320 { // 20 ms
		peak := 0
		for j := i; j < i+320; j += 2 {
			s := int(int16(uint16(data[j]) | uint16(data[j+1])<<8))
			peak = max(peak, s, -s)
		}
		if peak > 1000 {
			n += 20 * time.Millisecond
		}
	}
	return n
}
