package hours

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for hosts without a time zone database
)

// Zone is a time zone by its IANA name.
type Zone struct{ loc *time.Location }

const zoneHint = "write an IANA name, such as America/New_York or Europe/London"

// The names are those that Go's own database has, so that a flow means the
// same on every host, and no name is a path.
//
//go:embed zones.txt
var zoneList string
var zoneNames = strings.Fields(zoneList)

// UnmarshalText reads the name of a zone, in its exact spelling.
func (z *Zone) UnmarshalText(text []byte) error {
	name := string(text)
	if !slices.Contains(zoneNames, name) {
		if near := nearestZone(name); near != "" {
			return fmt.Errorf("there is no time zone %.40q; did you mean %q?", name, near)
		}
		return fmt.Errorf("there is no time zone %.40q; %s", name, zoneHint)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return errors.New("the time zone database of this host cannot be read: " + err.Error())
	}
	z.loc = loc
	return nil
}

// Location returns the zone for the time package; nil for the zero Zone.
func (z Zone) Location() *time.Location { return z.loc }

// String returns the name of the zone.
func (z Zone) String() string { return z.loc.String() }

// nearestZone finds the zone that is meant by a name in which one or two
// letters, the spelling of spaces or the continent are wrong.
func nearestZone(wrong string) string {
	letters := strings.NewReplacer(" ", "", "_", "", "-", "")
	wrong = letters.Replace(strings.ToLower(wrong))
	if len(wrong) < 4 || len(wrong) > 40 {
		return "" // EST is not near to PST
	}
	best, fewest := "", 3
	for _, name := range zoneNames {
		plain := letters.Replace(strings.ToLower(name))
		city := plain[strings.LastIndexByte(plain, '/')+1:]
		if city == wrong[strings.LastIndexByte(wrong, '/')+1:] {
			return name
		}
		if d := differing(wrong, plain); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// differing counts the letters between what two names have in common at their
// beginning and at their end.
func differing(a, b string) int {
	shorter := min(len(a), len(b))
	head, tail := 0, 0
	for head < shorter && a[head] == b[head] {
		head++
	}
	for head+tail < shorter && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return max(len(a), len(b)) - head - tail
}
