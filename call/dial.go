package call

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Address is where a target is reached. Exactly one of Number, URI and User is
// set. Build one with the constructors: they let nothing through that could
// change the meaning of a dial string.
type Address struct {
	Number  string // digits with an optional +, * or #, through Gateway
	Gateway string // name of a FreeSWITCH gateway
	URI     string // SIP address without the scheme: user@host[:port]
	User    string // registered FreeSWITCH user: name@domain
}

var (
	numberSyntax  = regexp.MustCompile(`^\+?[0-9*#]{1,32}$`)
	gatewaySyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	uriSyntax     = regexp.MustCompile(`^[A-Za-z0-9+*#._-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}(:[0-9]{1,5})?$`)
	userSyntax    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)
)

// ValidNumber says whether s can be dialled: 1 to 32 digits, * or #, and a +
// at most in front.
func ValidNumber(s string) bool { return numberSyntax.MatchString(s) }

// NumberAddress is a phone number behind a gateway.
func NumberAddress(number, gateway string) (Address, error) {
	if !ValidNumber(number) {
		return Address{}, fmt.Errorf("number %q is not 1 to 32 digits, * or #, with an optional + in front", number)
	}
	if !gatewaySyntax.MatchString(gateway) {
		return Address{}, fmt.Errorf("gateway %q is not made of letters, digits, . _ -, at most 64", gateway)
	}
	return Address{Number: number, Gateway: gateway}, nil
}

// URIAddress is a SIP address, with or without "sip:".
func URIAddress(uri string) (Address, error) {
	if len(uri) > 4 && uri[:4] == "sip:" {
		uri = uri[4:]
	}
	if !uriSyntax.MatchString(uri) {
		return Address{}, fmt.Errorf("SIP address %q is not user@host or user@host:port", uri)
	}
	return Address{URI: uri}, nil
}

// UserAddress is a user that registers with the FreeSWITCH.
func UserAddress(user string) (Address, error) {
	if !userSyntax.MatchString(user) {
		return Address{}, fmt.Errorf("user %q is not name@domain", user)
	}
	return Address{User: user}, nil
}

// String returns the address as a person would write it.
func (a Address) String() string {
	switch {
	case a.Number != "":
		return a.Number + " via " + a.Gateway
	case a.URI != "":
		return "sip:" + a.URI
	}
	return a.User
}

// Bridge asks for one dial attempt: all its legs ring at once, the first that
// answers (and confirms) is connected to the caller.
type Bridge struct {
	Legs       []BridgeLeg
	Ring       time.Duration // how long it may ring, whole seconds
	Ringback   Prompt        // what the caller hears meanwhile, no speech; Silence leaves it to the switch
	EarlyMedia bool          // let the media of a single callee through before it answers
	Confirm    Confirm       // press a key to take the call
	Whisper    Prompt        // what the callee hears before it is connected
	Record     string        // path of the recording while bridged; empty: none
	MaxLength  time.Duration // connected time after which the callee is hung up; 0: no limit

	// Joined is called with the UUID of the leg that is connected, at that moment and
	// from any goroutine. It does not wait. It may be nil.
	Joined func(leg string)
}

// BridgeLeg is one destination of a Bridge.
type BridgeLeg struct {
	UUID     string // channel UUID the B leg will get; the same attempt always has the same one
	Target   string // name in the log
	Address  Address
	CallerID string        // number to show; a valid number, or empty for the switch's default
	Ring     time.Duration // shorter ring time of this leg; 0: that of the Bridge
}

// Confirm makes a callee press Key before it is connected.
type Confirm struct {
	Key     string        // one digit; empty: no confirmation
	Prompt  Prompt        // played to the callee until it presses
	Timeout time.Duration // how long it may take after the answer, whole seconds
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes of a dial attempt. Completed means that both were connected.
const (
	Completed Outcome = "completed"
	Busy      Outcome = "busy"
	Unheard   Outcome = "no_answer"
	Undone    Outcome = "failed"
)

// BridgeResult is how a Bridge ended.
type BridgeResult struct {
	Outcome   Outcome
	Cause     Cause         // of the attempt; after a completed one, of the callee's hangup
	Legs      []LegResult   // what became of each leg that did not win, as far as known
	Winner    string        // UUID of the connected leg
	Connected time.Duration // how long they were connected, as far as known
}

// LegResult is how one leg of an attempt ended.
type LegResult struct {
	UUID  string
	Cause Cause
	LegFacts
}

// LegFacts are what the switch tells of a B leg beyond its events, as far as it was
// heard.
type LegFacts struct {
	SIPCallID string        // Call-ID of the INVITE that was sent
	Billed    time.Duration // since it answered
	Ended     time.Time
}

// Attrs writes the facts as they stand in events: sip_call_id, billed (in milliseconds)
// and ended (RFC 3339); nil when there are none.
func (f LegFacts) Attrs() map[string]string {
	if f == (LegFacts{}) {
		return nil
	}
	attrs := make(map[string]string, 3)
	if f.SIPCallID != "" {
		attrs["sip_call_id"] = f.SIPCallID
	}
	if f.Billed > 0 {
		attrs["billed"] = strconv.FormatInt(f.Billed.Milliseconds(), 10)
	}
	if !f.Ended.IsZero() {
		attrs["ended"] = f.Ended.UTC().Format(time.RFC3339Nano)
	}
	return attrs
}

// OutcomeOf sorts the cause of a failed attempt under its outcome.
func OutcomeOf(c Cause) Outcome {
	switch c {
	case UserBusy, "BUSY_EVERYWHERE":
		return Busy
	case NoAnswer, "NO_USER_RESPONSE", AllottedTimeout, "PROGRESS_TIMEOUT", "NO_PICKUP", "SUBSCRIBER_ABSENT":
		return Unheard
	}
	return Undone
}

// LegUUID names the channel of a B leg: the same for the same leg of the same
// attempt of a call, whoever dials it, so that the switch itself refuses to
// have it twice. It is a version 8 UUID (RFC 9562, section 5.8).
func LegUUID(callID string, attempt, leg int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "hookswitch leg %s %d %d", callID, attempt, leg))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
