package esltest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// writeCDR writes what mod_json_cdr does for a caller's leg: a file
// UUID.cdr.json, with URL-encoded variables unless encode-values is off
// (mod_json_cdr.c, my_on_reporting; switch_ivr.c, switch_ivr_generate_json_cdr).
func (c *channel) writeCDR() {
	if c.sw.CDRDir == "" || c.outbound {
		return
	}
	type object = map[string]any
	vars := object{}
	for _, v := range c.vars.list {
		vars[v.name] = v.value
		if !c.sw.CDRPlain {
			vars[v.name] = string(encode(nil, v.value))
		}
	}
	apps := make([]object, 0, len(c.log))
	for _, l := range c.log {
		apps = append(apps, object{"app_name": l.app, "app_data": l.data, "app_stamp": micro(l.at)})
	}
	plan := make([]object, 0, len(c.flow))
	for _, a := range c.flow {
		plan = append(plan, object{"app_name": a.App, "app_data": a.Data})
	}
	cdr := object{
		"core-uuid": c.sw.coreUUID, "switchname": c.sw.Name,
		"channel_data": object{"state": c.state, "direction": c.direction(), "state_number": "11"},
		"callStats":    object{}, "variables": vars, "app_log": object{"applications": apps},
		"callflow": []object{{
			"dialplan": c.dialplan, "profile_index": "1",
			"extension": object{"name": c.context, "number": c.number, "applications": plan},
			"caller_profile": object{
				"username": c.username, "dialplan": c.dialplan, "caller_id_name": c.cidName, "ani": c.orgNumber,
				"caller_id_number": c.cidNumber, "network_addr": c.addr, "destination_number": c.number,
				"uuid": c.uuid, "source": c.source, "context": c.context, "chan_name": c.name,
			},
			"times": object{
				"created_time": micro(c.created), "profile_created_time": micro(c.created),
				"progress_time": micro(c.times.progress), "progress_media_time": micro(c.times.media),
				"answered_time": micro(c.times.answered), "bridged_time": micro(c.times.bridged),
				"hangup_time": micro(c.times.hangup), "transfer_time": micro(c.times.transfer),
			},
		}},
	}
	data, err := json.Marshal(cdr)
	if err != nil {
		panic("esltest: " + err.Error())
	}
	// The real one writes in place, and a newline last (e2e, "the CDR of a call").
	name := filepath.Join(c.sw.CDRDir, c.uuid+".cdr.json")
	if err := os.WriteFile(name, append(data, '\n'), 0o600); err != nil {
		c.sw.problem(err)
	}
}

func micro(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
