package nodes

import (
	"strings"

	"github.com/hookswitch/hookswitch/flowengine"
)

// repeatable checks what is heard again and again until something else comes.
func repeatable(c *flowengine.Check, at string, p *flowengine.Prompt) {
	if strings.HasPrefix(p.Source, "say:") {
		c.Problem(at, "write music:NAME, a sound file, or a tone such as tone:%(2000,4000,440,480)", "%s: speech cannot be repeated", at)
	}
}

// finite checks what is heard to its end before the call goes on. A local stream has
// none (mod_local_stream.c, local_stream_file_read).
func finite(c *flowengine.Check, at string, p *flowengine.Prompt) {
	if strings.HasPrefix(p.Source, "music:") {
		name, _, _ := strings.Cut(at, "/")
		c.Problem(at, "play music in a wait: {for: 30s, music: …}", "%s: music never ends", name)
	}
}
