package doctor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	modulesConf = "autoload_configs/modules.conf.xml"
	switchConf  = "autoload_configs/switch.conf.xml"
)

// tested is the version that the tests of this project run with.
const tested = "1.11.1"

var versionNumber = regexp.MustCompile(`Version (\d+\.\d+\.\d+)`)

func version(ctx context.Context, x *exam) ([]Finding, error) {
	text, err := x.ask(ctx, "version", "")
	if err != nil {
		return nil, err
	}
	number := versionNumber.FindStringSubmatch(text)
	if number == nil {
		return nil, fmt.Errorf("version says %q", text)
	}
	up, err := x.ask(ctx, "uptime", "s")
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi(up)
	if err != nil {
		return nil, fmt.Errorf("uptime says %q", up)
	}
	says := fmt.Sprintf("FreeSWITCH %s, up for %v", number[1], time.Duration(seconds)*time.Second)
	if number[1] == tested {
		return fine("%s", says), nil
	}
	return []Finding{{Severity: Warning, Says: says + "; Hookswitch is tested with " + tested,
		Why: "what it relies on in FreeSWITCH was seen on that version only; docs/freeswitch.md lists it"}}, nil
}

// needed are the modules without which calls fail, and what for.
var needed = [][2]string{
	{"mod_sofia", "SIP"},
	{"mod_dptools", "the applications that flows are made of: answer, playback, bridge"},
	{"mod_dialplan_xml", "the dialplan that hands calls over"},
	{"mod_sndfile", "sound files and recordings"},
	{"mod_tone_stream", "tone: prompts and ringback"},
}

// optional are those that only some installations want.
var optional = [][2]string{
	{"mod_local_stream", "music on hold"},
	{"mod_httapi", "https:// prompts"},
}

func modules(ctx context.Context, x *exam) (found []Finding, err error) {
	list := needed
	if x.CDR != "" {
		list = append(list[:len(list):len(list)], [2]string{"mod_json_cdr", "the ends of calls that nobody watched (setting cdr)"})
	}
	for _, m := range list {
		loaded, err := x.loaded(ctx, m[0])
		if err != nil {
			return nil, err
		}
		if !loaded {
			found = append(found, Finding{Severity: Error, Says: m[0] + " is not loaded", Why: "it is needed for " + m[1],
				Write: []string{fmt.Sprintf(`<load module="%s"/>`, m[0])}, File: modulesConf})
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	var without []string
	for _, m := range optional {
		loaded, err := x.loaded(ctx, m[0])
		if err != nil {
			return nil, err
		}
		if !loaded {
			without = append(without, fmt.Sprintf("%s (%s)", m[0], m[1]))
		}
	}
	if without != nil {
		return fine("the modules that are needed are loaded; not loaded: %s", strings.Join(without, ", ")), nil
	}
	return fine("the modules that are needed are loaded"), nil
}

func (x *exam) loaded(ctx context.Context, module string) (bool, error) {
	text, err := x.ask(ctx, "module_exists", module)
	return text == "true", err
}

// speech says whether the engine of the settings is there: without it, say:
// prompts play nothing and are no error (switch_ivr_play_say.c,
// switch_ivr_play_file). Most modules are named after their engine; the table of
// interfaces has them all, but is written some time after a module was loaded.
func speech(ctx context.Context, x *exam) ([]Finding, error) {
	engine, _, _ := strings.Cut(x.Engine, ":")
	loaded, err := x.loaded(ctx, "mod_"+engine)
	if err == nil && !loaded {
		loaded, err = x.hasEngine(ctx, engine)
	}
	if err != nil {
		return nil, err
	}
	if loaded {
		return fine("the speech engine %s is there", engine), nil
	}
	return []Finding{{Severity: Error, Says: fmt.Sprintf("no module has the speech engine %s of the setting tts.engine", engine),
		Why:   "say: prompts are silent, without an error",
		Write: []string{fmt.Sprintf(`<load module="mod_%s"/>`, engine)}, File: modulesConf}}, nil
}

func (x *exam) hasEngine(ctx context.Context, engine string) (bool, error) {
	text, err := x.ask(ctx, "show", "interfaces")
	return strings.Contains("\n"+text, "\nspeech,"+engine+","), err
}

var (
	maxSessions = regexp.MustCompile(`(?m)^(\d+) session\(s\) max`)
	idleCPU     = regexp.MustCompile(`min idle cpu ([0-9.]+)/([0-9.]+)`)
)

// sessions finds the limits at which FreeSWITCH refuses calls.
func sessions(ctx context.Context, x *exam) (found []Finding, err error) {
	text, err := x.ask(ctx, "status", "")
	if err != nil {
		return nil, err
	}
	most, idle := maxSessions.FindStringSubmatch(text), idleCPU.FindStringSubmatch(text)
	if most == nil || idle == nil {
		return nil, fmt.Errorf("status says %q", text)
	}
	if strings.Contains(text, "is not ready") {
		found = append(found, Finding{Severity: Error, Says: "FreeSWITCH takes no calls",
			Why:   "it is starting, and not all modules are loaded, or paused, or about to end",
			Write: []string{"fsctl resume"}, File: "fs_cli, if somebody has paused it"})
	}
	limit, err := strconv.Atoi(most[1])
	if err != nil {
		return nil, err
	}
	if want := 2 * x.MaxCalls; limit < want {
		found = append(found, Finding{Severity: Warning, Says: fmt.Sprintf("FreeSWITCH has at most %d sessions, the server takes %d calls (setting max_calls)", limit, x.MaxCalls),
			Why:   "a connected call has two sessions or more: beyond the limit targets cannot be dialled",
			Write: []string{fmt.Sprintf(`<param name="max-sessions" value="%d"/>`, want)}, File: switchConf})
	}
	least, err := strconv.ParseFloat(idle[1], 64)
	if err != nil {
		return nil, err
	}
	if now, err := strconv.ParseFloat(idle[2], 64); err != nil {
		return nil, err
	} else if now < least {
		found = append(found, Finding{Severity: Error, Says: fmt.Sprintf("FreeSWITCH refuses calls: its processors are idle for %v %%, min-idle-cpu is %v %%", now, least),
			Why:   "calls go to the next FreeSWITCH of the trunk, if it has one",
			Write: []string{`<param name="min-idle-cpu" value="0"/>, or fewer calls on this machine`}, File: switchConf})
	}
	if found == nil {
		found = fine("up to %d sessions for %d calls", limit, x.MaxCalls)
	}
	return found, nil
}

// apiExpansion asks for what is in force. Without an argument the command only
// tells (mod_commands.c, ctl_function; switch_core.c, switch_core_session_ctl).
func apiExpansion(ctx context.Context, x *exam) ([]Finding, error) {
	text, err := x.ask(ctx, "fsctl", "api_expansion")
	switch {
	case err != nil:
		return nil, err
	case strings.HasSuffix(text, "is off"):
		return fine("API expansion is off"), nil
	case !strings.HasSuffix(text, "is on"):
		return nil, fmt.Errorf("fsctl api_expansion says %q", text)
	}
	return []Finding{{Severity: Warning, Says: "API expansion is on",
		Why:   "${api(arguments)} in a value that a caller wrote is executed where any dialplan puts it into an argument",
		Write: []string{`<param name="api-expansion" value="false"/>`}, File: switchConf}}, nil
}

// logLevel reads the files and not what is in force: a bare "fsctl loglevel"
// does not ask, it turns logging off (mod_commands.c, ctl_function, seen).
func logLevel(ctx context.Context, x *exam) ([]Finding, error) {
	conf, err := x.params(ctx, "switch.conf")
	if err != nil {
		return nil, err
	}
	level := conf.get("loglevel", "debug")
	if n, err := strconv.Atoi(level); (err != nil || n < 7) && !strings.HasPrefix(strings.ToLower(level), "debug") {
		return fine("FreeSWITCH logs at level %s", level), nil
	}
	var logfile struct {
		Maps params `xml:"profiles>profile>mappings>map"`
	}
	err = x.locate(ctx, "configuration configuration name logfile.conf", &logfile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the level is debug, and where the log goes is not known"), err)
	}
	for _, m := range logfile.Maps {
		if v := strings.ToLower(m.Value); strings.Contains(v, "debug") || strings.Contains(v, "all") {
			return []Finding{{Severity: Warning, Says: "FreeSWITCH logs at level debug",
				Why:   "the log then holds what flows do with callers, every variable and argument, and grows fast",
				Write: []string{`<param name="loglevel" value="info"/>`}, File: switchConf}}, nil
		}
	}
	return fine("FreeSWITCH logs at level debug, but to no file"), nil
}
