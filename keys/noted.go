package keys

import (
	"sync"
	"time"
)

const (
	noteEvery = time.Minute
	maxNoted  = 50_000 // keys that exist, so this is hardly ever reached
)

// Noted remembers which keys were used of late, so that the use of one that is used all
// the time is written once a minute. The zero value is ready.
type Noted struct {
	mu sync.Mutex
	at map[string]time.Time // by organization and id
}

// Due says whether a use is to be written now, and takes it that it is.
func (n *Noted) Due(org, id string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := org + "/" + id
	if last, was := n.at[name]; was && now.Sub(last) < noteEvery {
		return false
	}
	if n.at == nil || len(n.at) >= maxNoted {
		n.at = map[string]time.Time{}
	}
	n.at[name] = now
	return true
}

// Forget lets the next use be due: this one could not be written.
func (n *Noted) Forget(org, id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.at, org+"/"+id)
}
