package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/keys"
	"github.com/hookswitch/hookswitch/store"
)

// keyLife is how long the key of the form holds. It is printed, and each start makes a new
// one.
const keyLife = 24 * time.Hour

// form is an incoming webhook that takes data of callers, and a key for it.
type form struct {
	key     keys.Key
	address string
}

// newForm makes a key for the first incoming webhook that takes data of callers before
// they call; nil: there is none.
func (d *demo) newForm(ctx context.Context) (*form, error) {
	for _, o := range d.config.current().Organizations() {
		for _, in := range o.Incomings() {
			if !in.Takes(flowengine.CallData) {
				continue
			}
			key, now := keys.New(), time.Now().UTC()
			ends := now.Add(keyLife)
			err := d.db.AddKey(ctx, o.Name, store.Key{ID: key.ID(), Name: "the demonstration", Hash: key.Hash(),
				Scopes: []string{keys.Incoming + in.Name}, Created: now, By: "demo", Ends: &ends})
			return &form{key, "http://" + d.settings.API + "/" + string(flowengine.CallData)}, err
		}
	}
	return nil, nil
}

// data is what the form sends of a caller.
func data(caller string, fields map[string]string) []byte {
	all := maps.Clone(fields)
	all["caller_id"] = caller
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts by texts
	}
	return text
}

// curl is the command that sends it.
func (f *form) curl(caller string, fields map[string]string) string {
	return fmt.Sprintf("curl -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s' %s", f.key.Reveal(), data(caller, fields), f.address)
}

// formAnswer is what the form is told became of what it sent.
type formAnswer struct {
	Fields []struct{ Field, Outcome string }
}

// send sends it, and returns the answer.
func (f *form) send(ctx context.Context, caller string, fields map[string]string) (a formAnswer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.address, bytes.NewReader(data(caller, fields)))
	if err != nil {
		return a, err
	}
	r.Header.Set("Authorization", "Bearer "+f.key.Reveal())
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxArrival))
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("the form is answered %s: %s", answer.Status, plain(string(text)))
	}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// tell sends what the caller of a scene has told the form.
func (d *demo) tell(ctx context.Context, s scene) error {
	if d.form == nil || s.form == nil {
		return nil
	}
	answer, err := d.form.send(ctx, s.from, s.form)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nPOST %s  %s\n", d.form.address, data(s.from, s.form))
	for _, f := range answer.Fields {
		fmt.Fprintf(d.out, "  %s: %s\n", plain(f.Field), plain(f.Outcome))
	}
	return nil
}
