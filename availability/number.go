package availability

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxNumber bounds the text of a number in bytes.
const maxNumber = 40

// number reads the number of an answer, and returns it as it is written too.
func number(body []byte, path string) (string, float64, error) {
	text := string(bytes.TrimSpace(body[:min(len(body), maxNumber)]))
	if path == "" && len(bytes.TrimSpace(body)) > maxNumber {
		return "", 0, errors.New("the answer is no number")
	}
	if path != "" {
		v, err := find(body, path)
		if err != nil {
			return "", 0, err
		}
		text = string(v)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || len(text) > maxNumber {
		return "", 0, errors.New("the answer is no number")
	}
	return text, n, nil
}

// find follows a path through a JSON text.
func find(body []byte, path string) (json.Number, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", errors.New("the answer is no JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return "", errors.New("the answer is no JSON")
	}
	for _, part := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(at) {
				return "", fmt.Errorf("the answer has no %s", path)
			}
			v = at[i]
		default:
			return "", fmt.Errorf("the answer has no %s", path)
		}
	}
	n, ok := v.(json.Number)
	if !ok {
		return "", fmt.Errorf("the answer has no number at %s", path)
	}
	return n, nil
}
