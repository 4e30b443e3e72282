package call

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// PromptKind is how a Prompt makes its sound.
type PromptKind int

const (
	Silence PromptKind = iota // the zero Prompt: nothing is played
	Say                       // text to speech
	Tone                      // a tone in FreeSWITCH's tone language
	File                      // a sound file of the switch
	URL                       // a sound file fetched by the switch
	Stream                    // a local stream of the switch: music that goes on and on
)

// Prompt is something a caller or a callee hears. Build one with ParsePrompt;
// every Prompt is safe to be put into an argument of a FreeSWITCH application.
type Prompt struct {
	Kind PromptKind
	Text string // the text, the tone, the path or the address; without the prefix
}

var (
	toneSyntax  = regexp.MustCompile(`^[%();,.:=+A-Za-z0-9-]+$`)
	fileSyntax  = regexp.MustCompile(`^[A-Za-z0-9/._-][A-Za-z0-9/._ +@=-]*$`)
	musicSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/._-]{0,63}$`)
	urlSyntax   = regexp.MustCompile(`^https?://[A-Za-z0-9._~:/?#@!&*+;=%-]+$`)
)

// maxPrompt bounds a prompt in bytes: some minutes of speech.
const maxPrompt = 2000

// ParsePrompt reads the way prompts are written in a flow: "say:Text",
// "tone:%(500,0,440)", "music:NAME" (a local stream), "https://…" or the path
// of a sound file. Spoken text
// may hold anything; characters that FreeSWITCH would interpret are replaced
// (see Speakable).
func ParsePrompt(s string) (Prompt, error) {
	if len(s) > maxPrompt {
		return Prompt{}, fmt.Errorf("prompt of %d bytes: at most %d", len(s), maxPrompt)
	}
	switch scheme, rest, _ := strings.Cut(s, ":"); {
	case s == "":
		return Prompt{}, nil
	case scheme == "say":
		text := Speakable(rest)
		if text == "" {
			return Prompt{}, fmt.Errorf("prompt %q has no text to say", s)
		}
		return Prompt{Say, text}, nil
	case scheme == "tone":
		if !toneSyntax.MatchString(rest) {
			return Prompt{}, fmt.Errorf("prompt %q: a tone is written as tone:%%(ms on,ms off,hertz)", s)
		}
		return Prompt{Tone, rest}, nil
	case scheme == "music":
		if !musicSyntax.MatchString(rest) {
			return Prompt{}, fmt.Errorf("prompt %q: music is written as music:NAME, the name of a local stream", s)
		}
		return Prompt{Stream, rest}, nil
	case scheme == "http" || scheme == "https":
		if !urlSyntax.MatchString(s) {
			return Prompt{}, fmt.Errorf("prompt %q: an address must not hold spaces, quotes, brackets or $", s)
		}
		return Prompt{URL, s}, nil
	case fileSyntax.MatchString(s) && !strings.Contains(s, ".."):
		return Prompt{File, s}, nil
	}
	return Prompt{}, fmt.Errorf("prompt %q is neither say:text, tone:…, music:NAME, https://… nor a path of letters, digits, / . _ -", s)
}

// String returns the prompt as it is written in a flow.
func (p Prompt) String() string {
	switch p.Kind {
	case Say:
		return "say:" + p.Text
	case Tone:
		return "tone:" + p.Text
	case Stream:
		return "music:" + p.Text
	}
	return p.Text
}

var speakable = strings.NewReplacer(
	"{", "(", "}", ")", "[", "(", "]", ")",
	"\\", " ", `"`, " ", "|", " ", ";", ",", "`", "\u2019", "!", ".", "^", " ", "~", " ", "$", "", "'", "\u2019")

// Speakable replaces in s every character that means something to FreeSWITCH
// on any path a text takes there: variable expansion (switch_channel.c,
// switch_channel_expand_variables), argument and dial string splitting
// (switch_utils.c, switch_separate_string; switch_ivr_originate.c). Control
// characters go too: the console of the switch is a terminal.
func Speakable(s string) string {
	blank := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	return strings.Join(strings.FieldsFunc(speakable.Replace(s), blank), " ")
}
