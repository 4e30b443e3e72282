package calllog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/store"
)

// receipt is a receipt as it is kept: with what its input wanted.
type receipt struct {
	store.Receipt
	Wanted string `json:"wanted"`
}

// KeepReceipt returns what is kept of the receipt of an input with a key.
func KeepReceipt(in *Input, r store.Receipt) (string, error) {
	text, err := json.Marshal(receipt{r, in.wanted})
	return string(text), err
}

// RepeatReceipt returns the receipt that is kept of an earlier input with the key of in. It
// fails with store.ErrKeyUsed when that one wanted something else.
func RepeatReceipt(in *Input, kept []byte) (store.Receipt, error) {
	var r receipt
	if err := json.Unmarshal(kept, &r); err != nil {
		return store.Receipt{}, err
	}
	if r.Wanted != in.wanted {
		return store.Receipt{}, store.ErrKeyUsed
	}
	r.Repeated = true
	return r.Receipt, nil
}

// wantedOf names what an input is to do, and to which call, whenever it comes.
func wantedOf(in *store.Input) (string, error) {
	events := slices.Clone(in.Events)
	for i := range events {
		events[i].Time = time.Time{}
	}
	text, err := json.Marshal(struct {
		Call, Caller string
		Events       []call.Event
	}{in.Call, in.Caller, events})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}
