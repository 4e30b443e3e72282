//go:build freeswitch

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests of this file state what Hookswitch takes for granted of FreeSWITCH,
// fact by fact as docs/freeswitch.md lists them, with a server of a few lines
// instead of Hookswitch. One that fails with a new FreeSWITCH names the code to
// think over.

// stand is a switch whose calls come to the test itself.
type stand struct {
	*testing.T
	phone    *phone
	sw       *freeswitch
	exchange *exchange
}

// one is a call of it under control.
type one struct {
	*testing.T
	*stand
	ctx context.Context
	a   *sipCall
	c   *control
}

func newStand(t *testing.T) *stand {
	s := &stand{T: t}
	var err error
	s.phone, err = newPhone(callee)
	s.must(err)
	s.exchange, err = listen("127.0.0.1:0")
	s.must(err)
	s.sw, err = startSwitch(within(t, 3*time.Minute), freeswitchBinary, confDir, switchOptions{
		nodes: s.exchange.addr(), takeover: s.exchange.addr(), callees: s.phone.addr, logLevel: "debug"})
	s.must(err)
	t.Cleanup(func() {
		s.sw.stop()
		s.exchange.close()
		s.phone.close()
		if !t.Failed() {
			os.RemoveAll(s.sw.dir)
		}
	})
	return s
}

func (s *stand) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// place makes a call and takes control of it.
func (s *stand) place(t *testing.T, answer bool) *one {
	t.Helper()
	ctx := within(t, 40*time.Second)
	a, err := s.phone.call(s.sw.sip, "+15550001", factCaller)
	o := &one{T: t, stand: s, ctx: ctx, a: a}
	o.check(err)
	o.take()
	t.Cleanup(func() { a.hangup(); o.c.drop() })
	if answer {
		o.run("answer", "")
	}
	return o
}

func (o *one) check(err error) {
	o.T.Helper()
	if err != nil {
		o.T.Fatal(err)
	}
}

// take waits for the call's next connection and says how long that took.
func (o *one) take() time.Duration {
	o.T.Helper()
	began := time.Now()
	for {
		c, err := o.exchange.next(o.ctx)
		o.check(err)
		if c.connect(o.ctx) != nil {
			continue // of a call that is gone
		}
		o.c = c
		return time.Since(began)
	}
}

func (o *one) run(app, arg string) event {
	o.T.Helper()
	ev, err := o.c.execute(o.ctx, app, arg)
	o.check(err)
	return ev
}

func (o *one) set(pairs string) { o.T.Helper(); o.check(o.c.setvars(o.ctx, pairs)) }

func (o *one) want(what, got, want string) {
	o.T.Helper()
	if got != want {
		o.T.Errorf("%s: %q, want %q", what, got, want)
	}
}

// between says that the time lies between two others.
func (o *one) between(what string, got, least, most time.Duration) {
	o.T.Helper()
	if got < least || got > most {
		o.T.Errorf("%s: after %v, want %v to %v", what, got, least, most)
	}
}

// dial runs a bridge to its end and says how long that took.
func (o *one) dial(to string) (event, time.Duration) {
	o.T.Helper()
	began := time.Now()
	ev := o.run("bridge", to)
	return ev, time.Since(began)
}

const (
	carrier    = "sofia/gateway/carrier/"
	factCaller = "+16665550001"
)

func TestFacts(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	facts := []struct {
		name string
		f    func(t *testing.T)
	}{
		{"say takes engine and voice from variables", func(t *testing.T) {
			o := s.place(t, true)
			o.want("response without engine", o.run("playback", "say:Hello there").get("Application-Response"), "FILE PLAYED")
			if o.a.heard > 0 {
				t.Error("something was said without an engine")
			}
			o.set("tts_engine=flite;tts_voice=slt")
			before := o.a.heard
			o.run("playback", "say:Hello there, it’s us: 100% ready & willing")
			if o.a.heard < before+20 {
				t.Error("nothing was said")
			}
		}},
		{"no terminator argument means #", func(t *testing.T) {
			for arg, want := range map[string]string{"''": "", "#": "", "none": "#"} {
				o := s.place(t, true)
				o.check(o.a.awaitAnswer(o.ctx))
				go func() { o.a.awaitSound(o.ctx, 10); o.a.press(o.ctx, "#") }()
				ev := o.run("play_and_get_digits", "1 1 1 2000 "+arg+" tone_stream://%(2000,0,440) '' got '' 1000")
				o.want("digits with terminators "+arg, ev.value("got"), want)
			}
		}},
		{"uuid_setvar_multi unsets what is empty, arrays too", func(t *testing.T) {
			o := s.place(t, true)
			o.set("a=1;b=2;continue_on_fail=true")
			o.set("a=;b=x y")
			o.want("a", o.c.getvar(o.ctx, "a"), "_undef_")
			o.want("b", o.c.getvar(o.ctx, "b"), "x y")
			o.dial(carrier + "7603")
			ev, _ := o.dial(carrier + "7603")
			if !strings.HasPrefix(ev.value("originate_causes"), "ARRAY::") {
				t.Errorf("originate_causes of two dials: %q", ev.value("originate_causes"))
			}
			o.set("originate_causes=;originated_legs=")
			o.want("originate_causes", o.c.getvar(o.ctx, "originate_causes"), "_undef_")
			ev, _ = o.dial(carrier + "7603")
			if strings.HasPrefix(ev.value("originate_causes"), "ARRAY::") {
				t.Errorf("originate_causes go on: %q", ev.value("originate_causes"))
			}
			o.set("j=it's;k=it's")
			o.want("k after a lone quote", o.c.getvar(o.ctx, "k"), "_undef_")
		}},
		{"a leg's UUID is refused while it is in use", func(t *testing.T) {
			const uuid = "00000000-0000-8000-8000-00000000abcd"
			first, second := s.place(t, true), s.place(t, true)
			_, err := first.c.start(first.ctx, "bridge", "[origination_uuid="+uuid+"]"+carrier+"7001")
			first.check(err)
			_, err = first.c.await(first.ctx, "ringing", func(e event) bool { return e.name() == "CHANNEL_PROGRESS" && e.get("Unique-ID") == uuid })
			first.check(err)
			dialled := len(s.phone.incoming("7006"))
			second.set("continue_on_fail=true")
			ev, _ := second.dial("[origination_uuid=" + uuid + "]" + carrier + "7006")
			second.want("disposition", ev.value("originate_disposition"), "DESTINATION_OUT_OF_ORDER")
			if len(s.phone.incoming("7006")) != dialled {
				t.Error("the second leg was dialled")
			}
		}},
		{"originate_timeout counts while a callee confirms, leg_timeout does not", func(t *testing.T) {
			o := s.place(t, true)
			o.set("continue_on_fail=true;group_confirm_key=1;group_confirm_file=tts://flite|slt|Press 1;group_confirm_timeout=5;ignore_early_media=true")
			ev, took := o.dial("{originate_timeout=30}[leg_timeout=2]" + carrier + "7002")
			o.want("disposition", ev.value("originate_disposition"), "ALLOTTED_TIMEOUT")
			o.between("unconfirmed", took, 4*time.Second, 7*time.Second)
			ev, took = o.dial("{originate_timeout=3}[leg_timeout=2]" + carrier + "7002")
			o.want("disposition", ev.value("originate_disposition"), "NO_ANSWER")
			o.between("cut short", took, 1500*time.Millisecond, 4*time.Second)
		}},
		{"early media with bridge_early_media stays a dial", func(t *testing.T) {
			o := s.place(t, false)
			o.set("continue_on_fail=true;bridge_early_media=true")
			go func() {
				if b, err := s.phone.awaitIncoming(o.ctx, "7010", factCaller); err == nil {
					b.early()
				}
			}()
			ev, took := o.dial("{originate_timeout=4}" + carrier + "7010")
			o.want("disposition", ev.value("originate_disposition"), "NO_ANSWER")
			o.between("early media", took, 2500*time.Millisecond, 5*time.Second)
			if o.a.heard < 50 {
				t.Errorf("the caller heard %d packets of the callee", o.a.heard)
			}
		}},
		{"the longest time cuts the callee and leaves the caller", func(t *testing.T) {
			o := s.place(t, true)
			o.set("continue_on_fail=true;bridge_pre_execute_bleg_app=sched_hangup;bridge_pre_execute_bleg_data=+3 ALLOTTED_TIMEOUT")
			ev, took := o.dial(carrier + "7002")
			o.want("cause", ev.value("bridge_hangup_cause"), "ALLOTTED_TIMEOUT")
			o.between("cut", took, 1900*time.Millisecond, 4500*time.Millisecond)
			o.run("playback", "tone_stream://%(100,0,440)")
		}},
		{"a callee whose media ceases ends with MEDIA_TIMEOUT", func(t *testing.T) {
			o := s.place(t, true)
			o.set("continue_on_fail=true")
			go func() {
				o.a.awaitSound(o.ctx, 20)
				all := s.phone.incoming("7002")
				b := all[len(all)-1]
				b.mu.Lock()
				b.media = nil
				b.mu.Unlock()
			}()
			ev, _ := o.dial("[media_timeout=2000]" + carrier + "7002")
			o.want("cause", ev.value("bridge_hangup_cause"), "MEDIA_TIMEOUT")
			o.run("playback", "tone_stream://%(100,0,440)")
		}},
		{"record hangs up when the connection is lost and socket_resume is true", func(t *testing.T) {
			o := s.place(t, true)
			_, err := o.c.start(o.ctx, "record", filepath.Join(s.sw.dir, "recordings", "lost.wav")+" 20")
			o.check(err)
			_, err = o.c.await(o.ctx, "the recording", func(e event) bool { return e.name() == "RECORD_START" })
			o.check(err)
			o.c.drop()
			o.check(o.a.awaitEnd(o.ctx))
		}},
		{"a recording holds the bridge only", func(t *testing.T) {
			o := s.place(t, true)
			path := filepath.Join(s.sw.dir, "recordings", "fact.wav")
			o.set("continue_on_fail=true")
			o.run("record_session", path+" {RECORD_BRIDGE_REQ=true}")
			o.run("playback", "tone_stream://%(1000,0,440)")
			o.a.sing(true)
			o.dial(carrier + "7006")
			o.run("stop_record_session", path)
			info, err := os.Stat(path)
			o.check(err)
			if n := info.Size(); n < 12000 || n > 28000 { // about a second of 16000 bytes
				t.Errorf("%d bytes", n)
			}
		}},
		{"a lost connection sends the call to the next turn", func(t *testing.T) {
			o := s.place(t, true)
			o.c.drop()
			o.between("idle", o.take(), 0, time.Second)
			o.set("hookswitch_quiet=20")
			_, err := o.c.start(o.ctx, "playback", "tone_stream://%(20000,0,440)")
			o.check(err)
			o.check(o.a.awaitSound(o.ctx, 10))
			o.c.drop()
			took := o.take()
			o.between("in a playback with hookswitch_quiet", took, 0, 400*time.Millisecond)
			o.want("quiet", o.c.vars.value("hookswitch_quiet"), "500")
			for range 3 { // before connect
				o.c.drop()
				c, err := s.exchange.next(o.ctx)
				o.check(err)
				o.c = c
			}
			o.c.drop()
			o.take()
		}},
		{"a bridge outlives the connection with socket_resume=false", func(t *testing.T) {
			o := s.place(t, true)
			o.set("continue_on_fail=true;socket_resume=false")
			_, err := o.c.start(o.ctx, "bridge", carrier+"7002")
			o.check(err)
			o.check(o.a.awaitSound(o.ctx, 20))
			b := s.phone.incoming("7002")
			o.c.drop()
			o.check(o.a.awaitSound(o.ctx, 50))
			b[len(b)-1].hangup()
			c, err := s.exchange.next(o.ctx) // before connect, after a bridge
			o.check(err)
			c.drop()
			o.take()
			o.want("resume", o.c.vars.value("socket_resume"), "true")
			o.want("disposition", o.c.vars.value("originate_disposition"), "SUCCESS")
		}},
		{"closing hands a call over, whatever socket_resume", func(t *testing.T) {
			o := s.place(t, true)
			for _, resume := range []string{"true", "false"} {
				o.set("socket_resume=" + resume)
				_, err := o.c.command(o.ctx, "exit")
				o.check(err)
				o.between("idle, resume "+resume, o.take(), 0, time.Second)
			}
			o.set("socket_resume=false")
			_, err := o.c.start(o.ctx, "playback", "tone_stream://%(2000,0,440)")
			o.check(err)
			o.check(o.a.awaitSound(o.ctx, 10))
			_, err = o.c.command(o.ctx, "exit")
			o.check(err)
			o.between("in a playback of 2 s, resume false", o.take(), 1500*time.Millisecond, 4*time.Second)
		}},
		{"a call is transferred to the last resort", func(t *testing.T) {
			o := s.place(t, false)
			o.set("socket_resume=false")
			_, err := o.c.api(o.ctx, "uuid_transfer "+o.c.uuid()+" hookswitch-last-resort XML public")
			o.check(err)
			o.check(o.a.awaitEnd(o.ctx))
			if codes := o.a.codes(); codes[len(codes)-1] != 503 {
				t.Errorf("responses %v, want 503", codes)
			}
		}},
		{"sensitive digits are in no record", func(t *testing.T) {
			o := s.place(t, true)
			o.set("sensitive_dtmf=true")
			go func() { o.a.awaitSound(o.ctx, 10); o.a.press(o.ctx, "9876543") }()
			ev := o.run("play_and_get_digits", "7 7 1 3000 none tone_stream://%(3000,0,440) '' pin '' 3000")
			o.want("pin", ev.value("pin"), "9876543")
			o.set("pin=;sensitive_dtmf=")
			o.a.hangup()
			_, err := o.c.await(o.ctx, "the end", func(e event) bool { return e.name() == "CHANNEL_HANGUP_COMPLETE" })
			o.check(err)
			cdr := s.cdr(o)
			log, err := os.ReadFile(filepath.Join(s.sw.dir, "log", "freeswitch.log"))
			o.check(err)
			if bytes.Contains(cdr, []byte("9876543")) || bytes.Contains(log, []byte("9876543")) {
				t.Error("the digits are in the CDR or in the log")
			}
		}},
		{"the CDR of a call is complete with its last newline", func(t *testing.T) {
			o := s.place(t, true)
			o.a.hangup()
			o.check(o.a.awaitEnd(o.ctx))
			var cdr struct{ Variables map[string]string }
			o.check(json.Unmarshal(s.cdr(o), &cdr))
			o.want("cause", cdr.Variables["hangup_cause"], "NORMAL_CLEARING")
			o.want("hookswitch", cdr.Variables["hookswitch"], "true")
		}},
	}
	for _, fact := range facts {
		t.Run(fact.name, fact.f)
	}
}

// cdr waits for the record of a call.
func (s *stand) cdr(o *one) []byte {
	o.T.Helper()
	path := filepath.Join(s.sw.dir, "log", "json_cdr", o.c.uuid()+".cdr.json")
	for {
		text, err := os.ReadFile(path)
		if err == nil && bytes.HasSuffix(text, []byte("\n")) {
			return text
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-o.ctx.Done():
			o.T.Fatalf("no CDR: %v", err)
		}
	}
}

// TestExpansion has a caller write what FreeSWITCH would execute, on a switch
// whose owner left the expansion of API calls on.
func TestExpansion(t *testing.T) {
	t.Parallel()
	p, err := newPhone(callee)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	x, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	sw, err := startSwitch(within(t, 3*time.Minute), freeswitchBinary, confDir, switchOptions{
		nodes: x.addr(), takeover: x.addr(), callees: p.addr, lastResort: "7603", apiExpansion: true})
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(sw.dir)
	defer sw.stop()
	ctx := within(t, 30*time.Second)
	mark := filepath.Join(sw.dir, "executed")
	evil := "${system(touch " + mark + ")}"
	a, err := p.call(sw.sip, "+15550001", factCaller, "X-Campaign: "+evil, "X-Nodes: "+evil,
		`P-Asserted-Identity: "`+evil+`" <sip:+16665550002@127.0.0.1>`, `Diversion: "`+evil+`" <sip:1@127.0.0.1>`)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.connect(ctx); err != nil {
		t.Fatal(err)
	}
	// Through the loop a second time, then through the last resort.
	c.drop()
	if c, err = x.next(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.connect(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.setvars(ctx, "socket_resume=false"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.api(ctx, "uuid_transfer "+c.uuid()+" hookswitch-last-resort XML public"); err != nil {
		t.Fatal(err)
	}
	if err := a.awaitEnd(ctx); err != nil {
		t.Fatal(err)
	}
	if len(p.incoming("7603")) != 1 {
		t.Error("the last resort did not dial its number")
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("what the caller wrote was executed")
	}
}
