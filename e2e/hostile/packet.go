package hostile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Packet is a command as FreeSWITCH takes it from the stream.
type Packet struct {
	Command string // with all lines of its header, as it is kept there
	Header  [][2]string
	Body    string
}

// ReadPacket does what read_packet does (mod_event_socket.c): line breaks in front
// are skipped, two end the header, whatever stands between them; what follows a NUL
// is not seen; a carriage return anywhere makes all before it one line; the body is
// as long as atoi says.
func ReadPacket(r io.ByteReader) (Packet, error) {
	var buf []byte
	for breaks := 0; breaks < 2; {
		b, err := r.ReadByte()
		if err != nil {
			if len(buf) > 0 {
				return Packet{}, fmt.Errorf("the stream ends in %q", buf)
			}
			return Packet{}, io.EOF
		}
		if buf = append(buf, b); buf[0] == '\r' || buf[0] == '\n' {
			buf = buf[:0]
			continue
		}
		switch b {
		case '\n':
			breaks++
		case '\r':
		default:
			breaks = 0
		}
	}
	p := Packet{Command: cString(buf)}
	for i, rest := 0, p.Command; rest != ""; i++ {
		line := rest
		at := strings.IndexByte(rest, '\r')
		if at < 0 {
			at = strings.IndexByte(rest, '\n')
		}
		if at < 0 {
			rest = ""
		} else {
			rest = strings.TrimLeft(rest[at:], "\r\n")
		}
		name, value, ok := strings.Cut(stripCR(line), ":")
		if i == 0 || !ok {
			continue
		}
		value = strings.TrimLeft(value, " ")
		p.Header = append(p.Header, [2]string{name, value})
		if strings.EqualFold(name, "content-length") {
			body := make([]byte, max(atoi(value), 0))
			for j := range body {
				b, err := r.ReadByte()
				if err != nil {
					return Packet{}, fmt.Errorf("the stream ends in the body of %q", p.Command)
				}
				body[j] = b
			}
			p.Body += cString(body)
		}
	}
	return p, nil
}

// cString is what C sees of the bytes.
func cString(b []byte) string {
	head, _, _ := bytes.Cut(b, []byte{0})
	return string(head)
}

// stripCR cuts a text as strip_cr does.
func stripCR(s string) string {
	at := strings.IndexByte(s, '\r')
	if at < 0 {
		at = strings.IndexByte(s, '\n')
	}
	if at < 0 {
		return s
	}
	return s[:at]
}

func atoi(s string) (n int) {
	s = strings.TrimLeft(s, " \t\v\f")
	sign := 1
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	for i := 0; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return sign * n
}
