package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/store/storetest"
)

// asProgram lets the test binary be the program, for tests that need a second process.
const asProgram = "HOOKSWITCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(storetest.Run(m))
}

func TestThePasswordOfTheDatabaseIsNeverPrinted(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://hookswitch:hidden@db/calls":                                    "database: postgres://hookswitch:xxxxx@db/calls\n",
		"postgresql://db/calls?password=hidden&sslmode=disable&sslpassword=hidden": "database: postgresql://db/calls?password=xxxxx&sslmode=disable&sslpassword=xxxxx\n",
	} {
		out, _, err := command(t, "serve", "--print-config", "--config", settingsText(t, "database: '"+text+"'\n"))
		if err != nil || !strings.Contains(out, want) || strings.Contains(out, "hidden") {
			t.Errorf("printed %v:\n%s\nwant %s", err, out, want)
		}
	}
}

func TestWithoutADatabaseAFileIsUsed(t *testing.T) {
	s := &settings{Data: filepath.Join(t.TempDir(), "data")}
	db, err := openStore(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(s.Data, "hookswitch.db")); err != nil {
		t.Error(err)
	}
}

func TestADatabaseIsOpenedByItsURL(t *testing.T) {
	s := &settings{Data: t.TempDir(), Database: databaseURL(storetest.Database(t))}
	db, err := openStore(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Ping(t.Context()), db.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.databaseFile()); err == nil {
		t.Error("a file was made all the same")
	}
}

func TestADatabaseThatDoesNotAnswerIsNamedWithoutItsPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, says := range map[databaseURL]string{
		"postgres://hookswitch@127.0.0.1:1/calls":                        "127.0.0.1",
		"postgres://hookswitch:hidden@127.0.0.1:1/calls":                 "127.0.0.1",
		"postgres://hookswitch:hidden@127.0.0.1:1/calls?sslmode=perhaps": "sslmode is invalid",
	} {
		db, err := openStore(t.Context(), &settings{Database: url, DatabasePasswordFile: file})
		if err == nil {
			err = errors.Join(db.Ping(t.Context()), db.Close())
		}
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := openStore(t.Context(), &settings{Database: "postgres://hookswitch@127.0.0.1:1/calls", DatabasePasswordFile: file + "s"})
	if err == nil || !strings.Contains(err.Error(), "setting database_password_file: ") {
		t.Errorf("a password that is not there: %v", err)
	}
}

func TestBackupCopiesTheBuiltInDatabase(t *testing.T) {
	s := &settings{Data: t.TempDir()}
	db, err := openStore(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	to := filepath.Join(t.TempDir(), "backup.db")
	out, _, err := command(t, "backup", to, "--data", s.Data)
	if want := s.databaseFile() + " is copied to " + to + "\n"; err != nil || out != want {
		t.Errorf("said %q, %v", out, err)
	}
	if _, err := os.Stat(to); err != nil {
		t.Error(err)
	}
	if _, _, err := command(t, "backup", to, "--database", "postgres://hookswitch:hidden@db/calls"); err == nil || !strings.Contains(err.Error(), "pg_dump") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a PostgreSQL: %v", err)
	}
}
