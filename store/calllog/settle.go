package calllog

// Closed says of a gap g of a call c that it is closed: nothing is missing from the
// journals of that node any more. A journal can hold what is missing if it began before
// the node lost the call, and was heard of since the call began. There must be one, and
// all of them must have come past the moment, or have been closed. So the journal of a
// disk that is gone for ever keeps the gap open, and so does a node that has only begun a
// new one since; one that it left behind before this call does not.
const Closed = `
EXISTS (SELECT 1 FROM journals j WHERE j.node = g.node AND j.since <= g.since AND j.until >= c.started)
AND NOT EXISTS (SELECT 1 FROM journals j WHERE j.node = g.node AND j.since <= g.since AND j.until >= c.started
	AND j.until < g.since AND NOT j.closed)`
