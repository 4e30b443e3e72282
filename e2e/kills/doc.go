// Package kills holds no code but tests: they kill servers under live calls.
//
// The servers are processes of their own, the FreeSWITCH is a simulated one in
// the test, and the two speak TCP with each other. Whatever moment a server
// dies at, every call must end as its people wanted it to, be recorded with
// exactly one end, and dial nobody twice.
//
// Others post to whole servers and abuse them, and look for secrets in all that
// they say and keep.
package kills
