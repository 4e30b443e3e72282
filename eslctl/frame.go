package eslctl

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Bounds of what one frame may hold, in bytes. FreeSWITCH itself refuses a
// body over 16 MiB and a command over 10 MiB (mod_event_socket.c, read_packet).
const (
	MaxHeader = 1 << 20
	MaxBody   = 16 << 20
)

// Frame is one message of the event socket in either direction: a block of
// header lines, then a body as long as Content-Length says. A command is a
// frame whose first line is the command itself.
type Frame struct {
	Header []byte // lines separated by \n, without the blank line that ends them
	Body   []byte
}

// Get returns the value of a header line as it stands on the wire, or "".
// Names compare without case, as FreeSWITCH does.
func (f Frame) Get(name string) string { return string(f.get(name)) }

func (f Frame) get(name string) []byte {
	for line := range lines(f.Header) {
		if len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

// Command returns the first line: the command of a frame that is one.
func (f Frame) Command() string {
	line, _, _ := bytes.Cut(f.Header, newline)
	return string(bytes.TrimRight(line, "\r"))
}

// Clone returns a copy that outlives the next Read.
func (f Frame) Clone() Frame { return Frame{bytes.Clone(f.Header), bytes.Clone(f.Body)} }

var newline = []byte{'\n'}

func lines(block []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(block) > 0 {
			line := block
			if i := bytes.IndexByte(block, '\n'); i >= 0 {
				line, block = block[:i], block[i+1:]
			} else {
				block = nil
			}
			if !yield(line) {
				return
			}
		}
	}
}

func equalFold(line []byte, name string) bool {
	for i := range len(name) {
		if a, b := line[i], name[i]; a != b && (a|0x20 != b|0x20 || a|0x20 < 'a' || a|0x20 > 'z') {
			return false
		}
	}
	return true
}

// Reader reads frames. What it keeps while it waits is small, so that thousands
// of idle calls cost little.
type Reader struct {
	src    io.Reader
	raw    syscall.RawConn // of src, where it has one: a wait then needs no buffer
	buf    []byte          // nil while nothing is being read
	pooled *[]byte         // what buf must be given back as
	r, w   int             // unread bytes are buf[r:w]

	n    int // result of poll
	err  error
	poll func(fd uintptr) bool
}

const (
	firstSize  = 2 << 10 // for sources that cannot tell when there is something to read
	pooledSize = 32 << 10
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, pooledSize); return &b }}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src}
	if sc, ok := src.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			r.raw, r.poll = raw, r.tryRead
		}
	}
	return r
}

// Read returns the next frame, which is valid until the next call of Read. It
// returns io.EOF when the source ends between two frames, io.ErrUnexpectedEOF
// when it ends inside one, and a *FrameError when the bytes are no frame. After
// a time-out of the source, Read may be called again and goes on where it was.
// It never holds more memory than twice what has arrived, whatever length a
// frame claims.
func (r *Reader) Read() (Frame, error) {
	header, end, err := r.header()
	if err != nil {
		return Frame{}, err
	}
	length, err := contentLength(Frame{Header: r.buf[r.r : r.r+header]})
	if err != nil {
		return Frame{}, err
	}
	size := header + end + length
	for r.w-r.r < size {
		if err := r.fill(size); err != nil {
			return Frame{}, err
		}
	}
	block := r.buf[r.r : r.r+size : r.r+size]
	r.r += size
	return Frame{Header: block[:header], Body: block[header+end:]}, nil
}

// header reads the header block at buf[r:] and returns its length and that of
// its end.
func (r *Reader) header() (length, end int, err error) {
	r.rest()
	for seen := 0; ; {
		have := r.buf[r.r:r.w]
		if seen == 0 {
			// Blank lines between frames are skipped, as FreeSWITCH skips them.
			for len(have) > 0 && (have[0] == '\n' || have[0] == '\r') {
				have = have[1:]
				r.r++
			}
		}
		from := max(seen-2, 0)
		if i, n := blankLine(have[from:]); i >= 0 {
			return from + i, n, nil
		}
		if len(have) > MaxHeader {
			return 0, 0, &FrameError{"header block", fmt.Sprintf("over %d bytes", MaxHeader)}
		}
		seen = len(have)
		if err := r.fill(0); err != nil {
			return 0, 0, err
		}
	}
}

// blankLine finds the end of a header block and how long that end is. FreeSWITCH
// ends its lines with \n; clients may send \r\n (mod_event_socket.c,
// read_packet).
func blankLine(b []byte) (at, length int) {
	at = bytes.Index(b, []byte("\n\n"))
	if at >= 0 {
		b = b[:at+1]
	}
	if crlf := bytes.Index(b, []byte("\n\r\n")); crlf >= 0 {
		return crlf, 3
	}
	return at, 2
}

// rest gives the large buffer back before a wait for the next frame.
func (r *Reader) rest() {
	if r.r != r.w {
		return
	}
	r.r, r.w, r.buf = 0, 0, nil
	if r.pooled != nil {
		readBuffers.Put(r.pooled)
		r.pooled = nil
	}
}

// tryRead reads what is there, with a buffer that it takes only for that.
func (r *Reader) tryRead(fd uintptr) bool {
	if r.buf == nil {
		r.pooled = readBuffers.Get().(*[]byte)
		r.buf = *r.pooled
	}
	for {
		r.n, r.err = syscall.Read(int(fd), r.buf[r.w:])
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.err == syscall.EAGAIN {
		r.n = 0
		if r.w == 0 {
			r.rest()
		}
		return false // wait, then try again
	}
	return true
}

// read is Read of the source.
func (r *Reader) read() (int, error) {
	if r.raw == nil {
		return r.src.Read(r.buf[r.w:])
	}
	r.n, r.err = 0, nil
	if err := r.raw.Read(r.poll); err != nil {
		return 0, err
	}
	switch {
	case r.err != nil:
		return 0, os.NewSyscallError("read", r.err)
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// fill reads more. want is the size of the frame at buf[r:], when it is known.
func (r *Reader) fill(want int) error {
	switch {
	case r.buf == nil && r.raw == nil:
		r.buf = make([]byte, firstSize)
	case r.buf != nil && r.w == len(r.buf):
		r.grow(want)
	}
	n, err := r.read()
	r.w += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF && r.r < r.w:
		return io.ErrUnexpectedEOF
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

func (r *Reader) grow(want int) {
	have := r.buf[r.r:r.w]
	if len(have) < len(r.buf)/2 && max(want, len(have)) <= len(r.buf) {
		copy(r.buf, have)
		r.r, r.w = 0, len(have)
		return
	}
	old := r.pooled
	switch {
	case len(have) < pooledSize/2:
		r.pooled = readBuffers.Get().(*[]byte)
		r.buf = *r.pooled
	default:
		r.pooled = nil
		r.buf = make([]byte, 2*len(have))
	}
	r.w = copy(r.buf, have)
	r.r = 0
	if old != nil {
		readBuffers.Put(old)
	}
}

// contentLength reads the length of the body as strictly as FreeSWITCH does
// (mod_event_socket.c, read_packet).
func contentLength(f Frame) (int, error) {
	v := f.get("Content-Length")
	if v == nil {
		return 0, nil
	}
	return parseLength(v)
}

func parseLength(v []byte) (int, error) {
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 || n > MaxBody || v[0] == '+' {
		return 0, &FrameError{"Content-Length", fmt.Sprintf("%.40q is not a number from 0 to %d", v, MaxBody)}
	}
	return n, nil
}
