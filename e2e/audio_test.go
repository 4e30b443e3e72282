//go:build freeswitch

package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// awaitSound waits until n packets with sound came in after this moment.
func (c *sipCall) awaitSound(ctx context.Context, n int) error {
	c.mu.Lock()
	from := c.heard
	c.mu.Unlock()
	err := c.until(ctx, "sound", func() bool { return c.heard >= from+n || c.ended })
	if err == nil && c.hasEnded() {
		err = fmt.Errorf("call to %s: ended while sound was awaited, responses %v", c.number, c.codes())
	}
	return err
}

// awaitPitch waits until n packets with a tone of so many hertz, a multiple of 100,
// came in after this moment.
func (c *sipCall) awaitPitch(ctx context.Context, hertz, n int) error {
	from := c.heardOf(hertz)
	err := c.until(ctx, fmt.Sprintf("%d Hz", hertz), func() bool { return c.pitches[hertz] >= from+n || c.ended })
	if err == nil && c.heardOf(hertz) < from+n {
		err = fmt.Errorf("call to %s: ended while %d Hz were awaited, responses %v", c.number, hertz, c.codes())
	}
	return err
}

// heardOf is how many packets with a tone of that pitch came in.
func (c *sipCall) heardOf(hertz int) int { c.mu.Lock(); defer c.mu.Unlock(); return c.pitches[hertz] }

// silence returns the longest time between two packets with sound since it was
// last asked.
func (c *sipCall) silence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.gap
	c.gap = 0
	return d
}

// press sends digits as RFC 2833 events and waits until they are out; the last
// one may end the call.
func (c *sipCall) press(ctx context.Context, digits string) error {
	c.mu.Lock()
	c.digits = append(c.digits, digits...)
	c.note("press %s", digits)
	c.mu.Unlock()
	var left int
	err := c.until(ctx, "room for "+digits, func() bool { left = len(c.digits); return left == 0 || c.ended })
	if err == nil && left > 1 {
		err = fmt.Errorf("call to %s: ended while %s was pressed", c.number, digits)
	}
	return err
}

// sing makes the phone send a tone instead of silence.
func (c *sipCall) sing(on bool) { c.mu.Lock(); c.tone = on; c.mu.Unlock() }

// sendMedia sends a packet every 20 ms until the call has ended: audio, or a
// telephone event of 100 ms followed by 60 ms of audio for every digit.
func (c *sipCall) sendMedia() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var seq uint16
	var ts, eventTS uint32
	ssrc := binary.BigEndian.Uint32([]byte(token(4)))
	step, gap := 0, 0
	for range tick.C {
		c.mu.Lock()
		to, ended, tone := c.media, c.ended, c.tone
		digit := byte(0)
		if gap == 0 && to != nil && len(c.digits) > 0 {
			digit = c.digits[0]
		}
		c.mu.Unlock()
		if ended {
			return
		}
		if to == nil {
			continue
		}
		packet := make([]byte, 12, 172)
		packet[0] = 0x80
		if digit != 0 {
			if step == 0 {
				eventTS = ts
				packet[1] = 0x80
			}
			packet[1] |= 101
			end := byte(0)
			if step >= 5 {
				end = 0x80
			}
			length := uint16(160 * (min(step, 5) + 1))
			packet = append(packet, byte(strings.IndexByte("0123456789*#ABCD", digit)), end|10, byte(length>>8), byte(length))
			binary.BigEndian.PutUint32(packet[4:], eventTS)
			if step++; step == 8 { // the end is sent three times
				step, gap = 0, 3
				c.mu.Lock()
				if c.digits = c.digits[1:]; len(c.digits) == 0 {
					c.note("pressed")
				}
				c.mu.Unlock()
			}
		} else {
			if gap > 0 {
				gap--
			}
			fill := []byte{0xff}
			if tone { // 1000 Hz at 8000 samples a second
				fill = []byte{0xff, 0x9e, 0x8f, 0x9e, 0xff, 0x1e, 0x0f, 0x1e}
			}
			packet = append(packet, bytes.Repeat(fill, 160/len(fill))...)
			binary.BigEndian.PutUint32(packet[4:], ts)
		}
		binary.BigEndian.PutUint16(packet[2:], seq)
		copy(packet[8:], binary.BigEndian.AppendUint32(nil, ssrc))
		seq++
		ts += 160
		c.rtp.WriteToUDP(packet, to)
		c.mu.Lock()
		c.sent++
		close(c.change)
		c.change = make(chan struct{})
		c.mu.Unlock()
	}
}

// readMedia counts what is heard: packets of µ-law that are not silence.
func (c *sipCall) readMedia() {
	buf := make([]byte, 2048)
	for {
		n, err := c.rtp.Read(buf)
		if err != nil {
			return
		}
		if n < 12 || buf[1]&0x7f != 0 {
			continue
		}
		loud, crossings := 0, 0
		for i, s := range buf[12:n] {
			if s&0x7f < 0x60 { // beyond about ±100 of 8031
				loud++
			}
			if i > 0 && (s^buf[11+i])&0x80 != 0 {
				crossings++
			}
		}
		c.mu.Lock()
		c.packets++
		if loud > (n-12)/4 {
			now := time.Now()
			if c.heard++; c.heard > 1 {
				c.gap = max(c.gap, now.Sub(c.heardAt))
			}
			c.heardAt = now
			c.pitches[(crossings*4000/(n-12)+50)/100*100]++
			close(c.change)
			c.change = make(chan struct{})
		}
		c.mu.Unlock()
	}
}

// heardSoFar is how many packets with sound came in.
func (c *sipCall) heardSoFar() int { c.mu.Lock(); defer c.mu.Unlock(); return c.heard }

// pressAfter presses digits when the phone has sent so many packets of 20 ms.
func (c *sipCall) pressAfter(ctx context.Context, digits string, packets int) error {
	if err := c.awaitSent(ctx, packets); err != nil {
		return err
	}
	return c.press(ctx, digits)
}

// awaitSent waits until the phone has sent so many packets of 20 ms.
func (c *sipCall) awaitSent(ctx context.Context, packets int) error {
	c.mu.Lock()
	from := c.sent
	c.mu.Unlock()
	return c.until(ctx, "packets", func() bool { return c.sent >= from+packets || c.ended })
}
