package flowengine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/hookswitch/hookswitch/call"
)

// tape is the recording of the whole call.
type tape struct {
	Number int  `json:"n,omitempty"` // of the recording that was started last, from 1
	Runs   bool `json:"r,omitempty"`
	Paused bool `json:"p,omitempty"`
}

// Recording returns where the switch records the next attempt.
func (s *Session) Recording() (string, error) { return s.file(strconv.Itoa(s.attempt())) }

// MessageFile returns where the switch records the message that the
// caller leaves in this node.
func (s *Session) MessageFile() (string, error) {
	return s.file(fmt.Sprintf("message-%d", s.steps))
}

// file names a recording of the call, on the switch.
func (s *Session) file(name string) (string, error) {
	if s.engine.Recordings == "" {
		return "", errors.New("nothing can be recorded: the server has no folder for recordings")
	}
	if !validID(s.call.ID) {
		return "", fmt.Errorf("call id %q cannot be a file name", s.call.ID)
	}
	return path.Join(s.engine.Recordings, s.call.ID+"-"+name+".wav"), nil
}

// Tape starts, pauses, resumes or stops the recording of the whole call. It
// returns its file and whether there was anything to do: what runs is not started
// again, also after a takeover.
func (s *Session) Tape(ctx context.Context, do call.Recording) (file string, done bool, err error) {
	next := s.tape
	switch {
	case do == call.StartRecording && !next.Runs:
		next = tape{Number: next.Number + 1, Runs: true}
	case do == call.PauseRecording && next.Runs && !next.Paused:
		next.Paused = true
	case do == call.ResumeRecording && next.Runs && next.Paused:
		next.Paused = false
	case do == call.StopRecording && next.Runs:
		next.Runs, next.Paused = false, false
	default:
		return "", false, nil
	}
	if file, err = s.file(fmt.Sprintf("call-%d", next.Number)); err != nil {
		return "", false, err
	}
	if err := s.Answer(ctx); err != nil {
		return "", false, err
	}
	if err := s.leg.Recording(ctx, do, file); err != nil {
		return "", false, err
	}
	s.tape = next
	s.Tell(call.Event{Type: call.Recordings, Attrs: map[string]string{"do": string(do), "path": file}})
	return file, true, nil
}

// Message answers the call if need be and records what the caller says.
func (s *Session) Message(ctx context.Context, m call.Message) (call.MessageResult, error) {
	if err := s.Answer(ctx); err != nil {
		return call.MessageResult{}, err
	}
	return s.leg.Message(ctx, m)
}

// validID says whether a call's id is made of what UUIDs are made of.
func validID(id string) bool {
	for _, c := range id {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return id != "" && len(id) <= 128
}
