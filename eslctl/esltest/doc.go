// Package esltest is a FreeSWITCH to test against.
//
// Script speaks frames by a list of steps, for one connection and one moment
// of the protocol. Switch is a simulated FreeSWITCH 1.11.1 with callers,
// callees, a dialplan and both kinds of event socket, for whole calls. It does
// only what the real one was seen doing: the tests of this package run the
// commands of recorded transcripts against it and compare what comes back.
//
// Nothing here waits in real time by itself: every delay is a timer, so that a
// test under testing/synctest, with net.Pipe for Switch.Dial, takes none.
package esltest
