package eslctl

import (
	"encoding/json"
	"fmt"

	"github.com/hookswitch/hookswitch/call"
)

// CDR is what mod_json_cdr writes of a caller's leg when it has ended, as far
// as we need it.
type CDR struct {
	Call       call.Call
	Checkpoint string // "" for a call that no node ever controlled
	Ours       bool   // the call came through our dialplan
	End        End
}

// ParseCDR reads a file of mod_json_cdr (mod_json_cdr.c, my_on_reporting;
// values are URL-encoded unless encode-values is off).
func ParseCDR(data []byte) (CDR, error) {
	var file struct {
		Switch    string            `json:"switchname"`
		Variables map[string]string `json:"variables"`
		Callflow  []struct {
			Profile struct {
				Number string `json:"destination_number"`
				Name   string `json:"caller_id_name"`
				Caller string `json:"caller_id_number"`
			} `json:"caller_profile"`
			Extension struct {
				Applications []struct {
					Name string `json:"app_name"`
					Data string `json:"app_data"`
				} `json:"applications"`
			} `json:"extension"`
		} `json:"callflow"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return CDR{}, fmt.Errorf("not a file of mod_json_cdr: %w", err)
	}
	get := func(name string) string { return decode([]byte(file.Variables[name])) }
	id := get("uuid")
	if id == "" {
		return CDR{}, fmt.Errorf("not a file of mod_json_cdr: variables.uuid is missing")
	}
	c := CDR{
		Call: call.Call{
			ID: id, SIPCallID: get("sip_call_id"), Switch: file.Switch,
			Answered: get("answer_uepoch") != "" && get("answer_uepoch") != "0",
			Started:  microseconds(get("start_uepoch")),
		},
		Checkpoint: get(varCheckpoint),
		Ours:       get("hookswitch") == "true",
		End: End{
			Known: true, Complete: true, Cause: call.Cause(get("hangup_cause")), By: "switch",
			Billed: milliseconds(get("billmsec")), Duration: milliseconds(get("mduration")), At: microseconds(get("end_uepoch")),
		},
	}
	if ms := get("record_ms"); ms != "" {
		c.End.Message, c.End.Spoken = get(varMessage), milliseconds(ms)
	}
	c.End.joined(get)
	switch get("sip_hangup_disposition") {
	case "recv_bye", "recv_cancel", "recv_refuse":
		c.End.By = "caller"
	}
	for _, f := range file.Callflow {
		for _, a := range f.Extension.Applications {
			// Also one that was cancelled before it executed anything of the dialplan.
			c.Ours = c.Ours || a.Name == "set" && decode([]byte(a.Data)) == "hookswitch=true"
		}
	}
	if n := len(file.Callflow); n > 0 {
		p := file.Callflow[n-1].Profile // the first profile of the call is the last in the list
		c.Call.Number = decode([]byte(p.Number))
		c.Call.Caller = call.Caller{Number: decode([]byte(p.Caller)), Name: decode([]byte(p.Name))}
	}
	return c, nil
}
