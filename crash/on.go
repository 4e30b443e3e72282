//go:build crashpoints

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	point, count = setting(os.Getenv("HOOKSWITCH_CRASH_AT"))
	seen         atomic.Int64
)

func setting(s string) (string, int64) {
	point, nth, ok := strings.Cut(s, ":")
	if n, err := strconv.ParseInt(nth, 10, 64); ok && err == nil {
		return point, n
	}
	return point, 1
}

// At kills the process at the point that HOOKSWITCH_CRASH_AT names, as "point" or
// "point:N" for the Nth time it is reached.
func At(name string) {
	if name == point && seen.Add(1) == count {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}
