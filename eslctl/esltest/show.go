package esltest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// show is "show channels" and "show calls". Its rows come from a table that a
// channel leaves at CHANNEL_DESTROY (switch_core_sqldb.c, core_event_handler),
// so that a call whose socket lingers is still in it.
func (s *Switch) show(args []string) string {
	if len(args) == 0 || args[0] != "channels" && args[0] != "calls" {
		return "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]\n"
	}
	s.mu.Lock()
	all := append([]*channel(nil), s.order...)
	s.mu.Unlock()
	var rows [][][2]string
	for _, c := range all {
		if row := c.row(args[0] == "calls"); row != nil {
			rows = append(rows, row)
		}
	}
	switch {
	case len(args) > 1 && args[1] == "count":
		return "\n" + strconv.Itoa(len(rows)) + " total.\n"
	case len(args) > 2 && args[1] == "as" && args[2] == "json":
		return asJSON(rows)
	}
	var out strings.Builder
	for i, row := range rows {
		if i == 0 {
			for n, f := range row {
				out.WriteString(comma(n) + f[0])
			}
			out.WriteByte('\n')
		}
		for n, f := range row {
			out.WriteString(comma(n) + f[1])
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "\n%d total.\n", len(rows))
	return out.String()
}

func comma(n int) string {
	if n == 0 {
		return ""
	}
	return ","
}

// asJSON writes rows as file 30 has them: a space after an empty count, none
// otherwise, and a newline only then.
func asJSON(rows [][][2]string) string {
	if len(rows) == 0 {
		return "{\"row_count\": 0}\n"
	}
	var out strings.Builder
	fmt.Fprintf(&out, `{"row_count":%d,"rows":[`, len(rows))
	for i, row := range rows {
		out.WriteString(comma(i) + "{")
		for n, f := range row {
			value, _ := json.Marshal(f[1])
			out.WriteString(comma(n) + strconv.Quote(f[0]) + ":" + string(value))
		}
		out.WriteByte('}')
	}
	return out.String() + "]}"
}

func (c *channel) row(calls bool) [][2]string {
	c.lock()
	defer c.unlock()
	if c.dead {
		return nil
	}
	if calls {
		return c.callRow()
	}
	codec, rate, bits := "", "", ""
	if c.hasMedia() {
		codec, rate, bits = "PCMU", "8000", "64000"
	}
	row := c.rowHead()
	row = append(row, [][2]string{
		{"application", c.app}, {"application_data", c.appData}, {"dialplan", c.dialplan}, {"context", c.context},
		{"read_codec", codec}, {"read_rate", rate}, {"read_bit_rate", bits},
		{"write_codec", codec}, {"write_rate", rate}, {"write_bit_rate", bits},
		{"secure", ""}, {"hostname", c.sw.Name}, {"presence_id", ""}, {"presence_data", ""}, {"accountcode", ""},
		{"callstate", c.callst}, {"callee_name", c.callee[0]}, {"callee_num", c.callee[1]},
		{"callee_direction", c.calleeDirection()}, {"call_uuid", c.bridgedUUID()},
		{"sent_callee_name", c.callee[0]}, {"sent_callee_num", c.callee[1]},
		{"initial_cid_name", c.orgName}, {"initial_cid_num", c.orgNumber}, {"initial_ip_addr", c.addr},
		{"initial_dest", c.first[0]}, {"initial_dialplan", c.dialplan}, {"initial_context", c.first[1]},
	}...)
	return row
}

func (c *channel) rowHead() [][2]string {
	return [][2]string{
		{"uuid", c.uuid}, {"direction", c.direction()}, {"created", c.created.Format("2006-01-02 15:04:05")},
		{"created_epoch", strconv.FormatInt(c.created.Unix(), 10)}, {"name", c.name}, {"state", c.state},
		{"cid_name", c.cidName}, {"cid_num", c.cidNumber}, {"ip_addr", c.addr}, {"dest", c.number},
	}
}

func (c *channel) calleeDirection() string {
	if c.callee[1] == "" {
		return ""
	}
	return "SEND"
}

// bridgedUUID is the call's UUID, which the table knows once there is a bridge.
func (c *channel) bridgedUUID() string {
	if c.times.bridged.IsZero() {
		return ""
	}
	return c.callUUID
}

// callRow is a call: a channel with the one it is bridged to, if there is one.
func (c *channel) callRow() [][2]string {
	if c.outbound && c.callUUID != c.uuid || c.phantom || !c.hasMedia() {
		return nil // the B side of a row, or not answered yet
	}
	row := append(c.rowHead(), [][2]string{{"presence_id", ""}, {"presence_data", ""}, {"accountcode", ""},
		{"callstate", c.callst}, {"callee_name", c.callee[0]}, {"callee_num", c.callee[1]},
		{"callee_direction", c.calleeDirection()}, {"call_uuid", c.bridgedUUID()}, {"hostname", c.sw.Name},
		{"sent_callee_name", c.callee[0]}, {"sent_callee_num", c.callee[1]}}...)
	b := make([][2]string, 0, 20)
	peer := c.peer
	for _, name := range [...]string{"uuid", "direction", "created", "created_epoch", "name", "state", "cid_name",
		"cid_num", "ip_addr", "dest", "presence_id", "presence_data", "accountcode", "callstate", "callee_name",
		"callee_num", "callee_direction", "sent_callee_name", "sent_callee_num"} {
		b = append(b, [2]string{"b_" + name, ""})
	}
	since := ""
	if peer != nil {
		for i, f := range peer.rowHead() {
			b[i][1] = f[1]
		}
		b[13][1], b[14][1], b[15][1] = peer.callst, peer.callee[0], peer.callee[1]
		since = strconv.FormatInt(c.times.bridged.Unix(), 10)
	}
	return append(append(row, b...), [2]string{"call_created_epoch", since})
}

func decode(line string) string {
	if d, err := url.PathUnescape(line); err == nil {
		return d
	}
	return line
}
