package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const cdrConf = "autoload_configs/json_cdr.conf.xml"

// records says whether mod_json_cdr writes what the server reads.
func records(ctx context.Context, x *exam) (found []Finding, err error) {
	if x.CDR == "" {
		return fine("no CDRs are read (setting cdr): the ends of calls come from the event socket alone"), nil
	}
	if loaded, err := x.loaded(ctx, "mod_json_cdr"); err != nil || !loaded {
		return nil, err // the check modules says so
	}
	conf, err := x.params(ctx, "json_cdr.conf")
	if err != nil {
		return nil, err
	}
	add := func(s Severity, says, why, line string) {
		found = append(found, Finding{Severity: s, Says: says, Why: why, Write: []string{line}, File: cdrConf})
	}
	const lost = "calls that end while nobody controls them may stay open in the journal"
	dir, err := x.cdrFolder(ctx, conf)
	if err != nil {
		return nil, err
	}
	local, err := x.local(ctx)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf(`<param name="log-dir" value="%s"/>`, x.CDR)
	switch same := sameFolder(dir, x.CDR, local); {
	case dir == "":
		add(Error, "mod_json_cdr has no log-dir and writes no files", lost, line)
	case !same && local:
		add(Error, fmt.Sprintf("mod_json_cdr writes to %s, the server reads %s (setting cdr)", dir, x.CDR), lost, line)
	case !same:
		add(Warning, fmt.Sprintf("mod_json_cdr writes to %s, the server reads %s (setting cdr); is that the same folder, from another machine?", dir, x.CDR), lost, line)
	case local:
		// The server renames what it has read into "done" (access(2): R_OK, W_OK, X_OK).
		if err := syscall.Access(x.CDR, 7); err != nil {
			found = append(found, Finding{Severity: Error, Says: fmt.Sprintf("who runs this may not write to %s: %v", x.CDR, err), Why: lost,
				Write: []string{"chgrp and chmod g+rwxs, so that the server's user may"}, File: x.CDR})
		}
	}
	if len(conf.all("url")) > 0 && !conf.is("log-http-and-disk", false) {
		add(Error, "mod_json_cdr posts to a url and writes files only when that fails", lost, `<param name="log-http-and-disk" value="true"/>`)
	}
	if conf.is("rotate", false) {
		add(Error, "mod_json_cdr writes to a new folder after every rotation", lost, `<param name="rotate" value="false"/>`)
	}
	if conf.is("prefix-a-leg", false) {
		add(Warning, "mod_json_cdr begins the names of its files with a_", "a server does not find the CDRs that another one has taken in", `<param name="prefix-a-leg" value="false"/>`)
	}
	if conf.is("log-b-leg", true) {
		add(Warning, "mod_json_cdr writes a file for every leg", "those of B legs are read, left where they are, and are yours to remove", `<param name="log-b-leg" value="false"/>`)
	}
	if found == nil {
		found = fine("mod_json_cdr writes to %s, and the server reads it", dir)
	}
	return found, nil
}

// cdrFolder returns where mod_json_cdr writes, "" for nowhere
// (mod_json_cdr.c, mod_json_cdr_load).
func (x *exam) cdrFolder(ctx context.Context, conf params) (string, error) {
	dir, given := "", false
	for _, p := range conf {
		if p.Name == "log-dir" {
			dir, given = p.Value, true
		}
	}
	if !given || filepath.IsAbs(dir) {
		return dir, nil
	}
	logs, err := x.ask(ctx, "global_getvar", "log_dir")
	if dir == "" {
		dir = "json_cdr"
	}
	return filepath.Join(logs, dir), err
}

func sameFolder(a, b string, local bool) bool {
	if a == "" || filepath.Clean(a) == filepath.Clean(b) {
		return a != ""
	}
	one, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return local && err == nil && err2 == nil && os.SameFile(one, other)
}

// recordings says whether the folder is there. FreeSWITCH makes it if it may
// (switch_ivr_async.c, switch_ivr_record_session_event).
func recordings(ctx context.Context, x *exam) ([]Finding, error) {
	text, err := x.ask(ctx, "file_exists", x.Recordings)
	if err != nil {
		return nil, err
	}
	if text == "true" {
		return fine("the folder of recordings is there (%s)", x.Recordings), nil
	}
	return []Finding{{Severity: Warning, Says: "FreeSWITCH has no folder " + x.Recordings + " (setting recordings)",
		Why:   "recordings fail, unless it may make the folder itself",
		Write: []string{"install -d -o freeswitch -g freeswitch " + x.Recordings}, File: "a shell on FreeSWITCH's machine"}}, nil
}
