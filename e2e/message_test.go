//go:build freeswitch

package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

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
