package eslctl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// dialString builds the argument of bridge. It is made of validated parts only:
// numbers, UUIDs, names, whole seconds. Free text (prompts, ringback) goes by
// channel variables, see prepare; nothing else keeps a } or a comma in a
// caller's name from adding a leg (switch_ivr_originate.c,
// switch_ivr_originate).
func (s Settings) dialString(b call.Bridge) (string, error) {
	if len(b.Legs) == 0 {
		return "", fmt.Errorf("nobody to dial")
	}
	var out strings.Builder
	confirm := confirmTime(b)
	// originate_timeout goes on while a callee confirms, leg_timeout is set anew
	// by group_confirm_timeout when it answers (switch_ivr_originate.c,
	// check_channel_status).
	fmt.Fprintf(&out, "{originate_timeout=%d,%s,tts_engine=%s,tts_voice=%s", seconds(b.Ring+confirm), earlyMedia(b), s.Engine, s.Voice)
	if confirm > 0 {
		fmt.Fprintf(&out, ",group_confirm_timeout=%d", seconds(confirm))
	}
	out.WriteByte('}')
	for i, leg := range b.Legs {
		if i > 0 {
			out.WriteByte(',')
		}
		to, err := s.destination(leg.Address)
		if err != nil {
			return "", err
		}
		out.WriteString("[origination_uuid=" + leg.UUID)
		if leg.CallerID != "" {
			if !call.ValidNumber(leg.CallerID) {
				return "", fmt.Errorf("caller id %q is not a number", leg.CallerID)
			}
			out.WriteString(",origination_caller_id_number=" + leg.CallerID + ",origination_caller_id_name=" + leg.CallerID)
		}
		switch {
		case leg.Ring > 0 && leg.Ring < b.Ring:
			out.WriteString(",leg_timeout=" + strconv.Itoa(seconds(leg.Ring)))
		case confirm > 0:
			out.WriteString(",leg_timeout=" + strconv.Itoa(seconds(b.Ring)))
		}
		out.WriteString("]" + to)
	}
	return out.String(), nil
}

// earlyMedia keeps a callee's media before its answer from ending the dial: it
// may be an announcement. The caller hears it where that is wanted and possible
// (one leg, no ringback of ours: switch_ivr_originate.c, setup_ringback), and
// ringing where it is not.
func earlyMedia(b call.Bridge) string {
	if b.EarlyMedia && len(b.Legs) == 1 && b.Ringback.Kind == call.Silence {
		return "bridge_early_media=true"
	}
	return "ignore_early_media=ring_ready"
}

// destination checks the address once more: it may have been built by hand.
func (s Settings) destination(a call.Address) (string, error) {
	switch {
	case a.Number != "":
		a, err := call.NumberAddress(a.Number, a.Gateway)
		return "sofia/gateway/" + a.Gateway + "/" + a.Number, err
	case a.URI != "":
		a, err := call.URIAddress(a.URI)
		return "sofia/" + s.Profile + "/sip:" + a.URI, err
	case a.User != "":
		a, err := call.UserAddress(a.User)
		return "user/" + a.User, err
	}
	return "", fmt.Errorf("a target without an address")
}

// maxWhisper bounds a whisper: the callee waits for it, and the caller too.
const maxWhisper = time.Minute

// confirmTime is how long a callee may take from its answer to being connected.
func confirmTime(b call.Bridge) (d time.Duration) {
	if b.Confirm.Key != "" {
		d += b.Confirm.Timeout
	}
	if b.Whisper.Kind != call.Silence {
		d += maxWhisper
	}
	return d
}

// file is how an application that plays files is told a prompt. Text is spoken
// by the engine and voice of the channel's variables tts_engine and tts_voice
// (switch_ivr_play_say.c, switch_ivr_play_file).
func file(p call.Prompt) string {
	switch p.Kind {
	case call.Say:
		return "say:" + call.Speakable(p.Text)
	case call.Tone:
		return "tone_stream://" + p.Text
	case call.Stream:
		return "local_stream://" + p.Text
	case call.Silence:
		return "silence_stream://1"
	}
	return p.Text
}

// part is how a file_string:// is told a prompt. It opens each part as a file, which
// say: is not (mod_dptools.c, next_file and tts_file_open).
func (s Settings) part(p call.Prompt) string {
	switch p.Kind {
	case call.Say:
		return "tts://" + s.Engine + "|" + s.Voice + "|" + call.Speakable(p.Text)
	case call.URL:
		return strings.ReplaceAll(p.Text, "!", "%21") // which ends a part
	}
	return file(p)
}

// gather is the argument of play_and_get_digits: min max tries timeout
// terminators prompt invalid variable pattern between (mod_dptools.c,
// play_and_get_digits_function). Words are split at spaces and may be quoted.
func gather(g call.Gather) string {
	terminators := g.Terminators
	if terminators == "" {
		terminators = "none"
	}
	return fmt.Sprintf("%d %d 1 %d %s '%s' '' %s '' %d", g.Min, g.Max, millis(g.Timeout), terminators,
		file(g.Prompt), varDigits, millis(g.Between))
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func millis(d time.Duration) int64 { return max(d.Milliseconds(), 1000) }
