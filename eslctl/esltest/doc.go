// Package esltest is a FreeSWITCH to test against.
//
// Script speaks frames by a list of steps, for one connection and one moment
// of the protocol. Switch is a simulated FreeSWITCH 1.11.1 with callers,
// callees, a dialplan and both kinds of event socket, for whole calls. It does
// only what the real one was seen doing: the tests of this package run the
// commands of recorded transcripts against it and compare what comes back.
// Comments that say "file 09" mean the transcript of that number in
// eslctl/testdata/transcripts; "seen on 1.11.1" was seen in calls that are not
// kept there. What neither shows is not simulated: conferences, hold, sync mode
// of the socket, events in JSON or XML, enterprise dial strings, transfers of a
// callee's leg, and the second half of a loopback channel.
//
// Nothing here waits in real time by itself: every delay is a timer, so that a
// test under testing/synctest, with net.Pipe for Switch.Dial, takes none.
package esltest
