package flowengine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hookswitch/hookswitch/call"
)

// payloadVersion is the version of the form of payload. A program that reads
// another version refuses the call; it never guesses.
const payloadVersion = 1

// payload is what the engine puts into a call.Checkpoint: where the call is.
// Keys are short since every event of the call carries it.
type payload struct {
	V         int               `json:"v"`
	Flow      string            `json:"f"`
	Version   string            `json:"h"`
	Org       string            `json:"g,omitempty"`
	Campaign  string            `json:"m,omitempty"`
	Publisher string            `json:"p,omitempty"`
	Rules     map[string]string `json:"e,omitempty"` // of the campaign, as they were when the call began
	Step      string            `json:"n"`           // path of the node
	State     json.RawMessage   `json:"s,omitempty"` // of the node, private to it
	Committed bool              `json:"c,omitempty"` // the node's dial attempt belongs to the switch
	Spared    []int             `json:"u,omitempty"` // legs of the attempt that are not dialled, by their positions
	Vars      map[string]any    `json:"x,omitempty"`
	Tags      map[string]any    `json:"t,omitempty"`
	Inputs    inputs            `json:"i,omitempty"` // that the tags hold already
	Secrets   map[string]string `json:"q,omitempty"` // names of secrets, and paths of the nodes that ask for them; never a value
	Tape      tape              `json:"r,omitzero"`
	Away      int               `json:"w,omitempty"` // call.Call.Transfers once the dialplan has the call that it is given
	Steps     int               `json:"k"`
	Dials     int               `json:"d,omitempty"`
	Sought    bool              `json:"l,omitempty"` // somebody was to take the call
	Connected bool              `json:"o,omitempty"` // and did
}

// errTooLarge says that a checkpoint would be longer than the switch should carry.
var errTooLarge = errors.New("checkpoint too large")

// encode returns the text of the checkpoint.
func (p *payload) encode(epoch int, node string) (string, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	envelope := call.Checkpoint{Epoch: epoch, Node: node}.String()
	text := string(base64.RawURLEncoding.AppendEncode(slices.Grow([]byte(envelope), base64.RawURLEncoding.EncodedLen(len(data))), data))
	if len(text) > call.MaxCheckpoint {
		return "", fmt.Errorf("%w: %d bytes, at most %d", errTooLarge, len(text), call.MaxCheckpoint)
	}
	return text, nil
}

// decodePayload reads what encode wrote, strictly.
func decodePayload(text string) (*payload, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("the checkpoint is damaged")
	}
	var version struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, errors.New("the checkpoint is damaged")
	}
	if version.V != payloadVersion {
		return nil, fmt.Errorf("the checkpoint has version %d, this program reads version %d", version.V, payloadVersion)
	}
	var p payload
	if err := strictJSON(data, &p); err != nil {
		return nil, fmt.Errorf("the checkpoint cannot be read: %w", err)
	}
	if !slices.IsSorted(p.Inputs) || len(p.Inputs) > maxInputs || p.Steps < 1 || p.Dials < 0 || p.Committed && p.Dials == 0 {
		return nil, errors.New("the checkpoint contradicts itself")
	}
	for _, m := range []map[string]any{p.Vars, p.Tags} {
		for name, v := range m {
			if m[name], err = plain(v); err != nil { // JSON has no whole numbers
				return nil, fmt.Errorf("the checkpoint cannot be read: %s: %w", name, err)
			}
		}
	}
	return &p, nil
}

// strictJSON decodes data and refuses unknown fields and anything that follows.
func strictJSON(data []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows")
	}
	return nil
}

// OrganizationOf returns the organization of the call that carries a checkpoint; empty
// when its text does not tell.
func OrganizationOf(checkpoint string) string { return payloadOf(checkpoint).Org }

// Dialling says whether the call that carries a checkpoint was given to a dial attempt of
// which no controller has learned the result.
func Dialling(checkpoint string) bool { return payloadOf(checkpoint).Committed }

// payloadOf reads a checkpoint; what cannot be read is empty.
func payloadOf(checkpoint string) *payload {
	if c, err := call.ParseCheckpoint(checkpoint); err == nil {
		if p, err := decodePayload(c.Payload); err == nil {
			return p
		}
	}
	return new(payload)
}
