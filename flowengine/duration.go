package flowengine

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a setting for a time span, written with its unit: 15s, 1m30s.
type Duration time.Duration

// UnmarshalText reads the duration; it fails with a *SettingError.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	switch {
	case err != nil && onlyDigits(s):
		return &SettingError{Message: fmt.Sprintf("the duration %s has no unit", s), Hint: fmt.Sprintf("write %ss for seconds", s)}
	case err != nil:
		return &SettingError{Message: fmt.Sprintf("%s is no duration", quote(s)), Hint: "write it like 15s, 500ms or 1m30s"}
	case v < 0:
		return &SettingError{Message: fmt.Sprintf("the duration %s is negative", s)}
	case v > 24*time.Hour:
		return &SettingError{Message: fmt.Sprintf("the duration %s is longer than a day", s)}
	}
	*d = Duration(v)
	return nil
}

func onlyDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}
