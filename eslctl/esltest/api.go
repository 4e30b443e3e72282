package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const noChannel = "-ERR No such channel!\n"

// api runs a command of the switch's API and returns what it prints. by is the
// socket whose thread runs it, nil for a background job.
func (s *Switch) api(by *listener, line string) string {
	name, arg, _ := strings.Cut(line, " ")
	switch name {
	case "status":
		return s.status()
	case "sofia":
		return "                     Name\t   Type\t                                      Data\tState\n" +
			"=================================================================================================\n" +
			"                127.0.0.1\t  alias\t                                  internal\tALIASED\n" +
			"                 internal\tprofile\t              sip:mod_sofia@127.0.0.1:5060\tRUNNING (1)\n" +
			"        internal::carrier\tgateway\t                   sip:none@127.0.0.1:5090\tNOREG\n" +
			"=================================================================================================\n" +
			"1 profile 1 alias\n"
	case "version":
		return "FreeSWITCH Version 1.11.1-release~64bit ( 64bit)\n"
	case "switchname":
		return s.Name
	case "create_uuid":
		return newUUID()
	case "global_getvar":
		if arg == "hostname" {
			return s.Name
		}
		return ""
	case "show":
		return s.show(strings.Fields(arg))
	case "uuid_exists":
		return strconv.FormatBool(s.find(arg) != nil)
	case "originate":
		return s.originateAPI(arg)
	case "sched_hangup":
		when, rest, _ := strings.Cut(arg, " ")
		uuid, cause, _ := strings.Cut(rest, " ")
		return s.on(uuid, func(c *channel) string {
			c.schedule(strings.TrimSpace(when + " " + cause))
			return "+OK\n"
		})
	}
	if of, ok := channelAPI[name]; ok {
		uuid, rest, _ := strings.Cut(arg, " ")
		if uuid == "" {
			return "-USAGE: " + of.usage + "\n"
		}
		return s.on(uuid, func(c *channel) string { return of.run(c, rest) })
	}
	return "-ERR " + name + " Command not found!\n"
}

// on runs f on a living channel, under its lock.
func (s *Switch) on(uuid string, f func(c *channel) string) string {
	s.mu.Lock()
	c := s.channels[uuid]
	s.mu.Unlock()
	if c == nil {
		return noChannel
	}
	c.lock()
	defer c.unlock()
	if c.cause != "" {
		return noChannel
	}
	return f(c)
}

type channelCommand struct {
	usage string
	run   func(c *channel, arg string) string
}

// channelAPI are the commands on a channel (mod_commands.c).
var channelAPI = map[string]channelCommand{
	"uuid_kill": {"<uuid> [cause]", func(c *channel, arg string) string {
		c.hangup(causeNamed(arg), true)
		return "+OK\n"
	}},
	"uuid_getvar": {"<uuid> <var>", func(c *channel, arg string) string {
		if arg == "" {
			return "-USAGE: <uuid> <var>\n"
		}
		if v := c.lookup(arg); v != "" {
			return v
		}
		return "_undef_"
	}},
	"uuid_setvar": {"<uuid> <var> [value]", func(c *channel, arg string) string {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, " "), " ")
		if name == "" {
			return "-USAGE: <uuid> <var> [value]\n"
		}
		c.vars.set(name, unquote(strings.TrimSpace(value)))
		return "+OK\n"
	}},
	"uuid_setvar_multi": {"<uuid> <var>=<value>;<var>=<value>...", setMulti},
	"uuid_break": {"<uuid> [all]", func(c *channel, arg string) string {
		if arg == "all" {
			c.queue = nil // thrown away without a word (file 22d)
		}
		c.brk = true
		c.poke()
		return "+OK\n"
	}},
	"uuid_transfer": {"<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]", func(c *channel, arg string) string {
		args := strings.Fields(arg)
		if len(args) == 0 || args[0][0] == '-' || c.outbound {
			return "-ERR\n" // the legs of a bridge are not simulated
		}
		c.goTo(args)
		return "+OK\n"
	}},
	"uuid_dump": {"<uuid> [format]", func(c *channel, arg string) string {
		b := c.sw.prelude(nil, "CHANNEL_DATA", clock())
		var out strings.Builder
		for _, line := range strings.Split(string(append(c.data(b), c.vars.lines()...)), "\n") {
			out.WriteString(decode(line) + "\n")
		}
		return out.String()
	}},
}

// setMulti sets all or nothing of what is valid; an empty value unsets
// (mod_commands.c, uuid_setvar_multi_function: at most 64).
func setMulti(c *channel, arg string) string {
	set, out := 0, ""
	pairs := cutOutside(arg, ';')
	for _, pair := range pairs[:min(len(pairs), 64)] {
		name, value, _ := strings.Cut(strings.Trim(pair, " "), "=")
		if name == "" {
			out += "-ERR No variable specified\n"
			continue
		}
		if strings.Contains(value, "${") {
			continue // refused without a word (switch_channel.c, var_check)
		}
		c.vars.set(name, value)
		set++
	}
	if set == 0 {
		return out + "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
	}
	return out + "+OK\n"
}

// transferTo is the transfer application.
func (c *channel) transferTo(data string) {
	if args := strings.Fields(data); len(args) > 0 {
		c.goTo(args)
	}
}

// goTo sends the call to another extension (switch_ivr.c,
// switch_ivr_session_transfer). The socket stays and hears of it.
func (c *channel) goTo(args []string) {
	c.number = args[0]
	if len(args) > 2 {
		c.context = args[2]
	}
	c.times.transfer = clock()
	source := fmt.Sprintf("%d:%s:bl_xfer:%s/%s/XML", c.times.transfer.Unix(), newUUID(), c.number, c.context)
	c.vars.push("transfer_history", source)
	c.vars.set("transfer_source", source)
	c.queue = nil
	c.transfer = c.sw.extension(args[0])
	c.poke()
}

// schedule hangs up later: "+SECONDS [CAUSE]" or "EPOCH [CAUSE]".
func (c *channel) schedule(arg string) {
	when, name, _ := strings.Cut(arg, " ")
	name, _, _ = strings.Cut(name, " ")
	cause := causeNamed("ALLOTTED_TIMEOUT")
	if name != "" {
		cause = causeNamed(name)
	}
	seconds, _ := strconv.Atoi(strings.TrimPrefix(when, "+"))
	var after time.Duration
	if strings.HasPrefix(when, "+") {
		if seconds == 0 {
			c.hangup(cause, true)
			return
		}
		after = c.sw.whole(seconds)
	} else {
		after = time.Until(time.Unix(int64(seconds), 0))
	}
	if c.hangAt != nil {
		c.hangAt.Stop()
	}
	c.hangAt = time.AfterFunc(after, func() {
		c.lock()
		defer c.unlock()
		c.hangup(cause, true)
	})
}

func (s *Switch) status() string {
	up := time.Since(s.started)
	return fmt.Sprintf("UP 0 years, %d days, %d hours, %d minutes, %d seconds, %d milliseconds, %d microseconds\n"+
		"FreeSWITCH (Version 1.11.1-release  64bit) is ready\n%d session(s) since startup\n"+
		"%d session(s) - peak %d, last 5min %d \n0 session(s) per Sec out of max 1000, peak 1, last 5min 1 \n"+
		"5000 session(s) max\nmin idle cpu 0.00/95.00\nCurrent Stack Size/Max 240K/240K\n",
		int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, int(up.Seconds())%60,
		up.Milliseconds()%1000, up.Microseconds()%1000, s.sessions.Load(), s.Channels(), s.Channels(), s.Channels())
}
