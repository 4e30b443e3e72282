package hostile

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestJudge: what a server sends passes, and nothing that was planted in it.
func TestJudge(t *testing.T) {
	t.Parallel()
	const uuid = "3c9a3f6e-0000-4000-8000-000000000001"
	run := func(app, arg string) string {
		return fmt.Sprintf("sendmsg\ncall-command: execute\nexecute-app-name: %s\nevent-uuid: hs-1-1\nevent-lock: true\ncontent-type: text/plain\ncontent-length: %d\n\n%s", app, len(arg), arg)
	}
	good := []string{
		"connect\n\n", "linger 10\n\n", "filter Unique-ID " + uuid + "\n\n", "event plain CHANNEL_ANSWER CHANNEL_HANGUP\n\n", "api status \n\n",
		"api uuid_setvar_multi " + uuid + " hookswitch_checkpoint=1.1.a.e30;socket_resume=true;hookswitch_digits=\n\n",
		"api uuid_setvar " + uuid + " group_confirm_file playback say:A call, from Zoë\n\n",
		"api uuid_setvar " + uuid + " ringback %(400,200,440)\n\n",
		"sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-uuid: hs-1-1\nevent-lock: true\n\n",
		run("playback", "say:Hello"), run("play_and_get_digits", "1 4 1 5000 none 'say:Press: one' '' hookswitch_digits '' 2000"),
		"api uuid_kill " + uuid + " NORMAL_CLEARING\n\n",
	}
	bad := []string{
		"api system touch x\n\n", "connect\nX: y\n\n", "linger 10\napi system touch x\n\n", "api status \r\n\r\n", "api status \x00\n\n", "bgapi system touch x\n\n",
		"api uuid_kill 3c9a3f6e-0000-4000-8000-000000000002 NORMAL_CLEARING\n\n", "event plain ALL\n\n", "auth x\n\n", "sendevent X\n\n",
		"api uuid_setvar_multi " + uuid + " socket_resume=true;api_hangup_hook=system touch x\n\n",
		"api uuid_setvar_multi " + uuid + " socket_resume='x;execute_on_media=y\n\n",
		"api uuid_setvar_multi " + uuid + " hookswitch_refused=${system(touch x)}\n\n",
		"api uuid_setvar " + uuid + " group_confirm_file playback say:a'b\n\n", "api uuid_setvar " + uuid + " group_confirm_file hangup now\n\n",
		run("playback", "say:${system(touch x)}"), run("playback", "{loops=9}say:a"), run("system", "touch x"), run("bridge", "sofia/gateway/premium/900"),
		run("play_and_get_digits", "1 4 1 5000 none 'say:a' b' '' hookswitch_digits '' 2000"),
		strings.Replace(run("playback", "say:a"), "event-lock: true\n", "event-lock: true\nexecute-app-name: system\n", 1),
		run("playback", "say:a") + "api system touch x\n\n",
	}
	read := func(stream string) (err error) {
		in := bufio.NewReader(strings.NewReader(stream))
		for {
			p, end := ReadPacket(in)
			if end != nil {
				return err
			}
			if _, refused := Channel(uuid).Judge(p); refused != nil && err == nil {
				err = refused
			}
		}
	}
	for i, s := range good {
		if err := read(s); err != nil {
			t.Errorf("refused what is ours: %v", err)
		}
		for _, b := range bad {
			if read(strings.Join(slices.Insert(slices.Clone(good), i, b), "")) == nil {
				t.Errorf("%q was not noticed before %q", b, s)
			}
		}
	}
}
