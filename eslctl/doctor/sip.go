package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxProfiles bounds how many SIP profiles are looked at.
const maxProfiles = 50

// sofiaStatus is what "sofia xmlstatus" tells.
type sofiaStatus struct {
	Profiles []struct {
		Name  string `xml:"name"`
		Type  string `xml:"type"`
		State string `xml:"state"`
	} `xml:"profile"`
}

// gatewayStatus is what "sofia xmlstatus gateway" tells of one.
type gatewayStatus struct {
	Name    string `xml:"name"`
	Context string `xml:"context"`
	State   string `xml:"state"`  // of its registration
	Status  string `xml:"status"` // UP or DOWN
}

func (x *exam) sofia(ctx context.Context, args string, into any) error {
	text, err := x.ask(ctx, "sofia", args)
	if err != nil {
		return err
	}
	if err := decode(text, into); err != nil {
		return fmt.Errorf("sofia %s: %w", args, err)
	}
	return nil
}

// profiles returns the names of the SIP profiles that run.
func (x *exam) profiles(ctx context.Context) (names []string, err error) {
	var status sofiaStatus
	if err := x.sofia(ctx, "xmlstatus", &status); err != nil {
		return nil, err
	}
	for _, p := range status.Profiles {
		if p.Type == "profile" && strings.HasPrefix(p.State, "RUNNING") {
			names = append(names, p.Name)
		}
	}
	return names[:min(len(names), maxProfiles)], nil
}

func (x *exam) gateways(ctx context.Context) ([]gatewayStatus, error) {
	var status struct {
		Gateways []gatewayStatus `xml:"gateway"`
	}
	err := x.sofia(ctx, "xmlstatus gateway", &status)
	return status.Gateways, err
}

// sipContext says into which context a profile or a gateway sends its calls.
type sipContext struct{ who, context string }

func (x *exam) sipContexts(ctx context.Context) (all []sipContext, err error) {
	names, err := x.profiles(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		var profile struct {
			Context string `xml:"profile-info>context"`
		}
		if err := x.sofia(ctx, "xmlstatus profile "+name, &profile); err != nil {
			return nil, err
		}
		all = append(all, sipContext{"profile " + name, profile.Context})
	}
	list, err := x.gateways(ctx)
	for _, g := range list {
		all = append(all, sipContext{"gateway " + g.Name, g.Context})
	}
	return all, err
}

// profileRuns says whether SIP addresses can be dialled.
func profileRuns(ctx context.Context, x *exam) ([]Finding, error) {
	names, err := x.profiles(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, x.Profile) {
		return fine("the SIP profile %s runs", x.Profile), nil
	}
	write := []string{fmt.Sprintf(`<profile name="%s">`, x.Profile)}
	if len(names) > 0 {
		write = append(write, fmt.Sprintf("or, in %s, profile: %s", settingsFile, names[0]))
	}
	return []Finding{{Severity: Error, Says: fmt.Sprintf("the SIP profile %s of the setting profile does not run; there are %s", x.Profile, strings.Join(names, ", ")),
		Why: "targets given as sip: cannot be dialled", Write: write, File: fmt.Sprintf("sip_profiles/%s.xml", x.Profile)}}, nil
}

// gateways says whether the gateways that targets name are there, and up.
func gateways(ctx context.Context, x *exam) (found []Finding, err error) {
	if x.Unread != nil {
		return nil, x.Unread
	}
	list, err := x.gateways(ctx)
	if err != nil {
		return nil, err
	}
	targets := map[string][]string{} // by gateway
	for _, name := range slices.Sorted(maps.Keys(x.Targets)) {
		if g := x.Targets[name].Gateway; g != "" {
			targets[g] = append(targets[g], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		of := strings.Join(targets[name], ", ")
		at := slices.IndexFunc(list, func(g gatewayStatus) bool { return g.Name == name })
		switch {
		case at < 0:
			found = append(found, Finding{Severity: Error, Says: fmt.Sprintf("there is no gateway %s", name), Why: "targets that are dialled through it: " + of,
				Write: []string{fmt.Sprintf(`<gateway name="%s">`, name)}, File: fmt.Sprintf("sip_profiles/%s/%s.xml", x.Profile, name)})
		case list[at].Status != "UP" || list[at].State != "NOREG" && list[at].State != "REGED":
			found = append(found, Finding{Severity: Warning, Says: fmt.Sprintf("the gateway %s is %s, registration %s", name, list[at].Status, list[at].State),
				Why: "calls through it fail until it is back; targets: " + of})
		default:
			found = append(found, fine("the gateway %s is up", name)...)
		}
	}
	return found, nil
}

// users says whether the users that targets name are in the directory.
func users(ctx context.Context, x *exam) (found []Finding, err error) {
	if x.Unread != nil {
		return nil, x.Unread
	}
	for _, target := range slices.Sorted(maps.Keys(x.Targets)) {
		name, domain, is := strings.Cut(x.Targets[target].User, "@")
		if !is {
			continue
		}
		text, err := x.ask(ctx, "user_exists", "id "+name+" "+domain)
		if err != nil {
			return nil, err
		}
		if text == "true" {
			found = append(found, fine("the user %s@%s is in the directory", name, domain)...)
			continue
		}
		found = append(found, Finding{Severity: Error, Says: fmt.Sprintf("the directory has no user %s@%s", name, domain),
			Why:   "the target " + target + " cannot be reached",
			Write: []string{fmt.Sprintf(`<user id="%s">`, name)}, File: fmt.Sprintf("directory/%s.xml, in <domain name=\"%s\">", domain, domain)})
	}
	return found, nil
}
