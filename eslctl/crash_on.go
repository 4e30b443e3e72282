//go:build crashpoints

package eslctl

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	crashPoint, crashCount = crashSetting(os.Getenv("HOOKSWITCH_CRASH_AT"))
	crashSeen              atomic.Int64
)

func crashSetting(s string) (string, int64) {
	point, nth, ok := strings.Cut(s, ":")
	if n, err := strconv.ParseInt(nth, 10, 64); ok && err == nil {
		return point, n
	}
	return point, 1
}

// crash kills the process at the point that HOOKSWITCH_CRASH_AT names, as
// "point" or "point:N" for the Nth time it is reached.
func crash(point string) {
	if point == crashPoint && crashSeen.Add(1) == crashCount {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}
