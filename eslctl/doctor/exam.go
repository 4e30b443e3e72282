package doctor

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/eslctl"
)

// exam is one examination: whom to ask, and what is known already.
type exam struct {
	Settings
	client  *eslctl.Client
	machine machine

	same      *bool // FreeSWITCH runs on this machine
	contexts  []dialContext
	handovers []*handover
	sought    bool // handovers is complete
}

// ask runs a command of FreeSWITCH's API that changes nothing.
func (x *exam) ask(ctx context.Context, command, args string) (string, error) {
	text, err := x.client.API(ctx, command, args)
	return strings.TrimSpace(text), err
}

// param is a setting in FreeSWITCH's configuration.
type param struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type params []param

// get returns the value of a parameter; the last one counts.
func (p params) get(name, byDefault string) string {
	value := byDefault
	for _, v := range p.all(name) {
		value = v
	}
	return value
}

// all returns the values of a parameter that are not empty.
func (p params) all(name string) (values []string) {
	for _, param := range p {
		if strings.EqualFold(param.Name, name) && param.Value != "" {
			values = append(values, param.Value)
		}
	}
	return values
}

// is says whether a parameter is true (switch_utils.h, switch_true).
func (p params) is(name string, byDefault bool) bool {
	value := strings.ToLower(p.get(name, fmt.Sprint(byDefault)))
	n, err := strconv.Atoi(value)
	return err == nil && n != 0 || slices.Contains([]string{"yes", "on", "true", "t", "enabled", "active", "allow"}, value)
}

// params reads the settings of a configuration file, as FreeSWITCH would read
// them now.
func (x *exam) params(ctx context.Context, file string) (params, error) {
	var conf struct {
		Params params `xml:"settings>param"`
	}
	err := x.locate(ctx, "configuration configuration name "+file, &conf)
	return conf.Params, err
}

// locate reads a part of FreeSWITCH's XML as it is after its variables were put
// in, also where it comes from a module (mod_commands.c, xml_locate_function).
func (x *exam) locate(ctx context.Context, what string, into any) error {
	text, err := x.ask(ctx, "xml_locate", what)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(text, "<") {
		return fmt.Errorf("xml_locate %s: %.80q", what, text)
	}
	return decode(text, into)
}

// decode reads XML as FreeSWITCH prints it: the bytes of its files, whatever the
// declaration says.
func decode(text string, into any) error {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return d.Decode(into)
}
