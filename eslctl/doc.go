// Package eslctl speaks FreeSWITCH's event socket, in both directions.
//
// Server is for calls: FreeSWITCH's socket application connects to it, once for
// every call, and Handler gets a Leg with the verbs of that call. Client is for
// the switch: it connects to FreeSWITCH's own port, and Monitor keeps such a
// connection up to hear of calls that end unwatched. Both stand on one codec,
// Reader for frames and Event for what is in them.
//
// What a user should know:
//
//   - A Handler that returns while the call lives has it hung up. To leave the
//     call to another server use Leg.HandOver.
//   - The verbs of a Leg block, are for one goroutine, and fail with the cause of
//     the context: *call.HungUp when the caller is gone, call.ErrLost when this
//     connection controls the call no longer. On either, stop; nothing is left to
//     clean up. Any other error is about that verb alone.
//   - Call Save before the first verb and whenever the place of the call changes.
//     Without a checkpoint a call begins anew after a takeover, and the verbs rely
//     on variables that the first Save sets.
//   - Nothing that holds a line break or NUL is sent; it is an *UnsafeError.
//     Prompts and addresses from the package call are safe by construction. Do
//     not build them by hand.
//   - The dialplan must connect with "async full", set socket_resume before every
//     connection, and go on to another socket action after it; see
//     freeswitch-conf and docs/decisions/0003-resume.md.
//   - There is no password towards a Server: set Allow.
//
// Facts about FreeSWITCH name its file and function, or were seen on version
// 1.11.1, whose transcripts are in testdata/transcripts.
package eslctl
