package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hookswitch/hookswitch/seal"
)

// line is a key as it stands in a file.
func line(digit byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{digit}, 32)) + "\n"
}

// ring is the keys of a file that holds a text.
func ring(t *testing.T, text string) *seal.Ring {
	t.Helper()
	r, err := seal.OpenFile(write(t, text, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatIsSealedOpensForItsOrganizationAndNameAlone(t *testing.T) {
	r := ring(t, line(1))
	for _, text := range []string{"whsec_abc", "", "\x00\xff", strings.Repeat("long", 10_000)} {
		sealed, id := r.Seal(seal.NewSecret(text), "acme", "value/CRM")
		if again, _ := r.Seal(seal.NewSecret(text), "acme", "value/CRM"); bytes.Equal(again, sealed) {
			t.Error("sealed twice it is the same")
		}
		if text != "" && bytes.Contains(sealed, []byte(text)) {
			t.Error("the sealed value holds the text")
		}
		if got, err := r.Open(sealed, id, "acme", "value/CRM"); err != nil || got.Reveal() != text {
			t.Errorf("%.20q: %v", text, err)
		}
		for _, of := range [][2]string{{"beta", "value/CRM"}, {"acme", "value/crm"}, {"acmev", "alue/CRM"}, {"", "acmevalue/CRM"}} {
			if _, err := r.Open(sealed, id, of[0], of[1]); err == nil || errors.As(err, new(*seal.MissingKeyError)) {
				t.Errorf("%q: %v", of, err)
			}
		}
		for i := range min(len(sealed), 40) {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			if _, err := r.Open(bad, id, "acme", "value/CRM"); err == nil {
				t.Errorf("opened with byte %d changed", i)
			}
			if _, err := r.Open(sealed[:i], id, "acme", "value/CRM"); err == nil {
				t.Errorf("opened with %d bytes", i)
			}
		}
	}
}

func TestTheFirstKeySealsAndAllOpen(t *testing.T) {
	old := ring(t, line(1))
	sealed, id := old.Seal(seal.NewSecret("a"), "acme", "x")
	both := ring(t, "# of March\n"+line(2)+"\n  "+line(1))
	if got, err := both.Open(sealed, id, "acme", "x"); err != nil || got.Reveal() != "a" {
		t.Errorf("with a second key: %v", err)
	}
	sealed, id = both.Seal(seal.NewSecret("b"), "acme", "x")
	if id != both.Sealing() || id == old.Sealing() {
		t.Errorf("sealed with %s", id)
	}
	if got, err := ring(t, line(2)).Open(sealed, id, "acme", "x"); err != nil || got.Reveal() != "b" {
		t.Errorf("with the new key alone: %v", err)
	}
	var missing *seal.MissingKeyError
	if _, err := old.Open(sealed, id, "acme", "x"); !errors.As(err, &missing) || missing.KeyID != id ||
		!strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), missing.File) {
		t.Errorf("without it: %v", err)
	}
}

func TestAFileIsMadeWhereThereIsNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(dir, "secret.key")
	var wait sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wait.Go(func() {
			r, err := seal.OpenFile(file)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = r.Sealing()
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("keys %q", ids)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left are %v %v", entries, err)
	}
}

func TestABadFileIsRefused(t *testing.T) {
	hidden := "c2VjcmV0IHRoYXQgbm9ib2R5IG1heSBzZWU="
	for text, want := range map[string]string{
		"":                                 "holds no key",
		"# nothing\n\n":                    "holds no key",
		line(1) + hidden + "\n":            "secret.key:2: not a key: 32 bytes as base64",
		hidden + "%":                       "secret.key:1: not a key",
		line(1)[:20]:                       "secret.key:1: not a key",
		strings.Repeat(line(1), 2000):      "is longer than 65536 bytes",
		strings.Repeat("#", 70_000) + "\n": "is longer than 65536 bytes",
	} {
		_, err := seal.OpenFile(write(t, text, 0o600))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%.30q: %v, want %s", text, err, want)
		}
	}
	for _, mode := range []os.FileMode{0o644, 0o604, 0o660, 0o620, 0o602, 0o601, 0o700} {
		file := write(t, line(1), mode)
		if _, err := seal.OpenFile(file); err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if _, err := seal.ReadFile(write(t, line(1), 0o640)); err != nil {
		t.Errorf("a file of a group: %v", err)
	}
	if _, err := seal.OpenFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	s := seal.NewSecret("canary")
	var printed bytes.Buffer
	if err := json.NewEncoder(&printed).Encode(map[string]any{"s": s, "list": []*seal.Secret{&s}}); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&printed, verb+verb+verb, s, &s, struct{ S seal.Secret }{s})
	}
	for _, text := range []string{"canary", fmt.Sprintf("%x", "canary")} {
		if strings.Contains(printed.String(), text) {
			t.Error(printed.String())
		}
	}
	if s.Reveal() != "canary" {
		t.Error("the text is lost")
	}
}
