// Package storetest tests stores: one suite that every engine must pass, and a
// PostgreSQL of its own to run it on.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL cluster of its own, on a free port of the loopback, that
// tests may stop and start as they like.
type Postgres struct {
	bin    string // folder of its programs
	home   string
	port   int
	as     *syscall.SysProcAttr // PostgreSQL refuses to run as root
	server *exec.Cmd
	log    bytes.Buffer
}

// ErrNoPostgres says that PostgreSQL is not installed.
var ErrNoPostgres = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

var shared struct {
	once  sync.Once
	pg    *Postgres
	err   error
	count int
	mu    sync.Mutex
}

// Run runs the tests of a package, and stops the cluster that Database has started.
// Call it from TestMain.
func Run(m *testing.M) int {
	code := m.Run()
	if shared.pg != nil {
		if err := shared.pg.Remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// Database returns the URL of an empty database on the cluster that the tests of the
// package share. Without PostgreSQL the test is skipped.
func Database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.pg, shared.err = newPostgres() })
	if errors.Is(shared.err, ErrNoPostgres) {
		t.Skipf("%v: not tested on PostgreSQL", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.mu.Lock()
	shared.count++
	name := fmt.Sprintf("test%d", shared.count)
	shared.mu.Unlock()
	if err := shared.pg.create(name); err != nil {
		t.Fatal(err)
	}
	return shared.pg.URL(name)
}

// NewPostgres starts a cluster for one test, with one empty database, hookswitch.
// Without PostgreSQL the test is skipped.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	p, err := StartPostgres()
	if errors.Is(err, ErrNoPostgres) {
		t.Skipf("%v: not tested on PostgreSQL", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Remove(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// StartPostgres is NewPostgres for a program; ErrNoPostgres where none is installed.
func StartPostgres() (*Postgres, error) {
	p, err := newPostgres()
	if err != nil {
		return nil, err
	}
	if err := p.create("hookswitch"); err != nil {
		return nil, errors.Join(err, p.Remove())
	}
	return p, nil
}

// PID returns the process of the cluster, whose children are its connections and its
// other processes.
func (p *Postgres) PID() int { return p.server.Process.Pid }

// URL returns the address of a database on the cluster.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

// Address returns where the cluster listens.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

func newPostgres() (p *Postgres, err error) {
	p = new(Postgres)
	if p.bin, err = programs(); err != nil {
		return nil, err
	}
	if p.home, err = os.MkdirTemp("", "hookswitch-postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(p.home))
		}
	}()
	if err := p.unprivileged(); err != nil {
		return nil, err
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := p.run("initdb", "-D", p.data(), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"); err != nil {
		return nil, err
	}
	return p, p.Start()
}

func (p *Postgres) data() string { return filepath.Join(p.home, "data") }

// programs finds the folder of PostgreSQL's programs: on Debian they are not on PATH.
func programs() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) }) // the newest first
	for _, dir := range slices.Concat(dirs, filepath.SplitList(os.Getenv("PATH"))) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", ErrNoPostgres
}

func version(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// unprivileged lets the cluster run as the user postgres where we are root.
func (p *Postgres) unprivileged() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root, and there is no other user for it: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	p.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(p.home, int(uid), int(gid))
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.SysProcAttr = p.as
	cmd.Dir = p.home
	return cmd
}

// Start starts the cluster and returns when it answers.
func (p *Postgres) Start() error {
	p.log.Reset()
	p.server = p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=256MB")
	p.server.Stdout, p.server.Stderr = &p.log, &p.log
	if err := p.server.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not start: %w\n%s", err, &p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the cluster at once, as its operator would: open transactions are rolled
// back, and what was committed is on the disk.
func (p *Postgres) Stop() error { return p.end(syscall.SIGINT) }

// Crash ends it as a power cut would end its processes.
func (p *Postgres) Crash() error { return p.end(syscall.SIGQUIT) }

// Hang stops its processes, as they are, until Resume: who asks gets no answer.
func (p *Postgres) Hang() error { return p.signalAll(syscall.SIGSTOP) }

// Resume ends a Hang.
func (p *Postgres) Resume() error { return p.signalAll(syscall.SIGCONT) }

func (p *Postgres) end(s syscall.Signal) error {
	if p.server == nil {
		return nil
	}
	if err := p.server.Process.Signal(s); err != nil {
		return err
	}
	_ = p.server.Wait() // after SIGQUIT its state is an error
	p.server = nil
	return nil
}

// signalAll signals the server and its children, each of which has a group of its own.
func (p *Postgres) signalAll(s syscall.Signal) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.server.Process.Pid))
	if err != nil {
		return err
	}
	for _, child := range bytes.Fields(children) {
		pid, err := strconv.Atoi(string(child))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return p.server.Process.Signal(s)
}

// Dump writes a backup of a database to a file, as its operator would, and returns the
// file.
func (p *Postgres) Dump(database string) (file string, err error) {
	file = filepath.Join(p.home, database+".dump")
	return file, p.run("pg_dump", "--format=custom", "--file="+file, p.URL(database))
}

// Restore writes what Dump of this or another cluster has written into an empty database.
func (p *Postgres) Restore(database, file string) error {
	return p.run("pg_restore", "--no-owner", "--dbname="+p.URL(database), file)
}

// DumpSQL returns SQL that makes the tables of a database that Database has given, and
// SQL that makes its rows, for any version of PostgreSQL.
func DumpSQL(t testing.TB, url string) (schema, rows string) {
	t.Helper()
	for part, to := range map[string]*string{"--schema-only": &schema, "--data-only": &rows} {
		out, err := shared.pg.command("pg_dump", part, "--inserts", "--no-owner", "--no-privileges", url).Output()
		if err != nil {
			t.Fatalf("pg_dump: %v", err)
		}
		*to = onlyHere.ReplaceAllString(string(out), "")
	}
	return schema, rows
}

// onlyHere matches lines of a dump that say nothing of what is in it.
var onlyHere = regexp.MustCompile(`(?m)^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\.*)?\n`)

func (p *Postgres) run(name string, args ...string) error {
	if out, err := p.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Remove ends the cluster and removes its files.
func (p *Postgres) Remove() error {
	return errors.Join(p.end(syscall.SIGQUIT), os.RemoveAll(p.home))
}

func (p *Postgres) create(database string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Size returns the size of the database hookswitch in bytes, without the log that
// PostgreSQL writes ahead.
func (p *Postgres) Size() (n int64, err error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, p.URL("hookswitch"))
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	return n, c.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
}
