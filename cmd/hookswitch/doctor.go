package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hookswitch/hookswitch/call"
	"github.com/hookswitch/hookswitch/eslctl/doctor"
)

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Says what is wrong with a FreeSWITCH beside this server, and the line that mends it",
		Long: "Asks every FreeSWITCH of the settings, over its event socket, whether it fits this server, and says what is\n" +
			"wrong, why it matters, and the line to write into which file. It changes nothing. Run it on FreeSWITCH's\n" +
			"machine, as the user of the server, to have files and the kernel's time-outs looked at too.",
		Example: "  hookswitch doctor --freeswitch 127.0.0.1:8021 --freeswitch-password-file /etc/hookswitch/password",
		Args:    takes(0, 0, "no arguments"),
	}
	addSettingFlags(cmd.Flags())
	format := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		if err := s.complete(); err != nil {
			return err
		}
		if len(s.FreeSWITCH) == 0 {
			return &usageError{errors.New("no FreeSWITCH to examine; the setting freeswitch or --freeswitch names its event socket")}
		}
		return runDoctor(cmd.Context(), cmd.OutOrStdout(), s, *format)
	}
	return cmd
}

// runDoctor prints what is found; it fails when there is an error among it.
func runDoctor(ctx context.Context, out io.Writer, s *settings, format output) error {
	findings := []doctor.Finding{serverAnswers(ctx, s.HTTP)}
	for _, socket := range s.FreeSWITCH {
		findings = append(findings, doctor.Examine(ctx, s.toExamine(ctx, socket))...)
	}
	printFindings := writeFindings
	if format == outputJSON {
		printFindings = encodeFindings
	}
	if err := printFindings(out, findings); err != nil {
		return err
	}
	faults := 0
	for _, f := range findings {
		if f.Severity == doctor.Error {
			faults++
		}
	}
	if faults > 0 {
		return fmt.Errorf("doctor: errors: %d", faults)
	}
	return nil
}

// toExamine gathers what a switch has to fit.
func (s *settings) toExamine(ctx context.Context, socket eventSocket) doctor.Settings {
	d := doctor.Settings{Switch: socket.Address, Password: string(socket.Password), Listen: s.Listen, Takeover: s.ListenTakeover,
		Allow: s.Allow, MaxCalls: s.MaxCalls, Recordings: s.Recordings, Profile: s.Profile, Engine: s.TTS.Engine, CDR: s.CDR, LastResort: lastResort}
	snapshot, err := loadServers(ctx, s)
	if invalid := (*invalidConfig)(nil); errors.As(err, &invalid) {
		err = fmt.Errorf("%s is not valid, see hookswitch validate", invalid.dir)
	}
	if d.Unread = err; err != nil {
		return d
	}
	for _, n := range snapshot.Numbers() {
		d.Numbers = append(d.Numbers, n.Number)
	}
	d.Targets = make(map[string]call.Address)
	organizations := snapshot.Organizations()
	for _, o := range organizations {
		for _, t := range o.Targets() {
			name := t.Name
			if len(organizations) > 1 {
				name = o.Name + "/" + name
			}
			d.Targets[name] = t.Address
		}
	}
	return d
}

// serverAnswers asks the server itself.
func serverAnswers(ctx context.Context, address string) doctor.Finding {
	f := doctor.Finding{Check: "server", Severity: doctor.Warning}
	err := askReady(ctx, address)
	switch {
	case err == nil:
		f.Severity, f.Says = doctor.OK, "the server is ready"
	case errors.As(err, new(*notReadyError)):
		f.Says, f.Why = err.Error(), "it takes no new calls"
	default:
		f.Says, f.Why = err.Error(), "calls go to the next server of the dialplan, or to the last resort"
		f.Write, f.File = []string{"hookswitch serve"}, "a shell"
	}
	return f
}

func encodeFindings(w io.Writer, findings []doctor.Finding) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // most lines to write are XML
	for _, f := range findings {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// writeFindings prints a line for each, and below a fault why it matters and
// what to write where.
func writeFindings(w io.Writer, findings []doctor.Finding) error {
	p := painterFor(w)
	marks := map[doctor.Severity]string{doctor.OK: p.paint(green, "✓"), doctor.Skipped: p.paint(dim, "-"),
		doctor.Warning: p.paint(yellow, "!"), doctor.Error: p.paint(red, "✗")}
	var b strings.Builder
	at := ""
	for _, f := range findings {
		if f.Switch != at {
			at = f.Switch
			fmt.Fprintf(&b, "\n%s\n", p.paint(bold, plain(at)))
		}
		fmt.Fprintf(&b, "%s %s  %s\n", marks[f.Severity], pad(f.Check, 14), plain(f.Says))
		if f.Why != "" {
			fmt.Fprintf(&b, "    %s\n", p.paint(dim, plain(f.Why)))
		}
		for _, line := range f.Write {
			fmt.Fprintf(&b, "    write: %s\n", plain(line))
		}
		if f.File != "" {
			fmt.Fprintf(&b, "    in:    %s\n", plain(f.File))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
