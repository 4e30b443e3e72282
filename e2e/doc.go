// Package e2e places SIP calls to a real FreeSWITCH that runs the shipped
// configuration and a Hookswitch server which is killed at every moment.
//
// Everything in it is a test behind the build tag freeswitch:
//
//	go test -tags freeswitch ./e2e
//
// FreeSWITCH is found on PATH or by the environment variable FREESWITCH; where
// there is none the tests say what they left out and pass.
package e2e
