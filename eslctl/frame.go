package eslctl

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"strconv"
	"sync"
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
	idle   [2048]byte // where a wait begins
	buf    []byte     // idle[:], or larger while a frame is being read
	pooled *[]byte    // what buf must be given back as
	r, w   int        // unread bytes are buf[r:w]
}

const pooledSize = 32 << 10

var readBuffers = sync.Pool{New: func() any { b := make([]byte, pooledSize); return &b }}

// NewReader returns a Reader of src.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src}
	r.buf = r.idle[:]
	return r
}

// Read returns the next frame, which is valid until the next call of Read. It
// returns io.EOF when the source ends between two frames, io.ErrUnexpectedEOF
// when it ends inside one, and a *FrameError when the bytes are no frame; a
// Reader that has returned an error is of no further use. It never holds more
// memory than twice what has arrived, whatever length a frame claims.
func (r *Reader) Read() (Frame, error) {
	header, err := r.header()
	if err != nil {
		return Frame{}, err
	}
	length, err := contentLength(Frame{Header: r.buf[r.r : r.r+header]})
	if err != nil {
		return Frame{}, err
	}
	size := header + 2 + length
	for r.w-r.r < size {
		if err := r.fill(size); err != nil {
			return Frame{}, err
		}
	}
	block := r.buf[r.r : r.r+size : r.r+size]
	r.r += size
	return Frame{Header: block[:header], Body: block[header+2:]}, nil
}

// Waiting says whether no part of a next frame has been read: the reader may be
// used further after a time-out.
func (r *Reader) Waiting() bool { return r.r == r.w }

// header returns the length of the header block at buf[r:], which it reads.
func (r *Reader) header() (int, error) {
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
		if i := bytes.Index(have[max(seen-1, 0):], []byte("\n\n")); i >= 0 {
			return max(seen-1, 0) + i, nil
		}
		if len(have) > MaxHeader {
			return 0, &FrameError{"header block", fmt.Sprintf("over %d bytes", MaxHeader)}
		}
		seen = len(have)
		if err := r.fill(0); err != nil {
			return 0, err
		}
	}
}

// rest gives the large buffer back before a wait for the next frame.
func (r *Reader) rest() {
	if r.r != r.w {
		return
	}
	r.r, r.w = 0, 0
	if r.pooled != nil {
		readBuffers.Put(r.pooled)
		r.pooled = nil
	}
	r.buf = r.idle[:]
}

// fill reads more. want is the size of the frame at buf[r:], when it is known.
func (r *Reader) fill(want int) error {
	if r.w == len(r.buf) {
		r.grow(want)
	}
	n, err := r.src.Read(r.buf[r.w:])
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
// since it caps it (mod_event_socket.c, read_packet).
func contentLength(f Frame) (int, error) {
	v := f.get("Content-Length")
	if v == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 || n > MaxBody || v[0] == '+' {
		return 0, &FrameError{"Content-Length", fmt.Sprintf("%.40q is not a number from 0 to %d", v, MaxBody)}
	}
	return n, nil
}
