package credentials

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookswitch/hookswitch/seal"
)

// Bounds of values.
const (
	maxValue  = 8 << 10 // bytes
	maxValues = 1000    // of an organization
)

var valueName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Value is what templates read as secrets.NAME.
type Value struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// Values returns those of an organization that have a value, by name: what
// flowengine.Endpoint.Render needs. A *store.UnavailableError says that the store did not answer.
func (k *Keeper) Values(ctx context.Context, org string, names []string) (map[string]string, error) {
	out := make(map[string]string, len(names))
	for _, of := range names {
		list, err := k.read(ctx, name{org, valuePrefix + of})
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out[of] = list[0].Reveal()
		}
	}
	return out, nil
}

// CheckName says why a text cannot be the NAME of secrets.NAME.
func CheckName(text string) error {
	if !valueName.MatchString(text) {
		return refuse("%.80q cannot be the name of a secret: a letter or _, then letters, digits and _, at most 64", text)
	}
	return nil
}

// SetValue gives secrets.NAME a value, in the place of the one that it has.
func (k *Keeper) SetValue(ctx context.Context, org, of string, value seal.Secret) error {
	if err := CheckName(of); err != nil {
		return err
	}
	switch text := value.Reveal(); {
	case text == "":
		return refuse("the value is empty")
	case len(text) > maxValue:
		return refuse("the value has %d bytes: at most %d", len(text), maxValue)
	case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
		return refuse("the value is not text: UTF-8 without NUL")
	}
	names, err := k.names(ctx, org)
	if err != nil {
		return err
	}
	if len(names) >= maxValues && !slices.Contains(names, of) {
		return refuse("organization %s has %d secrets: remove some", org, len(names))
	}
	_, err = k.add(ctx, name{org, valuePrefix + of}, value, 0, false)
	return err
}

// names lists the names of values, sorted.
func (k *Keeper) names(ctx context.Context, org string) (out []string, err error) {
	all, err := k.db.SecretNames(ctx, org)
	for _, of := range all {
		if value, ok := strings.CutPrefix(of, valuePrefix); ok {
			out = append(out, value)
		}
	}
	return out, err
}

// List lists what has a value, by name; the values themselves are not opened.
func (k *Keeper) List(ctx context.Context, org string) (out []Value, err error) {
	names, err := k.names(ctx, org)
	if err != nil {
		return nil, err
	}
	for _, of := range names {
		list, err := k.db.Secrets(ctx, org, valuePrefix+of, k.Now())
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out = append(out, Value{of, list[0].Created})
		}
	}
	return out, nil
}

// RemoveValue takes the value of secrets.NAME away. store.ErrNotFound says that there is
// none.
func (k *Keeper) RemoveValue(ctx context.Context, org, of string) error {
	n := name{org, valuePrefix + of}
	defer k.forget(n)
	return k.db.RemoveSecrets(ctx, n.org, n.name)
}
