//go:build freeswitch

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// A scene is a call through one kind of node, in two parts: into the middle of it,
// and on to the end of the call. Between the two the server may be killed.
type scene struct {
	name      string
	number    string
	middle    func(c *cast) error
	rest      func(c *cast) error
	exits     string // by which the call leaves its nodes
	taken     string // the same after a takeover, where it differs
	unwatched bool   // once the server is lost the call ends without another
	check     func(t *testing.T, c *cast, events []call.Event)
}

// cast is who plays in a scene.
type cast struct {
	*lane
	ctx     context.Context
	a       *sipCall // the caller
	b       *sipCall // the callee, once there is one
	partner *partner
	taken   bool // the server was killed in the middle
	mark    int  // for the scene
}

// kindLane is a lane with every kind of node.
func kindLane(t *testing.T) (*lane, *partner) {
	p := newPartner(t)
	dir := t.TempDir()
	music := filepath.Join(dir, "tone.wav")
	if err := writeTone(music, time.Second); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	today := now.Format(time.DateOnly) + "/" + now.AddDate(0, 0, 1).Format(time.DateOnly)
	text := strings.NewReplacer("PARTNER", p.URL, "MUSIC", music, "TODAY", today).Replace(flows(t, "kinds.yaml"))
	l := newLaneOf(t, laneOptions{switches: 1, servers: 1, flows: text, switchOptions: switchOptions{extensions: elsewhere}})
	return l, p
}

// elsewhere are extensions of a dialplan that is not ours.
const elsewhere = `
<extension name="e2e-elsewhere"><condition field="destination_number" expression="^e2e-elsewhere$">
  <action application="playback" data="tone_stream://%(1000,0,1200)"/>
  <action application="hangup" data="NORMAL_CLEARING"/>
</condition></extension>
<extension name="e2e-return"><condition field="destination_number" expression="^e2e-return$">
  <action application="answer"/>
  <action application="playback" data="tone_stream://%(6000,0,1200)"/>
  <action application="transfer" data="+15550121 XML public"/>
</condition></extension>`

// play plays all scenes at once, and kills the server in the middle if it is to.
func (l *lane) play(t *testing.T, p *partner, kill bool, scenes []scene) {
	ctx := within(t, time.Minute)
	casts, errs := make([]*cast, len(scenes)), make([]error, len(scenes))
	all := func(part func(i int) error) {
		var wg sync.WaitGroup
		for i := range scenes {
			wg.Go(func() {
				if errs[i] == nil {
					errs[i] = part(i)
				}
			})
		}
		wg.Wait()
	}
	for i, s := range scenes {
		casts[i] = &cast{lane: l, ctx: ctx, a: l.call(t, s.number), partner: p, taken: kill}
	}
	middle := func(i int) error { return scenes[i].middle(casts[i]) }
	rest := func(i int) error { return scenes[i].rest(casts[i]) }
	if kill {
		all(middle)
		l.servers[0].kill()
		l.must(l.servers[0].start(ctx, ""))
		all(rest)
	} else {
		all(func(i int) error { return then(scenes[i].middle, scenes[i].rest)(casts[i]) })
	}
	for i, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			c := casts[i]
			if errs[i] != nil {
				events, _ := l.events()
				t.Fatalf("%v\n%s\n%s", errs[i], c.a.history(), timeline(events[c.a.from]))
			}
			events := l.finish(t, ctx, c.a)
			want := s.exits
			taken := kill && !s.unwatched
			switch {
			case taken && s.taken != "":
				want = s.taken
			case kill && s.unwatched:
				want = ""
			}
			wantExits(t, events, want)
			if took := count(events, call.Resumed) > 0; kill && took != taken {
				t.Errorf("taken over: %v, want %v:%s", took, taken, timeline(events))
			}
			if s.check != nil {
				s.check(t, c, events)
			}
		})
	}
}

// TestKinds has a call through every kind of node.
func TestKinds(t *testing.T) {
	t.Parallel()
	l, p := kindLane(t)
	l.play(t, p, false, scenes)
	l.Run("callers", l.testCallers)
	l.Run("digits", l.testDigits)
	l.Run("least recent", l.testLeastRecent)
	l.Run("time-out", func(t *testing.T) { l.testTimeout(t, p) })
}

// TestKindsTakenOver kills the server in the middle of every kind of node.
func TestKindsTakenOver(t *testing.T) {
	t.Parallel()
	l, p := kindLane(t)
	for round := range 3 {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) { l.play(t, p, true, scenes) })
	}
}

// step waits until the call has left a node.
func (c *cast) step(id string) error {
	_, err := c.awaitEvent(c.ctx, c.a, "left "+id, func(e call.Event) bool { return e.Type == call.Step && e.Step == id })
	return err
}

// of returns the events of a type.
func of(events []call.Event, typ call.Type) []call.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e call.Event) bool { return e.Type != typ })
}

// pitchesIn counts the pieces of 20 ms with sound in a file of 8000 samples a second,
// by pitch in hundreds of hertz.
func pitchesIn(t *testing.T, path string) map[int]int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := map[int]int{}
	for i := 44; i+320 <= len(data); i += 320 {
		peak, crossings, last := 0, 0, 0
		for j := i; j < i+320; j += 2 {
			s := int(int16(uint16(data[j]) | uint16(data[j+1])<<8))
			peak = max(peak, s, -s)
			if j > i && (s < 0) != (last < 0) {
				crossings++
			}
			last = s
		}
		if peak > 1000 {
			n[(crossings*25+50)/100*100]++
		}
	}
	return n
}
