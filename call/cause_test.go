package call

import (
	"slices"
	"testing"
)

// Of two causes that are equally near to what was written, the same is suggested each time.
func TestCausesAreSorted(t *testing.T) {
	if all := Causes(); len(all) < 2 || !slices.IsSorted(all) {
		t.Errorf("got %v", all)
	}
}
