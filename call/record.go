package call

import "time"

// Message asks for a recording of what the caller says, and of nothing else.
type Message struct {
	Path        string        // on the switch
	Max         time.Duration // longest message, whole seconds
	Silence     time.Duration // of the caller after which it is over, whole seconds; 0: only Max and keys end it
	Terminators string        // keys that end it and are not heard in it
}

// MessageResult is what became of a Message.
type MessageResult struct {
	Length     time.Duration // of what was recorded
	Terminator string        // the key that ended it, if one did
}

// Recording is what is done about the recording of a call, which holds both
// sides.
type Recording string

// What can be done about the recording of a call. While it is paused the file
// goes on with silence.
const (
	StartRecording  Recording = "start"
	PauseRecording  Recording = "pause"
	ResumeRecording Recording = "resume"
	StopRecording   Recording = "stop"
)
