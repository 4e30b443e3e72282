//go:build !crashpoints

package eslctl

// crash marks a point at which a test build can be made to die.
func crash(string) {}
