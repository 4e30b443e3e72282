package esltest

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// incoming makes the caller's leg of a new call, with the variables of an
// INVITE (file 01).
func (s *Switch) incoming(who Caller) *channel {
	c := &channel{sw: s, group: &group{}, woken: make(chan struct{}, 1), uuid: who.UUID, created: clock()}
	if c.uuid == "" {
		c.uuid = newUUID()
	}
	c.call = &Call{UUID: c.uuid, c: c, done: make(chan struct{}), wake: make(chan struct{}, 1),
		res: Result{UUID: c.uuid, Started: c.created, By: "switch"}}
	c.id = s.sessions.Add(1)
	c.name = "sofia/internal/" + who.From + "@127.0.0.1:5070"
	c.identity(who)
	c.addr, c.number, c.context, c.source, c.dialplan = "127.0.0.1", who.To, "public", "mod_sofia", "XML"
	c.first = [2]string{c.number, c.context}
	c.callUUID = c.uuid
	c.state, c.callst, c.answer = "CS_EXECUTE", "RINGING", "ringing"
	c.actions = s.Dialplan
	c.flow = s.Dialplan

	id := strconv.FormatInt(c.id, 10)
	if who.CallID == "" {
		who.CallID = id + "-" + c.uuid + "@127.0.0.1"
	}
	stamp := strconv.FormatInt(c.created.UnixMicro(), 10)
	set := c.vars.set
	for _, v := range [][2]string{
		{"direction", "inbound"}, {"uuid", c.uuid}, {"session_id", id},
		{"sip_from_user", who.From}, {"sip_from_port", "5070"}, {"sip_from_uri", who.From + "@127.0.0.1:5070"},
		{"sip_from_host", "127.0.0.1"}, {"video_media_flow", "disabled"}, {"audio_media_flow", "disabled"},
		{"text_media_flow", "disabled"}, {"channel_name", c.name}, {"sip_call_id", who.CallID},
		{"sip_local_network_addr", "127.0.0.1"}, {"sip_network_ip", "127.0.0.1"}, {"sip_network_port", "5070"},
		{"sip_invite_stamp", stamp}, {"sip_received_ip", "127.0.0.1"}, {"sip_received_port", "5070"},
		{"sip_via_protocol", "udp"}, {"sip_from_user_stripped", strings.TrimPrefix(who.From, "+")},
		{"sip_from_tag", "c" + id + "x1"}, {"sofia_profile_name", "internal"},
		{"sofia_profile_url", "sip:mod_sofia@127.0.0.1:5060"}, {"recovery_profile_name", "internal"},
		{"sip_full_via", "SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-" + id + "-1-0"},
		{"sip_from_display", who.Name},
		{"sip_full_from", `"` + who.Name + `" <sip:` + who.From + "@127.0.0.1:5070>;tag=c" + id + "x1"},
		{"sip_full_to", "<sip:" + who.To + "@127.0.0.1:5060>"},
		{"sip_req_user", who.To}, {"sip_req_port", "5060"}, {"sip_req_uri", who.To + "@127.0.0.1:5060"},
		{"sip_req_host", "127.0.0.1"}, {"sip_to_user", who.To}, {"sip_to_port", "5060"},
		{"sip_to_uri", who.To + "@127.0.0.1:5060"}, {"sip_to_host", "127.0.0.1"},
		{"sip_contact_user", who.From}, {"sip_contact_port", "5070"},
		{"sip_contact_uri", who.From + "@127.0.0.1:5070"}, {"sip_contact_host", "127.0.0.1"},
		{"rtp_use_codec_string", "PCMU,PCMA,OPUS"}, {"sip_user_agent", "TestPhone/1.0"},
		{"sip_via_host", "127.0.0.1"}, {"sip_via_port", "5070"}, {"max_forwards", "70"},
	} {
		set(v[0], v[1])
	}
	for _, name := range sorted(who.Headers) {
		switch value := who.Headers[name]; name {
		case "P-Asserted-Identity":
			_, number := identityOf(value)
			set("sip_P-Asserted-Identity", number)
			set("sip_cid_type", "pid")
		case "Privacy":
			set("sip_Privacy", value)
		default:
			set("sip_h_"+name, value)
		}
	}
	set("switch_r_sdp", remoteSDP)
	set("ep_codec_string", "CORE_PCM_MODULE.PCMU@8000h@20i@64000b")
	set("endpoint_disposition", "DELAYED NEGOTIATION")
	set("call_uuid", c.uuid)
	return c
}

// identity sets who calls: the identity that the network asserts, where there
// is one, otherwise From (sofia.c, sofia_handle_sip_i_invite; file 01).
func (c *channel) identity(who Caller) {
	c.username, c.cidName, c.cidNumber = who.From, who.Name, who.From
	if c.cidName == "" {
		c.cidName = who.From
	}
	if pai, ok := who.Headers["P-Asserted-Identity"]; ok {
		name, number := identityOf(pai)
		c.username, c.cidNumber = number, number
		if name != "" {
			c.cidName = name
		}
	}
	c.hidden = who.Headers["Privacy"] == "id"
	c.orgName, c.orgNumber = c.cidName, c.cidNumber
}

// identityOf reads "Name" <sip:number@host>.
func identityOf(s string) (name, number string) {
	name, rest, _ := strings.Cut(s, "<")
	rest = strings.TrimPrefix(rest, "sip:")
	number, _, _ = strings.Cut(rest, "@")
	return strings.Trim(strings.TrimSpace(name), `"`), number
}

// session is the life of a caller's leg: what FreeSWITCH's session thread does.
func (c *channel) session() {
	c.lock()
	defer c.unlock()
	defer close(c.call.done)
	c.fire("CHANNEL_CREATE", nil, nil)
	c.fire("CHANNEL_STATE", nil, nil)
	for c.cause == "" {
		switch {
		case c.transfer != nil:
			c.actions, c.flow, c.transfer = c.transfer, c.transfer, nil
		case c.reset:
			// CS_RESET that no socket application turns back into CS_EXECUTE: the
			// call is silent until somebody ends it (seen on 1.11.1).
			c.await(-1, func() bool { return c.cause != "" || c.transfer != nil })
			if c.transfer != nil {
				c.reset = false
			}
		case len(c.actions) == 0:
			// switch_core_state_machine.c, switch_core_standard_on_execute
			c.hangup(call.NormalClearing, false)
		default:
			a := c.actions[0]
			c.actions = c.actions[1:]
			if c.sw.ctx.Err() != nil {
				c.hangup("SYSTEM_SHUTDOWN", false)
				continue
			}
			c.execute(a.App, a.Data)
		}
	}
	c.finish()
	c.call.res.Cause, c.call.res.Ended = c.cause, clock()
	if !c.call.res.Answered {
		c.call.res.Status = c.status()
	}
}

// summary sets what is known only at the end (switch_channel.c,
// switch_channel_set_timestamps): CHANNEL_HANGUP_COMPLETE is the first event
// that has it.
func (c *channel) summary() {
	set := c.vars.set
	if !c.outbound && c.vars.get("sip_hangup_disposition") == "" {
		if c.times.answered.IsZero() {
			set("sip_hangup_disposition", "send_refuse")
		} else {
			set("sip_hangup_disposition", "send_bye")
		}
	}
	set("hangup_cause", string(c.cause))
	set("hangup_cause_q850", strconv.Itoa(q850(c.cause)))
	set("digits_dialed", cmp.Or(c.dialled, "none"))
	t := c.times
	moments := []struct {
		name string
		at   time.Time
	}{
		{"start", c.created}, {"profile_start", c.created}, {"answer", t.answered}, {"bridge", t.bridged},
		{"progress", t.progress}, {"progress_media", t.media}, {"end", t.hangup},
	}
	for _, m := range moments {
		if !m.at.IsZero() {
			set(m.name+"_stamp", m.at.Format("2006-01-02 15:04:05"))
		}
	}
	for _, m := range moments {
		epoch, micro := "0", "0"
		if !m.at.IsZero() {
			epoch, micro = strconv.FormatInt(m.at.Unix(), 10), strconv.FormatInt(m.at.UnixMicro(), 10)
		}
		set(m.name+"_epoch", epoch)
		set(m.name+"_uepoch", micro)
	}
	if c.lastApp[0] != "" {
		set("last_app", c.lastApp[0])
		set("last_arg", c.lastApp[1])
	}
	set("caller_id", `"`+c.cidName+`" <`+c.cidNumber+`>`)
	spans := []struct {
		name     string
		from, to time.Time
	}{
		{"", c.created, t.hangup}, {"bill", t.answered, t.hangup}, {"progress", c.created, t.progress},
		{"answer", c.created, t.answered}, {"wait", c.created, t.bridged}, {"progress_media", c.created, t.media},
	}
	for _, unit := range [...]string{"sec", "msec", "usec"} {
		for _, s := range spans {
			name := s.name + unit
			if s.name == "" {
				name = map[string]string{"sec": "duration", "msec": "mduration", "usec": "uduration"}[unit]
			}
			set(name, between(s.from, s.to, unit))
		}
	}
	if c.hasMedia() {
		set("rtp_audio_in_raw_bytes", "0")
		set("rtp_audio_in_media_bytes", "0")
		set("rtp_audio_in_packet_count", "0")
		set("rtp_audio_in_quality_percentage", "100.00")
		set("rtp_audio_in_mos", "4.50")
		set("rtp_audio_out_raw_bytes", "0")
		set("rtp_audio_out_packet_count", "0")
	}
}

// between is a span as FreeSWITCH counts it: seconds are the difference of
// whole epoch seconds (file 09: 4 with billmsec 3260).
func between(from, to time.Time, unit string) string {
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return "0"
	}
	switch unit {
	case "sec":
		return strconv.FormatInt(to.Unix()-from.Unix(), 10)
	case "msec":
		return strconv.FormatInt(to.UnixMilli()-from.UnixMilli(), 10)
	}
	return strconv.FormatInt(to.UnixMicro()-from.UnixMicro(), 10)
}

// q850 is hangup_cause_q850: causes beyond Q.850 are told as 16.
func q850(c call.Cause) int {
	if n := c.Q850(); n < 128 {
		return n
	}
	return 16
}

// media sets the variables that come with media (file 02).
func (c *channel) media(disposition string) {
	for _, v := range [...][2]string{
		{"remote_video_media_flow", "inactive"}, {"remote_text_media_flow", "inactive"},
		{"remote_audio_media_flow", "sendrecv"}, {"audio_media_flow", "sendrecv"}, {"rtp_audio_recv_pt", "0"},
		{"rtp_use_codec_name", "PCMU"}, {"rtp_use_codec_rate", "8000"}, {"rtp_use_codec_ptime", "20"},
		{"rtp_use_codec_channels", "1"}, {"rtp_last_audio_codec_string", "PCMU@8000h@20i@1c"},
		{"read_codec", "PCMU"}, {"original_read_codec", "PCMU"}, {"read_rate", "8000"},
		{"original_read_rate", "8000"}, {"write_codec", "PCMU"}, {"write_rate", "8000"},
		{"dtmf_type", "rfc2833"}, {"local_media_ip", "127.0.0.1"}, {"local_media_port", "31614"},
		{"advertised_media_ip", "127.0.0.1"}, {"rtp_use_timer_name", "soft"}, {"rtp_use_pt", "0"},
		{"rtp_use_ssrc", "856323295"}, {"rtp_2833_send_payload", "101"}, {"rtp_2833_recv_payload", "101"},
		{"remote_media_ip", "127.0.0.1"}, {"remote_media_port", "42000"},
	} {
		c.vars.set(v[0], v[1])
	}
	if disposition != "" {
		c.vars.set("endpoint_disposition", disposition)
	}
}

const (
	remoteSDP = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=audio 42000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
	sdp = "v=0\r\no=FreeSWITCH 1795284585 1795284586 IN IP4 127.0.0.1\r\ns=FreeSWITCH\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=audio 31614 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n" +
		"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)

// status is the SIP status of a hangup before the answer: that of the callee who refused
// last, unless it is not to be (mod_sofia.c, sofia_on_hangup; seen on 1.11.1).
func (c *channel) status() int {
	theirs, found := strings.CutPrefix(c.vars.get("last_bridge_proto_specific_hangup_cause"), "sip:")
	if status, err := strconv.Atoi(theirs); found && err == nil && c.cause != call.OriginatorCancel && c.vars.get("sip_ignore_remote_cause") != "true" {
		return status
	}
	return statusOf(c.cause)
}

// statusOf is the SIP status that a hangup before the answer sends
// (mod_sofia.c, hangup_cause_to_sip; seen on 1.11.1 for every cause named here).
func statusOf(c call.Cause) int {
	switch c {
	case "OUTGOING_CALL_BARRED", "INCOMING_CALL_BARRED":
		return 403
	case "UNALLOCATED_NUMBER", "NO_ROUTE_DESTINATION":
		return 404
	case "NO_USER_RESPONSE":
		return 408
	case "NUMBER_CHANGED":
		return 410
	case "EXCHANGE_ROUTING_ERROR":
		return 483
	case "INVALID_NUMBER_FORMAT":
		return 484
	case "USER_BUSY":
		return 486
	case "ORIGINATOR_CANCEL":
		return 487
	case "INCOMPATIBLE_DESTINATION":
		return 488
	case "FACILITY_REJECTED":
		return 501
	case "DESTINATION_OUT_OF_ORDER":
		return 502
	case "NORMAL_TEMPORARY_FAILURE", "NETWORK_OUT_OF_ORDER", "NORMAL_CIRCUIT_CONGESTION", "SWITCH_CONGESTION",
		"BEARERCAPABILITY_NOTAVAIL", "GATEWAY_DOWN":
		return 503
	case "RECOVERY_ON_TIMER_EXPIRE":
		return 504
	case "BUSY_EVERYWHERE":
		return 600
	case "CALL_REJECTED", "DECLINE":
		return 603
	case "DOES_NOT_EXIST_ANYWHERE":
		return 604
	case "NOT_ACCEPTABLE":
		return 606
	case "UNWANTED":
		return 607
	}
	return 480
}

// causeOf is the cause that a callee's SIP status becomes
// (sofia_glue.c, sofia_glue_sip_cause_to_freeswitch; seen on 1.11.1).
func causeOf(status int) call.Cause {
	switch status {
	case 400, 481, 500, 503:
		return call.TemporaryFailure
	case 401, 402, 403, 407, 603, 608:
		return "CALL_REJECTED"
	case 404:
		return "UNALLOCATED_NUMBER"
	case 485, 604:
		return "NO_ROUTE_DESTINATION"
	case 405:
		return "SERVICE_UNAVAILABLE"
	case 406, 415, 501:
		return "SERVICE_NOT_IMPLEMENTED"
	case 408, 504:
		return "RECOVERY_ON_TIMER_EXPIRE"
	case 410:
		return "NUMBER_CHANGED"
	case 413, 414, 416, 420, 421, 423, 505, 513:
		return "INTERWORKING"
	case 480:
		return "NO_USER_RESPONSE"
	case 482, 483:
		return "EXCHANGE_ROUTING_ERROR"
	case 484:
		return "INVALID_NUMBER_FORMAT"
	case 486, 600:
		return "USER_BUSY"
	case 487:
		return "ORIGINATOR_CANCEL"
	case 488, 606:
		return "INCOMPATIBLE_DESTINATION"
	case 502:
		return "NETWORK_OUT_OF_ORDER"
	case 607:
		return "UNWANTED"
	}
	return "NORMAL_UNSPECIFIED"
}
