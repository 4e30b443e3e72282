//go:build freeswitch

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// phone is a SIP user agent on loopback, just large enough to call FreeSWITCH
// and to be called by it: no registration, no authentication, G.711 µ-law,
// digits as RFC 2833 telephone events. One phone makes and takes any number of
// calls.
type phone struct {
	conn *net.UDPConn
	addr string

	mu     sync.Mutex
	calls  map[string]*sipCall   // by Call-ID
	take   func(in *sipCall)     // handles an incoming call, in a goroutine of its own
	taken  map[string][]*sipCall // incoming calls by the number that was dialled
	change chan struct{}         // closed and replaced when taken changes
}

func newPhone(take func(in *sipCall)) (*phone, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(4 << 20)
	p := &phone{conn: conn, addr: conn.LocalAddr().String(), take: take,
		calls: map[string]*sipCall{}, taken: map[string][]*sipCall{}, change: make(chan struct{})}
	go p.read()
	return p, nil
}

func (p *phone) close() { p.conn.Close() }

func (p *phone) port() int { return p.conn.LocalAddr().(*net.UDPAddr).Port }

// incoming returns the calls that came in for number so far.
func (p *phone) incoming(number string) []*sipCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*sipCall(nil), p.taken[number]...)
}

// awaitIncoming waits until a call from the caller came in for number.
func (p *phone) awaitIncoming(ctx context.Context, number, from string) (*sipCall, error) {
	for {
		p.mu.Lock()
		got, change := p.taken[number], p.change
		p.mu.Unlock()
		for _, c := range got {
			if c.from == from {
				return c, nil
			}
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, fmt.Errorf("no call from %s came in for %s: %w", from, number, ctx.Err())
		}
	}
}

// sipCall is one dialog and its audio.
type sipCall struct {
	phone  *phone
	caller bool
	id     string // Call-ID
	number string // user part of the Request-URI of the INVITE
	from   string // number of the caller
	invite *sipMessage
	rtp    *net.UDPConn

	mu        sync.Mutex
	local     string // our From or To with tag
	remote    string // the other side's
	target    string // Request-URI of what we send in the dialog
	peer      *net.UDPAddr
	media     *net.UDPAddr
	cseq      int
	branch    string
	responses []int // response codes of the INVITE that came in (caller) or went out (callee)
	answered  bool
	ended     bool
	byUs      bool
	reason    string // Reason header of the request that ended it
	last      *sipMessage
	change    chan struct{}
	digits    []byte
	tone      bool
	heard     int // 20 ms packets with sound
	packets   int
	sent      int
	pitches   map[int]int // of them by pitch in hundreds of hertz, as it is heard
	heardAt   time.Time
	gap       time.Duration // longest time between two of them
	onMedia   bool
	events    []stamp
}

// stamp is one thing that happened to a call, on the phone's clock.
type stamp struct {
	at   time.Time
	what string
}

func (c *sipCall) note(format string, args ...any) {
	c.events = append(c.events, stamp{time.Now(), fmt.Sprintf(format, args...)})
	close(c.change)
	c.change = make(chan struct{})
}

// until waits until ok, which is called with the call locked, holds.
func (c *sipCall) until(ctx context.Context, what string, ok func() bool) error {
	for {
		c.mu.Lock()
		done, change := ok(), c.change
		history, ended := fmt.Sprint(c.responses), c.ended
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return fmt.Errorf("call to %s: no %s (responses %s, ended %v): %w", c.number, what, history, ended, ctx.Err())
		}
	}
}

func (c *sipCall) awaitCode(ctx context.Context, code int) error {
	return c.until(ctx, strconv.Itoa(code), func() bool {
		for _, h := range c.responses {
			if h == code {
				return true
			}
		}
		return false
	})
}

func (c *sipCall) awaitAnswer(ctx context.Context) error {
	return c.until(ctx, "answer", func() bool { return c.answered })
}

func (c *sipCall) awaitEnd(ctx context.Context) error {
	return c.until(ctx, "end", func() bool { return c.ended })
}

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

// hasEnded says whether the call is over.
func (c *sipCall) hasEnded() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.ended }

// history is what happened to the call, for failures.
func (c *sipCall) history() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, e := range c.events {
		fmt.Fprintf(&b, "%s %s; ", e.at.Format("05.000"), e.what)
	}
	return b.String()
}

// codes returns the responses to the INVITE so far.
func (c *sipCall) codes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int(nil), c.responses...)
}

func token(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// call sends an INVITE for number to the switch at addr.
func (p *phone) call(addr, number, from string, headers ...string) (*sipCall, error) {
	return p.callAs("", addr, number, from, headers...)
}

// callAs calls with a display name, written as it is to stand in the From header.
func (p *phone) callAs(name, addr, number, from string, headers ...string) (*sipCall, error) {
	peer, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	c, err := p.newCall(token(8)+"@e2e", number)
	if err != nil {
		return nil, err
	}
	c.caller, c.peer = true, peer
	c.local = fmt.Sprintf("%s <sip:%s@%s>;tag=%s", name, from, p.addr, token(4))
	c.remote = fmt.Sprintf("<sip:%s@%s>", number, addr)
	c.target = fmt.Sprintf("sip:%s@%s", number, addr)
	c.cseq, c.branch = 1, "z9hG4bK"+token(8)
	p.mu.Lock()
	p.calls[c.id] = c
	p.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note("sent INVITE")
	go c.sendMedia()
	return c, c.sendInvite(headers)
}

func (p *phone) newCall(id, number string) (*sipCall, error) {
	rtp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	c := &sipCall{phone: p, id: id, number: number, rtp: rtp, change: make(chan struct{}), pitches: map[int]int{}}
	go c.readMedia()
	return c, nil
}

func (c *sipCall) sendInvite(headers []string) error {
	h := append([]string{"Content-Type: application/sdp"}, headers...)
	return c.send("INVITE", c.target, c.cseq, c.branch, h, c.sdp())
}

func (c *sipCall) sdp() string {
	port := c.rtp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("v=0\r\no=e2e 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"+
		"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n", port)
}

// send sends a request of this dialog. The call is locked.
func (c *sipCall) send(method, uri string, cseq int, branch string, headers []string, body string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s;rport\r\nMax-Forwards: 70\r\n", method, uri, c.phone.addr, branch)
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", c.local, c.remote, c.id, cseq, method)
	fmt.Fprintf(&b, "Contact: <sip:e2e@%s>\r\n", c.phone.addr)
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	_, err := c.phone.conn.WriteToUDP([]byte(b.String()), c.peer)
	return err
}

// hangup ends the call from this side: CANCEL, BYE, or a refusal with 480.
func (c *sipCall) hangup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.answered:
		c.cseq++
		c.byUs = true
		c.note("sent BYE")
		c.send("BYE", c.target, c.cseq, "z9hG4bK"+token(8), nil, "")
	case c.caller:
		c.byUs = true
		c.note("sent CANCEL")
		c.send("CANCEL", c.target, c.cseq, c.branch, nil, "")
	default:
		c.respondInvite(480, "Temporarily Unavailable", false)
	}
}

// ring sends 180.
func (c *sipCall) ring() { c.respond(180, "Ringing", false) }

// early sends 183 with media.
func (c *sipCall) early() { c.respond(183, "Session Progress", true) }

// answer sends 200.
func (c *sipCall) answer() { c.respond(200, "OK", true) }

// refuse sends a final response from 300 on.
func (c *sipCall) refuse(code int) { c.respond(code, "Refused", false) }

func (c *sipCall) respond(code int, text string, media bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended && !c.answered {
		c.respondInvite(code, text, media)
	}
}

func (c *sipCall) respondInvite(code int, text string, media bool) {
	body := ""
	headers := []string{fmt.Sprintf("Contact: <sip:e2e@%s>", c.phone.addr)}
	if media {
		body = c.sdp()
		headers = append(headers, "Content-Type: application/sdp")
	}
	c.responses = append(c.responses, code)
	c.answered = c.answered || code >= 200 && code < 300
	c.ended = c.ended || code >= 300
	c.note("sent %d", code)
	c.phone.reply(c.invite, code, text, c.local, headers, body)
	if media && !c.onMedia {
		c.onMedia = true
		go c.sendMedia()
	}
	if c.ended {
		c.rtp.Close()
	}
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

// sipMessage is a parsed request or response. Header names are lower case.
type sipMessage struct {
	first  string
	header map[string]string
	via    []string
	body   string
	from   *net.UDPAddr
}

func parseSIP(data []byte, from *net.UDPAddr) *sipMessage {
	head, body, _ := strings.Cut(string(data), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := &sipMessage{first: lines[0], header: map[string]string{}, body: body, from: from}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		value = strings.TrimSpace(value)
		if long, ok := map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}[name]; ok {
			name = long
		}
		if name == "via" {
			m.via = append(m.via, value)
		}
		m.header[name] = value
	}
	return m
}

func (m *sipMessage) method() string { method, _, _ := strings.Cut(m.first, " "); return method }

// reply answers a request.
func (p *phone) reply(m *sipMessage, code int, text, to string, headers []string, body string) {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", code, text)
	for _, v := range m.via {
		fmt.Fprintf(&b, "Via: %s\r\n", v)
	}
	if to == "" {
		to = m.header["to"]
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n", m.header["from"], to, m.header["call-id"], m.header["cseq"])
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	p.conn.WriteToUDP([]byte(b.String()), m.from)
}

func (p *phone) read() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if m := parseSIP(buf[:n], from); m.header["call-id"] != "" {
			p.handle(m)
		}
	}
}

func (p *phone) handle(m *sipMessage) {
	p.mu.Lock()
	c := p.calls[m.header["call-id"]]
	p.mu.Unlock()
	if strings.HasPrefix(m.first, "SIP/2.0 ") {
		if c != nil {
			c.handleResponse(m)
		}
		return
	}
	switch {
	case m.method() == "ACK":
	case c == nil && m.method() == "INVITE":
		p.accept(m)
	case c == nil && m.method() == "OPTIONS":
		p.reply(m, 200, "OK", "", nil, "")
	case c == nil:
		p.reply(m, 481, "Call/Transaction Does Not Exist", "", nil, "")
	default:
		c.handleRequest(m)
	}
}

func (p *phone) accept(m *sipMessage) {
	_, rest, _ := strings.Cut(m.first, "sip:")
	number, _, _ := strings.Cut(rest, "@")
	c, err := p.newCall(m.header["call-id"], number)
	if err != nil {
		p.reply(m, 500, err.Error(), "", nil, "")
		return
	}
	c.invite, c.peer = m, m.from
	_, from, _ := strings.Cut(m.header["from"], "sip:")
	c.from, _, _ = strings.Cut(from, "@")
	c.local, c.remote = m.header["to"]+";tag="+token(4), m.header["from"]
	c.target = uriOf(m.header["contact"])
	c.media = mediaOf(m.body)
	c.note("got INVITE")
	p.mu.Lock()
	p.calls[c.id] = c
	p.taken[number] = append(p.taken[number], c)
	close(p.change)
	p.change = make(chan struct{})
	p.mu.Unlock()
	p.reply(m, 100, "Trying", "", nil, "")
	go p.take(c)
}

func (c *sipCall) handleRequest(m *sipMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.method() {
	case "INVITE":
		if _, re, _ := strings.Cut(m.header["to"], ";tag="); re == "" {
			return // a repeated INVITE; FreeSWITCH has our response
		}
		if media := mediaOf(m.body); media != nil {
			c.media = media
		}
		c.phone.reply(m, 200, "OK", c.local, []string{"Contact: <sip:e2e@" + c.phone.addr + ">", "Content-Type: application/sdp"}, c.sdp())
	case "BYE":
		c.phone.reply(m, 200, "OK", "", nil, "")
		if !c.ended {
			c.ended, c.reason = true, m.header["reason"]
			c.note("got BYE %s", c.reason)
			c.rtp.Close()
		}
	case "CANCEL":
		c.phone.reply(m, 200, "OK", c.local, nil, "")
		if !c.ended && !c.answered {
			c.ended, c.reason = true, m.header["reason"]
			c.note("got CANCEL %s", c.reason)
			c.phone.reply(c.invite, 487, "Request Terminated", c.local, nil, "")
			c.rtp.Close()
		}
	default:
		c.phone.reply(m, 200, "OK", "", nil, "")
	}
}

func (c *sipCall) handleResponse(m *sipMessage) {
	fields := strings.Fields(m.first)
	code, _ := strconv.Atoi(fields[1])
	_, method, _ := strings.Cut(m.header["cseq"], " ")
	c.mu.Lock()
	defer c.mu.Unlock()
	if method != "INVITE" {
		if method == "BYE" && code >= 200 && !c.ended {
			c.ended = true
			c.note("BYE done")
			c.rtp.Close()
		}
		return
	}
	if code >= 200 {
		// The ACK of a refusal belongs to the INVITE's transaction (RFC 3261, 17.1.1.3).
		remote, branch, uri := c.remote, c.branch, c.target
		c.remote = m.header["to"]
		if code < 300 {
			branch, uri = "z9hG4bK"+token(8), uriOf(m.header["contact"])
		}
		c.send("ACK", uri, c.cseq, branch, nil, "")
		if code >= 300 {
			c.remote = remote
		}
	}
	if c.ended || c.answered {
		return
	}
	c.last = m
	c.responses = append(c.responses, code)
	if media := mediaOf(m.body); media != nil {
		c.media = media
	}
	switch {
	case code >= 300:
		c.ended, c.reason = true, m.header["reason"]
		c.rtp.Close()
	case code >= 200:
		c.answered = true
		c.target = uriOf(m.header["contact"])
	}
	c.note("got %d", code)
}

func uriOf(contact string) string {
	if _, rest, ok := strings.Cut(contact, "<"); ok {
		contact, _, _ = strings.Cut(rest, ">")
	}
	return contact
}

// mediaOf reads the address of the audio out of an SDP; all of it is loopback.
func mediaOf(sdp string) *net.UDPAddr {
	_, rest, ok := strings.Cut(sdp, "m=audio ")
	if !ok {
		return nil
	}
	port, err := strconv.Atoi(rest[:max(strings.IndexByte(rest, ' '), 0)])
	if err != nil || port == 0 {
		return nil
	}
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
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
