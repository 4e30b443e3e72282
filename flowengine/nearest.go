package flowengine

import (
	"fmt"
	"slices"
	"strings"
)

// DidYouMean suggests the valid name that is nearest to a wrong one, or lists
// the valid ones when there are few; empty when it knows no better.
func DidYouMean(wrong string, valid []string) string {
	best, distance := "", 1000
	near := func(v string) int { return max(1, min(len(v), len(wrong))/3+1) }
	for _, v := range valid {
		if apart := len(v) - len(wrong); max(apart, -apart) > near(v) {
			continue // at least so many letters differ
		}
		d := editDistance(strings.ToLower(wrong), strings.ToLower(v))
		if d == max(len(v), len(wrong)) {
			continue // they have no letter in common
		}
		if d < distance || d == distance && v < best {
			best, distance = v, d
		}
	}
	if best == "" || distance > near(best) {
		best = holding(wrong, valid)
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", quote(best))
	case len(valid) == 1:
		return "there is only " + valid[0]
	case len(valid) > 1 && len(valid) <= 20:
		list := slices.Clone(valid)
		slices.Sort(list)
		return "there are " + strings.Join(list, ", ")
	}
	return ""
}

// holding returns the only name of which the wrong one is a part; empty when there are
// none or several.
func holding(wrong string, valid []string) string {
	wrong = strings.ToLower(wrong)
	isPart := func(v string) bool { return strings.Contains(strings.ToLower(v), wrong) }
	i := slices.IndexFunc(valid, isPart)
	if len(wrong) < 3 || i < 0 || slices.ContainsFunc(valid[i+1:], isPart) {
		return ""
	}
	return valid[i]
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a; names longer than 64 bytes are not compared.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1000
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, prev, prev2 := &rows[i%3], &rows[(i-1)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
