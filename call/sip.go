package call

import (
	"maps"
	"slices"
)

// CauseOfSIP returns the cause with which an unanswered call must be hung up
// so that the caller gets this SIP response (mod_sofia.c,
// hangup_cause_to_sip); false for a code that no cause leads to. After the
// answer every cause is a BYE.
func CauseOfSIP(code int) (Cause, bool) {
	c, ok := sipCauses[code]
	return c, ok
}

// SIPCodes returns the codes that CauseOfSIP knows, sorted.
func SIPCodes() []int { return slices.Sorted(maps.Keys(sipCauses)) }

// sipCauses has one cause for each code, as seen on FreeSWITCH 1.11.1.
var sipCauses = map[int]Cause{
	403: "OUTGOING_CALL_BARRED",
	404: UnallocatedNumber,
	408: "NO_USER_RESPONSE",
	410: "NUMBER_CHANGED",
	480: NoAnswer,
	483: "EXCHANGE_ROUTING_ERROR",
	484: "INVALID_NUMBER_FORMAT",
	486: UserBusy,
	487: OriginatorCancel,
	488: "INCOMPATIBLE_DESTINATION",
	501: "FACILITY_REJECTED",
	502: "DESTINATION_OUT_OF_ORDER",
	503: TemporaryFailure,
	504: "RECOVERY_ON_TIMER_EXPIRE",
	600: "BUSY_EVERYWHERE",
	603: CallRejected,
	604: "DOES_NOT_EXIST_ANYWHERE",
	606: "NOT_ACCEPTABLE",
	607: "UNWANTED",
}
