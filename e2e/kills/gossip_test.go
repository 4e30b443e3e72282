package kills

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// transcript is all that a process says.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *transcript) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.text.Bytes())
}

// gossip is a receiver that gives away what it is sent, in every way that it can think of.
type gossip struct {
	*httptest.Server
	mu   sync.Mutex
	told bytes.Buffer    // to the endpoint plain
	had  map[string]bool // paths
}

func newGossip(t *testing.T) *gossip {
	r := &gossip{had: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *gossip) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	said, err := httputil.DumpRequest(req, true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	r.mu.Lock()
	r.had[path] = true
	if path == "plain" {
		r.told.Write(said)
	}
	r.mu.Unlock()
	// What it encodes twice nobody can know: the key of the header is in base64 already.
	once := []byte(strings.ReplaceAll(string(said), req.Header.Get("Authorization"), ""))
	asJSON, err := json.Marshal(string(said))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	echo := fmt.Sprintf("%s\n%s\n%s\n%s\n%s\n", said, asJSON, url.QueryEscape(string(said)), base64.StdEncoding.EncodeToString(once), hex.EncodeToString(once))
	w.Header().Set("X-Echo", strings.Join(req.Header["X-Mine"], ""))
	switch path {
	case "echo":
		fmt.Fprint(w, echo)
	case "redirect":
		w.Header().Set("Location", r.URL+"/stolen?it="+url.QueryEscape(string(said)))
		w.WriteHeader(http.StatusFound)
	case "fails":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, echo)
	case "packed":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, echo)
		_ = z.Close() // the only error is a client that has left
	case "broken":
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", strings.ReplaceAll(echo, "\n", " "))
			conn.Close()
		}
	case "pay":
		_ = json.NewEncoder(w).Encode(map[string]string{"said": req.Header.Get("X-Card")})
	}
}

// asked says whether it was asked for a path.
func (r *gossip) asked(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.had[path]
}
