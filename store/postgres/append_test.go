package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookswitch/hookswitch/store/postgres"
	"github.com/hookswitch/hookswitch/store/storetest"
)

// A call that the database refuses does not hold up the others.
func TestCallThatCannotBeWrittenIsSetAside(t *testing.T) {
	s, db := beside(t, "")
	if _, err := db.Exec(t.Context(), `ALTER TABLE calls ADD CONSTRAINT good CHECK (id <> 'bad'); CREATE SEQUENCE writes;
		CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('writes'); RETURN NULL; END $$;
		CREATE TRIGGER count_write BEFORE INSERT ON calls EXECUTE FUNCTION count_write()`); err != nil {
		t.Fatal(err)
	}
	storetest.SetsAside(t, s, "bad", func() (lines []byte, err error) {
		err = db.QueryRow(t.Context(), "SELECT lines FROM rejected WHERE org = 'acme' AND id = 'bad' AND reason LIKE '%good%'").Scan(&lines)
		return lines, err
	})
	var writes int
	if err := db.QueryRow(t.Context(), "SELECT last_value FROM writes").Scan(&writes); err != nil || writes > 50 {
		t.Errorf("two calls among hundreds took %d writes to find (%v)", writes, err)
	}
}

// What two transactions did not see of each other comes together a second later.
func TestConcludeBindsWhatWasMissed(t *testing.T) {
	s, db := beside(t, "")
	storetest.BindsMissed(t, s, func() error {
		_, err := db.Exec(t.Context(), "UPDATE inputs SET call = ''")
		return err
	})
}

// A database in a language orders texts by that; the ids of calls are found all the same.
func TestCallsAreFoundInADatabaseOfAnyLanguage(t *testing.T) {
	url := storetest.Database(t)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), "CREATE DATABASE english TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"); err != nil {
		t.Skipf("%v: not tested with a language", err)
	}
	s, err := postgres.Open(t.Context(), url[:strings.LastIndex(url, "/")]+"/english?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.FoundByPart(t, s)
}
