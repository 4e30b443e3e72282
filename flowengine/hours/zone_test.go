package hours_test

import (
	"archive/zip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/hours"
)

// The list has every zone of Go's database and no other, and each can be
// loaded.
func TestZones(t *testing.T) {
	list, err := os.ReadFile("zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Fields(string(list))
	for _, name := range have {
		var z hours.Zone
		if err := z.UnmarshalText([]byte(name)); err != nil || z.String() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	database, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skipf("SKIPPED: the list of zones was not compared with the database that Go brings, which is not here: %v", err)
	}
	defer database.Close()
	var want []string
	for _, f := range database.File {
		if !strings.HasSuffix(f.Name, "/") && f.Name != "Factory" {
			want = append(want, f.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Error("zones.txt differs from Go's lib/time/zoneinfo.zip; write its names there, sorted, without Factory")
	}
}
