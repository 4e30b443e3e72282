package call

import "testing"

func TestAmount(t *testing.T) {
	for s, want := range map[string]string{
		"25": "25.00", "25.5": "25.50", "0.000001": "0.000001", "-0.10": "-0.10", "0": "0.00", "-0": "0.00", "1000000000": "1000000000.00", "0007.125": "7.125",
	} {
		a, err := ParseAmount(s)
		if err != nil || a.String() != want {
			t.Errorf("%s is read as %s, %v, not as %s", s, a, err, want)
		}
		if again, err := ParseAmount(a.String()); err != nil || again != a {
			t.Errorf("%s is read as %d, %v, not as %d", a, again, err, a)
		}
	}
	for _, s := range []string{"", "-", ".5", "5.", "1e3", "1,000", "+1", "0x1", "1.0000001", "1000000000.000001", "9999999999", " 1", "1\n", "NaN"} {
		if a, err := ParseAmount(s); err == nil {
			t.Errorf("%q is read as %s", s, a)
		}
	}
}
