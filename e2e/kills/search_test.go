package kills

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// canary is a text that must be found nowhere. What is looked for are letters and digits
// alone, which hardly anything writes in another way.
type canary struct{ name, text string }

// spellings returns how a text may be written, by the name of the way.
func spellings(text string) map[string]string {
	all := map[string]string{"as it is": text, "hex": hex.EncodeToString([]byte(text))}
	all["HEX"] = strings.ToUpper(all["hex"])
	for before := range 3 {
		first, last := (before*8+5)/6, (before+len(text))*8/6
		all[fmt.Sprintf("base64 behind %d bytes", before)] = base64.RawStdEncoding.EncodeToString([]byte("xx"[:before] + text))[first:last]
	}
	var little, big, percent strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		little.Write([]byte{byte(unit), byte(unit >> 8)})
		big.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	for _, b := range []byte(text) {
		fmt.Fprintf(&percent, "%%%02x", b)
	}
	all["UTF-16LE"], all["UTF-16BE"], all["URL"] = little.String(), big.String(), percent.String()
	if groups := group.FindAllString(text, -1); strings.Join(groups, "") == text {
		for _, gap := range []string{" ", "-", "+", "%20", "."} {
			all["in groups, with "+gap] = strings.Join(groups, gap)
		}
	}
	return all
}

// group are digits as a card shows them.
var group = regexp.MustCompile(`[0-9]{4}`)

// place is where canaries are looked for.
type place struct {
	name    string
	content []byte
}

var packedHex = regexp.MustCompile(`(?:[0-9a-f]{2}){16,}`) // as PostgreSQL shows bytes

// unpacked returns a content and what is in it packed: bytes as hex, and gzip.
func unpacked(content []byte) [][]byte {
	all := [][]byte{content}
	for _, run := range packedHex.FindAll(content, -1) {
		if plain, err := hex.DecodeString(string(run)); err == nil {
			all = append(all, plain)
		}
	}
	for _, c := range slices.Clone(all) {
		for from := 0; ; {
			i := bytes.Index(c[from:], []byte("\x1f\x8b\x08"))
			if i < 0 {
				break
			}
			if z, err := gzip.NewReader(bytes.NewReader(c[from+i:])); err == nil {
				plain, _ := io.ReadAll(io.LimitReader(z, 16<<20)) // as far as it is gzip
				all = append(all, plain)
			}
			from += i + 3
		}
	}
	return all
}

// sightings says where canaries are found, and how they are written there.
func sightings(places []place, canaries ...canary) (found []string) {
	for _, p := range places {
		texts := unpacked(p.content)
		for _, c := range canaries {
			for way, written := range spellings(c.text) {
				for _, text := range texts {
					if at := bytes.Index(text, []byte(written)); at >= 0 {
						found = append(found, fmt.Sprintf("%s (%s) in %s: …%q…", c.name, way, p.name, text[max(0, at-80):min(len(text), at+len(written)+80)]))
						break
					}
				}
			}
		}
	}
	return found
}

// files returns the files of a folder, but for some.
func files(t *testing.T, dir string, not ...string) (all []place) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains(not, path) {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, place{"file " + strings.TrimPrefix(path, dir), content})
		return err
	}))
	return all
}

// tables returns every row of every table of a database, whose driver is sqlite or pgx.
func tables(t *testing.T, driver, address string) (all []place) {
	t.Helper()
	db, err := sql.Open(driver, address)
	must(t, err)
	defer db.Close()
	names := map[string]string{
		"sqlite": `SELECT '"' || name || '"' FROM sqlite_master WHERE type = 'table'`,
		"pgx":    `SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
	}
	for _, table := range rows(t, db, names[driver]) {
		content := strings.Join(rows(t, db, "SELECT * FROM "+table), "\n")
		all = append(all, place{"table " + table, []byte(content)})
	}
	return all
}

// rows returns the rows of a query, the values of each one after the other.
func rows(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	found, err := db.Query(query)
	must(t, err)
	defer found.Close()
	columns, err := found.Columns()
	must(t, err)
	for found.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(t, found.Scan(values...))
		var row []string
		for _, v := range values {
			switch v := (*v.(*any)).(type) {
			case []byte:
				row = append(row, string(v))
			default:
				row = append(row, fmt.Sprint(v))
			}
		}
		all = append(all, strings.Join(row, " "))
	}
	must(t, found.Err())
	return all
}

// The search finds a canary however it is written, and nothing where there is none.
func TestCanariesAreFound(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("some text, then 5555444433331111, and more"))
	must(t, err)
	must(t, z.Close())
	hidden := map[string]string{
		"gzip":          "x" + packed.String() + "y",
		"gzip in hex":   `\x` + hex.EncodeToString(packed.Bytes()),
		"hex of base64": hex.EncodeToString([]byte(base64.URLEncoding.EncodeToString([]byte("the card is 5555444433331111.")))),
		"JSON":          `{"a":"5555-4444-3333-1111"}`,
	}
	for way, written := range spellings("5555444433331111") {
		hidden[way] = "a" + written + "b"
	}
	for _, way := range slices.Sorted(maps.Keys(hidden)) {
		if found := sightings([]place{{"a log", []byte(hidden[way])}}, canary{"a card", "5555444433331111"}); len(found) == 0 {
			t.Errorf("%s: it is not found in %q", way, hidden[way])
		}
		if found := sightings([]place{{"a log", []byte(hidden[way])}}, canary{"another", "5555444433339999"}); len(found) > 0 {
			t.Errorf("%s: %s", way, found)
		}
	}
}
