package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// Damage is a line of a journal that cannot be read. Readers report it and go
// on with the next line.
type Damage struct {
	File string // path of the segment
	Line int    // from 1
	Why  string
}

func (d *Damage) Error() string { return fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Why) }

// segment is one file of a journal.
type segment struct {
	n       int
	size    int64
	changed time.Time // last write
}

func segmentPath(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%08d.ndjson", n)) }

// segments lists the segments of dir, oldest first.
func segments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, entry := range entries {
		digits, ok := strings.CutSuffix(entry.Name(), ".ndjson")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 1 || filepath.Base(segmentPath(dir, n)) != entry.Name() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed since, by retention
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{n: n, size: info.Size(), changed: info.ModTime()})
	}
	slices.SortFunc(list, func(a, b segment) int { return a.n - b.n })
	return list, nil
}

// line is what a lineReader found.
type line struct {
	event call.Event
	raw   []byte // as it stands in the file, newline included; until the next one is read
	bad   string // why it cannot be read; empty: event is good
	size  int64  // bytes in the file, newline included
	whole bool   // ends with a newline
}

// why says what is wrong with a line that was torn.
func (l *line) why() string {
	if l.bad != "" {
		return l.bad
	}
	return "line has no end"
}

// lineReader reads a segment with bounded memory, whatever the segment holds.
type lineReader struct {
	r *bufio.Reader
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{bufio.NewReaderSize(r, MaxLine)}
}

// next returns the next line, io.EOF at the end, or the error of the file.
func (lr *lineReader) next() (line, error) {
	raw, err := lr.r.ReadSlice('\n')
	l := line{size: int64(len(raw))}
	if errors.Is(err, bufio.ErrBufferFull) {
		l.bad = fmt.Sprintf("line is longer than %d bytes", MaxLine)
		for errors.Is(err, bufio.ErrBufferFull) {
			raw, err = lr.r.ReadSlice('\n')
			l.size += int64(len(raw))
		}
	}
	switch {
	case err == nil:
		l.whole = true
	case !errors.Is(err, io.EOF):
		return line{}, err
	case l.size == 0:
		return line{}, io.EOF
	}
	if l.bad != "" {
		return l, nil
	}
	if e, err := DecodeEvent(bytes.TrimSuffix(raw, []byte{'\n'})); err != nil {
		l.bad = err.Error()
	} else {
		l.event, l.raw = e, raw
	}
	return l, nil
}
