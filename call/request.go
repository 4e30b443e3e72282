package call

import (
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"time"
)

// Request is an HTTP request to another system. The body and everything after
// the host of the URL may hold secrets: they stand in no error and no event.
type Request struct {
	Method  string            // one of Methods
	URL     string            // http or https, without a password in it
	Header  map[string]string // one value a name, in any case; see ValidHeader and OwnHeader
	Body    []byte            // empty: none
	Timeout time.Duration     // of the whole, all tries together; above 0
	Key     string            // sent as Idempotency-Key, the same with every try; empty: none
	Step    string            // path of the node that asks; not sent
	Target  string            // name of the target that is asked about, if it is one; not sent
	Retry   bool              // may be tried again within Timeout: after a failure to connect, a broken connection, 429, 502, 503, 504
}

// Response is the answer to a Request, whatever its status. An answer that
// redirects is one like any other: nobody has followed it.
type Response struct {
	Status int
	Header map[string]string // names in canonical form (Content-Type), several values of one name joined by ", "
	Body   []byte
	Cut    bool          // of the body there was more, where the client cuts it
	Tries  int           // how often the request was sent, or was tried to
	Took   time.Duration // all tries and the pauses between them
}

// Methods are those that a Request may have. The others change the connection or mirror
// the request.
var Methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

var headerSyntax = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")

// ValidHeader says whether a header can have this name (RFC 9110, section 5.6.2), of at
// most 100 bytes.
func ValidHeader(name string) bool { return headerSyntax.MatchString(name) }

var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
	"Proxy-Authorization", "Te", "Trailer", "Upgrade", "Http2-Settings", "Expect"}

// OwnHeader says whether a header belongs to the connection or follows from the rest of
// the Request (RFC 9110, section 7.6.1), so that the Request must not have it.
func OwnHeader(name string) bool {
	return slices.Contains(ownHeaders, textproto.CanonicalMIMEHeaderKey(name))
}
