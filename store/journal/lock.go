package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// LockedError says that another process holds the journal.
type LockedError struct {
	Dir string
	PID int // of the holder; 0 when it has not said yet
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("journal %s is in use by process %d", e.Dir, e.PID)
}

// lock takes the journal for this process until the file is closed. The kernel
// lets go of it when the process dies, so that no stale lock can remain.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		held := &LockedError{Dir: dir}
		text, _ := io.ReadAll(io.LimitReader(f, 32)) // without it the error only lacks the pid
		held.PID, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, held
		}
		return nil, fmt.Errorf("lock journal %s: %w", dir, err)
	}
	if err := writePID(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock journal %s: %w", dir, err)
	}
	return f, nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
