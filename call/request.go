package call

import "time"

// Request is an HTTP request to another system. The body and everything after
// the host of the URL may hold secrets: they stand in no error and no event.
type Request struct {
	Method  string            // GET, HEAD, POST, PUT, PATCH or DELETE
	URL     string            // http or https, without a password in it
	Header  map[string]string // one value a name, in any case
	Body    []byte            // empty: none
	Timeout time.Duration     // of the whole, all tries together; above 0
	Key     string            // sent as Idempotency-Key, the same with every try; empty: none
	Step    string            // path of the node that asks; not sent
	Retry   bool              // may be tried again within Timeout: after a failure to connect, a broken connection, 429, 502, 503, 504
}

// Response is the answer to a Request, whatever its status. An answer that
// redirects is one like any other: nobody has followed it.
type Response struct {
	Status int
	Header map[string]string // names in canonical form (Content-Type), several values of one name joined by ", "
	Body   []byte
	Tries  int           // how often the request was sent, or was tried to
	Took   time.Duration // all tries and the pauses between them
}
