package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v4"

	"github.com/hookswitch/hookswitch/availability"
	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/flowengine"
	"github.com/hookswitch/hookswitch/webhooks/delivery"
)

// settingsFile is read if there is one and --config names no other.
const settingsFile = "/etc/hookswitch/hookswitch.yaml"

// settings are those of the server. Numbers, targets and flows are not among
// them: they are in the database, or in the folder ConfigDir.
type settings struct {
	Listen               string         `mapstructure:"listen" yaml:"listen"`
	ListenTakeover       string         `mapstructure:"listen_takeover" yaml:"listen_takeover"`
	Allow                []netip.Prefix `mapstructure:"allow" yaml:"allow"`
	MaxCalls             int            `mapstructure:"max_calls" yaml:"max_calls"`
	Node                 string         `mapstructure:"node" yaml:"node"`
	ConfigDir            string         `mapstructure:"config_dir" yaml:"config_dir"`
	Watch                bool           `mapstructure:"watch" yaml:"watch"`
	Data                 string         `mapstructure:"data" yaml:"data"`
	JournalMax           byteSize       `mapstructure:"journal_max" yaml:"journal_max"`
	Database             databaseURL    `mapstructure:"database" yaml:"database"`
	KeepCalls            time.Duration  `mapstructure:"keep_calls" yaml:"keep_calls"`
	KeepWebhooks         time.Duration  `mapstructure:"keep_webhooks" yaml:"keep_webhooks"`
	DatabasePasswordFile string         `mapstructure:"database_password_file" yaml:"database_password_file"`
	SecretKeyFile        string         `mapstructure:"secret_key_file" yaml:"secret_key_file"`
	HTTP                 string         `mapstructure:"http" yaml:"http"`
	API                  string         `mapstructure:"api" yaml:"api"`
	APIProxies           []netip.Prefix `mapstructure:"api_proxies" yaml:"api_proxies"`
	HTTPAllow            []netip.Prefix `mapstructure:"http_allow" yaml:"http_allow"`
	AvailabilityAtOnce   int            `mapstructure:"availability_at_once" yaml:"availability_at_once"`
	WebhooksAtOnce       int            `mapstructure:"webhooks_at_once" yaml:"webhooks_at_once"`
	Drain                time.Duration  `mapstructure:"drain" yaml:"drain"`
	Recordings           string         `mapstructure:"recordings" yaml:"recordings"`
	Profile              string         `mapstructure:"profile" yaml:"profile"`
	TTS                  ttsSettings    `mapstructure:"tts" yaml:"tts"`
	FreeSWITCH           []eventSocket  `mapstructure:"freeswitch" yaml:"freeswitch"`
	Password             secret         `mapstructure:"freeswitch_password" yaml:"freeswitch_password"`
	PasswordFile         string         `mapstructure:"freeswitch_password_file" yaml:"freeswitch_password_file"`
	CDR                  string         `mapstructure:"cdr" yaml:"cdr"`
	Log                  logSettings    `mapstructure:"log" yaml:"log"`
}

type ttsSettings struct {
	Engine string `mapstructure:"engine" yaml:"engine"`
	Voice  string `mapstructure:"voice" yaml:"voice"`
}

type logSettings struct {
	Level  string `mapstructure:"level" yaml:"level"`
	Format string `mapstructure:"format" yaml:"format"`
}

// eventSocket is the inbound event socket of a FreeSWITCH (mod_event_socket).
type eventSocket struct {
	Address      string `mapstructure:"address" yaml:"address"`
	Password     secret `mapstructure:"password" yaml:"password"`
	PasswordFile string `mapstructure:"password_file" yaml:"password_file,omitempty"`
}

// secret is a text that is never printed.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

func (s secret) GoString() string             { return strconv.Quote(s.String()) }
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s secret) MarshalYAML() (any, error)    { return s.String(), nil }

// secretKeyFile is where the key is that seals secrets.
func (s *settings) secretKeyFile() string {
	return cmp.Or(s.SecretKeyFile, filepath.Join(s.Data, "secret.key"))
}

func (s *settings) journalDir() string { return filepath.Join(s.Data, "journal") }

// setting is one of them for the command line, the environment and the help.
type setting struct {
	key   string
	value any // default
	help  string
}

// settingTable holds every setting; it is what the file may hold, too.
func settingTable() []setting {
	return []setting{
		{"listen", "127.0.0.1:8084", "address at which FreeSWITCH hands over new calls (outbound event socket)"},
		{"listen_takeover", "127.0.0.1:8085", "address at which FreeSWITCH hands over calls that another server has begun"},
		{"allow", []string{"127.0.0.0/8", "::1/128"}, "networks that may connect to them: the protocol knows no password"},
		{"max_calls", 2000, "calls at once; beyond them new ones are refused, and FreeSWITCH tries its next server"},
		{"node", defaultNode(), "name of this server in the log and on its calls; 1 to 32 letters, digits, - or _"},
		{"config_dir", "", "folder with numbers, targets and flows as YAML; empty: what hookswitch apply has put into the database"},
		{"watch", false, "apply changes of that folder as they are made, if they are valid"},
		{"data", "/var/lib/hookswitch", "folder for what the server keeps: the journal, versions of flows"},
		{"journal_max", "2GiB", "how much of the journal may wait for the database; a tenth of it is a reserve for what CDRs need"},
		{"database", "", "PostgreSQL for the configuration and the call log, as a URL (postgres://USER@HOST/DATABASE); empty: an SQLite file in the folder data"},
		{"database_password_file", "", "file with the password for it, if the URL has none"},
		{"keep_calls", time.Duration(0), "how long the call log keeps a call after its end; 0s: for ever"},
		{"keep_webhooks", 30 * 24 * time.Hour, "how long requests to incoming webhooks are kept, and what outgoing ones were sent; 0s: for ever"},
		{"secret_key_file", "", "file with the key that seals secrets in the database, the same for all servers of one; empty: secret.key in the folder data, made where there is none"},
		{"http", "127.0.0.1:8090", "address of /healthz, /readyz and /metrics"},
		{"api", "", "address of the API and of the incoming webhooks, for a proxy that speaks TLS to the outside; empty: neither is served"},
		{"api_proxies", []string{"127.0.0.0/8", "::1/128"}, "networks of the proxies in front of it, whose X-Forwarded-For says who asks"},
		{"http_allow", []string{}, "networks that requests of flows and outgoing webhooks may reach besides the public internet"},
		{"availability_at_once", availability.DefaultAtOnce, "targets that may be asked at once whether they can take a call, over all calls"},
		{"webhooks_at_once", delivery.DefaultAtOnce, "requests to outgoing webhooks that may be under way at once; those to endpoints that are slow or fail are counted apart, and half as many"},
		{"drain", 2 * time.Hour, "how long live calls may go on after SIGTERM before they are handed over"},
		{"recordings", "/var/lib/freeswitch/recordings", "folder on the switch for recordings"},
		{"profile", "external", "Sofia profile of the switch through which targets given as sip: are dialled"},
		{"tts.engine", "flite", "text-to-speech engine of the switch"},
		{"tts.voice", "slt", "its voice"},
		{"freeswitch", []string{}, "address of a FreeSWITCH's inbound event socket; repeatable"},
		{"freeswitch_password", "", "password of those event sockets that have none of their own"},
		{"freeswitch_password_file", "", "file with that password"},
		{"cdr", "", "folder into which mod_json_cdr writes; empty: none"},
		{"log.level", "info", "trace, debug, info, warn or error"},
		{"log.format", "json", "json or console"},
	}
}

var flagName = strings.NewReplacer("_", "-", ".", "-")

// addSettingFlags gives a command a flag for each setting, or for those that are named,
// but not for the password, which everybody on the machine could read in the list of
// processes.
func addSettingFlags(flags *pflag.FlagSet, only ...string) {
	for _, s := range settingTable() {
		if len(only) > 0 && !slices.Contains(only, s.key) {
			continue
		}
		name := flagName.Replace(s.key)
		switch v := s.value.(type) {
		case string:
			if s.key != "freeswitch_password" {
				flags.String(name, v, s.help)
			}
		case []string:
			flags.StringSlice(name, v, s.help)
		case int:
			flags.Int(name, v, s.help)
		case bool:
			flags.Bool(name, v, s.help)
		case time.Duration:
			flags.Duration(name, v, s.help)
		}
	}
}

// loadSettings gathers the settings: a flag comes before the environment, that
// before the file, that before the default. Errors name the setting.
func loadSettings(cmd *cobra.Command) (*settings, error) {
	v := viper.New()
	v.SetEnvPrefix("HOOKSWITCH")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	for _, s := range settingTable() {
		v.SetDefault(s.key, s.value)
		if f := cmd.Flags().Lookup(flagName.Replace(s.key)); f != nil && f.Changed {
			if err := v.BindPFlag(s.key, f); err != nil {
				return nil, err
			}
		}
	}
	if err := readSettingsFile(cmd, v); err != nil {
		return nil, err
	}
	var s settings
	hooks := mapstructure.ComposeDecodeHookFunc(decodeList, decodeSocket, decodePrefix, decodeDuration, decodeSize)
	if err := v.UnmarshalExact(&s, viper.DecodeHook(hooks)); err != nil {
		return nil, fmt.Errorf("settings: %s", decodingError(err))
	}
	return &s, nil
}

// complete reads the passwords and checks every value: what serve needs and who
// only reads the journal does not.
func (s *settings) complete() error {
	if err := s.readPasswords(); err != nil {
		return err
	}
	return s.check()
}

// readSettingsFile reads the file and refuses what it does not know.
func readSettingsFile(cmd *cobra.Command, v *viper.Viper) error {
	path := settingsFile
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		path = f.Value.String()
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	v.SetConfigFile(path)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	var known []string
	for _, s := range settingTable() {
		known = append(known, s.key)
	}
	only := viper.New() // what is in the file, and nothing else
	only.SetConfigFile(path)
	only.SetConfigType("yaml")
	if err := only.ReadInConfig(); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	for _, key := range slices.Sorted(slices.Values(only.AllKeys())) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("settings: %s: unknown setting %q; %s", path, key, cmp.Or(flowengine.DidYouMean(key, known), "hookswitch serve --help lists all"))
		}
	}
	sockets, _ := only.Get("freeswitch").([]any)
	for i, socket := range sockets {
		m, _ := socket.(map[string]any)
		for key := range m {
			if fields := []string{"address", "password", "password_file"}; !slices.Contains(fields, key) {
				return fmt.Errorf("settings: %s: unknown setting %q in entry %d of freeswitch; %s", path, key, i+1, flowengine.DidYouMean(key, fields))
			}
		}
	}
	return nil
}

// decodeList splits what the environment gives as one text.
func decodeList(from, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok || to.Kind() != reflect.Slice {
		return data, nil
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), nil
}

// decodeDuration reads a duration with its unit: a bare number could be anything.
func decodeDuration(from, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() || from == to {
		return data, nil
	}
	d, err := time.ParseDuration(fmt.Sprint(data))
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration such as 90s, 30m or 2h", fmt.Sprint(data))
	}
	return d, nil
}

// decodeSocket lets the address alone stand for an event socket.
func decodeSocket(from, to reflect.Type, data any) (any, error) {
	if from.Kind() == reflect.String && to == reflect.TypeFor[eventSocket]() {
		return map[string]any{"address": data}, nil
	}
	return data, nil
}

// decodePrefix reads a network, or an address as the network of it alone.
func decodePrefix(from, to reflect.Type, data any) (any, error) {
	text, ok := data.(string)
	if !ok || to != reflect.TypeFor[netip.Prefix]() {
		return data, nil
	}
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
	}
	return p.Masked(), nil
}

// decodingError makes one line of what the decoder says in many.
func decodingError(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	if len(lines) > 1 {
		lines = lines[1:]
	}
	return strings.Join(lines, "; ")
}

// readPasswords gives every event socket its password.
func (s *settings) readPasswords() error {
	if s.Password == "" && s.PasswordFile != "" {
		p, err := readPassword(s.PasswordFile)
		if err != nil {
			return fmt.Errorf("setting freeswitch_password_file: %w", err)
		}
		s.Password = p
	}
	for i := range s.FreeSWITCH {
		f := &s.FreeSWITCH[i]
		switch {
		case f.Password != "":
		case f.PasswordFile != "":
			p, err := readPassword(f.PasswordFile)
			if err != nil {
				return fmt.Errorf("setting freeswitch[%d].password_file: %w", i, err)
			}
			f.Password = p
		default:
			f.Password = s.Password
		}
	}
	return nil
}

// readPassword reads a password from the first kilobyte of a file.
func readPassword(path string) (secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", err
	}
	p := secret(strings.TrimSpace(string(text)))
	if p == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return p, nil
}

// check finds values that no server could run with.
func (s *settings) check() error {
	bad := func(key string, value any, want string) error {
		return fmt.Errorf("setting %s: %q: %s", key, fmt.Sprint(value), want)
	}
	for _, a := range []struct{ key, value string }{{"listen", s.Listen}, {"listen_takeover", s.ListenTakeover}, {"http", s.HTTP}} {
		if !validAddress(a.value) {
			return bad(a.key, a.value, "an address with a port, such as 127.0.0.1:8084")
		}
	}
	if s.API != "" && !validAddress(s.API) {
		return bad("api", s.API, "an address with a port, such as 127.0.0.1:8091, or empty")
	}
	for i, f := range s.FreeSWITCH {
		if !validAddress(f.Address) {
			return bad(fmt.Sprintf("freeswitch[%d].address", i), f.Address, "an address with a port, such as 127.0.0.1:8021")
		}
		if f.Password == "" {
			return fmt.Errorf("setting freeswitch[%d]: no password for %s; set its password or password_file, freeswitch_password_file, or HOOKSWITCH_FREESWITCH_PASSWORD", i, f.Address)
		}
		if strings.ContainsAny(string(f.Password), "\r\n\x00") {
			return fmt.Errorf("setting freeswitch[%d].password: a password is one line", i)
		}
	}
	if s.Database != "" {
		if _, err := s.Database.parse(); err != nil {
			return err
		}
	}
	level, err := zerolog.ParseLevel(s.Log.Level)
	switch {
	case !call.ValidNode(s.Node):
		return bad("node", s.Node, "1 to 32 letters, digits, - or _")
	case len(s.Allow) == 0:
		return bad("allow", "", "at least one network, such as 127.0.0.0/8")
	case s.MaxCalls < 1:
		return bad("max_calls", s.MaxCalls, "at least 1")
	case s.AvailabilityAtOnce < 1 || s.AvailabilityAtOnce > 100_000:
		return bad("availability_at_once", s.AvailabilityAtOnce, "1 to 100000")
	case s.WebhooksAtOnce < 1 || s.WebhooksAtOnce > 10_000:
		return bad("webhooks_at_once", s.WebhooksAtOnce, "1 to 10000")
	case s.KeepCalls < 0:
		return bad("keep_calls", s.KeepCalls, "not negative")
	case s.KeepWebhooks < 0:
		return bad("keep_webhooks", s.KeepWebhooks, "not negative")
	case s.Drain < 0:
		return bad("drain", s.Drain, "not negative")
	case s.Data == "":
		return bad("data", s.Data, "a folder")
	case s.JournalMax < minJournalMax:
		return bad("journal_max", s.JournalMax, "at least "+minJournalMax.String())
	case err != nil || level < zerolog.TraceLevel || level > zerolog.ErrorLevel:
		return bad("log.level", s.Log.Level, "trace, debug, info, warn or error")
	case s.Log.Format != "json" && s.Log.Format != "console":
		return bad("log.format", s.Log.Format, "json or console")
	}
	return nil
}

func validAddress(a string) bool {
	_, ok := portOf(a)
	return ok
}

// portOf returns the port of an address.
func portOf(address string) (uint16, bool) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return uint16(n), err == nil
}

// print writes the settings in force as a settings file, without its secrets.
func (s *settings) print(w io.Writer) error {
	text, err := yaml.Dump(s, yaml.WithIndent(2))
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

var notNode = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// defaultNode makes a node's name of the host's.
func defaultNode() string {
	host, err := os.Hostname()
	if err != nil {
		return "node"
	}
	return nodeName(host)
}

func nodeName(host string) string {
	name := notNode.ReplaceAllString(host, "-")
	name = strings.Trim(name[:min(32, len(name))], "-")
	if !call.ValidNode(name) {
		return "node"
	}
	return name
}
