package call

import "time"

// Gather asks for digits.
type Gather struct {
	Prompt      Prompt        // played once; a digit stops it
	Min, Max    int           // how many digits; 1 ≤ Min ≤ Max ≤ 32
	Timeout     time.Duration // wait for the first digit after the prompt, at least 1 s
	Between     time.Duration // wait for each further digit
	Terminators string        // keys that end the input and are not part of it
	Secret      bool          // no log and no record of the switch may hold the digits
}

// Digits is what a caller pressed.
type Digits struct {
	Value      string // without the terminator; may be shorter than Min
	Terminator string // the key that ended the input, if one did
}
