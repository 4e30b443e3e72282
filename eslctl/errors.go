package eslctl

import (
	"errors"
	"fmt"
	"strings"
)

// FrameError says that what came over a connection is no frame of the event
// socket. The connection is closed: nothing after it can be trusted.
type FrameError struct {
	What string // the part that is wrong
	Why  string
}

func (e *FrameError) Error() string { return "event socket: " + e.What + " " + e.Why }

// ReplyError is FreeSWITCH's refusal of a command, in its own words.
type ReplyError struct {
	Command string // the command's first word
	Reply   string // "-ERR …"
}

func (e *ReplyError) Error() string { return fmt.Sprintf("%s: %s", e.Command, e.Reply) }

// NoSuchChannel says whether the refusal means that the call is gone.
func (e *ReplyError) NoSuchChannel() bool {
	return strings.Contains(e.Reply, "No such channel") || strings.Contains(e.Reply, "invalid session id")
}

// UnsafeError says that a command was not sent because a part of it could have
// changed the meaning of what follows.
type UnsafeError struct {
	What string
}

func (e *UnsafeError) Error() string { return "event socket: " + e.What }

// ErrTimeout ends a connection whose peer did not reply in time: later replies
// could not be told apart.
var ErrTimeout = errors.New("event socket: no reply in time")

// ErrClosed is the error of a connection that this side closed.
var ErrClosed = errors.New("event socket: connection closed")
