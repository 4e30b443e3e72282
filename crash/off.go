//go:build !crashpoints

// Package crash marks points at which a test build can be made to die, as by a power cut.
// In the program that is shipped they are nothing. The build with the tag crashpoints dies
// where the environment says: HOOKSWITCH_CRASH_AT=claim.after:3.
package crash

// At marks a point.
func At(string) {}
