package call

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Checkpoint is what a call carries on its own channel so that any node can
// take it over: who controls it, the how-manyeth controller that is, and, for
// the engine alone, where in which flow the call is.
//
// Its text is "1.EPOCH.NODE.PAYLOAD" in at most MaxCheckpoint bytes of letters,
// digits, - _ and dots, so that it passes through every quoting and encoding of
// the switch unchanged. The 1 is the version of this envelope; the payload
// carries one of its own.
type Checkpoint struct {
	Epoch   int    // raised by every connection that takes control, from 1
	Node    string // name of the Hookswitch node that controls the call
	Payload string // base64url, read by the engine only
}

// MaxCheckpoint bounds the text of a checkpoint in bytes. Every event of the
// call carries it.
const MaxCheckpoint = 4096

var (
	nodeSyntax    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	payloadSyntax = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)
)

// ValidNode says whether s can be the name of a node: 1 to 32 letters, digits,
// - or _.
func ValidNode(s string) bool { return nodeSyntax.MatchString(s) }

// String returns the text of the checkpoint.
func (c Checkpoint) String() string {
	return "1." + strconv.Itoa(c.Epoch) + "." + c.Node + "." + c.Payload
}

// ParseCheckpoint reads the text of a checkpoint. It fails on any text that
// String did not write or another version wrote: such a call must not be
// guessed at.
func ParseCheckpoint(s string) (Checkpoint, error) {
	part := strings.SplitN(s, ".", 4)
	if len(s) > MaxCheckpoint || len(part) != 4 {
		return Checkpoint{}, fmt.Errorf("checkpoint of %d bytes is not of the form 1.EPOCH.NODE.PAYLOAD", len(s))
	}
	if part[0] != "1" {
		return Checkpoint{}, fmt.Errorf("checkpoint has version %.20q, this program reads version 1", part[0])
	}
	epoch, err := strconv.Atoi(part[1])
	if err != nil || epoch < 1 || strconv.Itoa(epoch) != part[1] {
		return Checkpoint{}, fmt.Errorf("checkpoint has epoch %.20q, not a number from 1", part[1])
	}
	if !ValidNode(part[2]) || !payloadSyntax.MatchString(part[3]) {
		return Checkpoint{}, fmt.Errorf("checkpoint is damaged")
	}
	return Checkpoint{Epoch: epoch, Node: part[2], Payload: part[3]}, nil
}

// EpochOf returns the epoch of a checkpoint's text without reading the rest;
// 0 for a text that has none.
func EpochOf(s string) int {
	if rest, ok := strings.CutPrefix(s, "1."); ok {
		if digits, _, ok := strings.Cut(rest, "."); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				return n
			}
		}
	}
	return 0
}
