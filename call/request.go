package call

import "time"

// Request is an HTTP request that is made for a call.
type Request struct {
	Method  string
	URL     string
	Header  map[string]string
	Body    []byte
	Timeout time.Duration // of the whole, all tries together
	Key     string        // sent as Idempotency-Key, the same on every try; empty: none
	Retry   bool          // may be tried again within Timeout: after a failure to connect, a broken connection, 429, 502, 503, 504
	Step    string        // node of the flow that asks
}

// Response is the answer to a Request, whatever its status.
type Response struct {
	Status int
	Header map[string]string // by canonical name, the first value of each
	Body   []byte
	Tries  int
	Took   time.Duration
}
