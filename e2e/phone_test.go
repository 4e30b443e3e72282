//go:build freeswitch

package e2e

import (
	"context"
	"crypto/rand"
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

// info sends a body in the dialog.
func (c *sipCall) info(contentType, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered && !c.ended {
		c.cseq++
		c.send("INFO", c.target, c.cseq, "z9hG4bK"+token(8), []string{"Content-Type: " + contentType}, body)
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
