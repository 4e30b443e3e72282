package storetest

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// expansion is what a migration may consist of.
var expansion = regexp.MustCompile(`(?is)^(CREATE (TABLE|INDEX|UNIQUE INDEX|SEQUENCE|STATISTICS)\b.*` +
	`|ALTER TABLE \w+ (SET \(.*\)|` + column + `(,\s*` + column + `)*)` +
	`|(UPDATE|INSERT INTO)\b.*)$`)

const column = `ADD COLUMN \w+ [\w ]+?( DEFAULT [^,]+)?`

// RunMigrations tests that the migrations of an engine only add to the tables, so that
// the release before can run beside them. One that takes something away has a line
// "-- contract: " before the statement, which says since which release nobody uses it.
func RunMigrations(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations (%v)", err)
	}
	for _, file := range files {
		for _, s := range narrowing(read(t, file)) {
			t.Errorf("%s: a server of the release before cannot run beside this:\n%s", file, s)
		}
	}
	for sql, bad := range map[string]int{
		"-- +goose Up\nDROP TABLE calls;\n-- +goose Down\nDROP TABLE x;":                                                      1,
		"-- +goose Up\n-- contract: v3\nDROP TABLE calls;\nDROP TABLE legs;":                                                  1,
		"-- +goose Up\nALTER TABLE calls RENAME COLUMN a TO b;":                                                               1,
		"-- +goose Up\nALTER TABLE calls ALTER COLUMN a TYPE text;":                                                           1,
		"-- +goose Up\nALTER TABLE calls ADD COLUMN a text NOT NULL;":                                                         1,
		"-- +goose Up\nALTER TABLE calls ADD COLUMN a text NOT NULL DEFAULT '';\nALTER TABLE calls ADD COLUMN b text; -- c\n": 0,
	} {
		if got := narrowing(sql); len(got) != bad {
			t.Errorf("%q: found %q", sql, got)
		}
	}
}

// narrowing returns the statements of a migration that do not only add.
func narrowing(sql string) (bad []string) {
	up, _, _ := strings.Cut(sql, "-- +goose Down")
	for statement := range strings.SplitSeq(comment.ReplaceAllString(up, "$1"), ";") {
		statement = strings.Join(strings.Fields(statement), " ")
		required := strings.HasPrefix(statement, "ALTER") && strings.Count(statement, "NOT NULL") > strings.Count(statement, "DEFAULT")
		if statement != "" && !strings.HasPrefix(statement, "-- contract: ") && (required || !expansion.MatchString(statement)) {
			bad = append(bad, statement)
		}
	}
	return bad
}

// comment matches what is one, but keeps "-- contract: ".
var comment = regexp.MustCompile(`(?m)(-- contract: .*$)|--.*$`)
