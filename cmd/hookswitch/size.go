package main

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// byteSize is a number of bytes, written with its unit: 512MiB, 2GiB.
type byteSize int64

// minJournalMax is one segment of the journal.
const minJournalMax byteSize = 64 << 20

var sizeUnits = []struct {
	name  string
	bytes byteSize
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (b byteSize) String() string {
	for _, u := range sizeUnits {
		if b != 0 && b%u.bytes == 0 {
			return strconv.FormatInt(int64(b/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

func (b byteSize) MarshalYAML() (any, error) { return b.String(), nil }

// parseSize reads a whole number with its unit: a bare one could be anything.
func parseSize(text string) (byteSize, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/int64(u.bytes) {
			return byteSize(n) * u.bytes, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size such as 512MiB or 2GiB", text)
}

// decodeSize reads a size of the settings.
func decodeSize(from, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[byteSize]() || from == to {
		return data, nil
	}
	return parseSize(fmt.Sprint(data))
}
